package drivertest

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/repainttest"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// lite connects to an SQLite database.
type lite struct{ dsn string }

func (l lite) Connect(context.Context) (driver.Conn, error) { return new(sqlite.Driver).Open(l.dsn) }
func (l lite) Driver() driver.Driver                        { return new(sqlite.Driver) }

// databases are those that Driver knows, each with a fresh database for the test.
var databases = map[string]func(t *testing.T) driver.Connector{
	"SQLite": func(t *testing.T) driver.Connector {
		return lite{"file:" + filepath.Join(t.TempDir(), "bank.db") + "?_pragma=busy_timeout(5000)&_pragma=journal_mode(wal)&_pragma=synchronous(off)&_pragma=foreign_keys(on)&_txlock=immediate"}
	},
	"PostgreSQL": func(t *testing.T) driver.Connector {
		config, err := pgx.ParseConfig(testserver.Postgres(t).Database(t).URL())
		require.NoError(t, err)
		return stdlib.GetConnector(*config)
	},
	"MariaDB": func(t *testing.T) driver.Connector {
		config, err := mysql.ParseDSN(testserver.MariaDB(t).Database(t).DSN())
		require.NoError(t, err)
		c, err := mysql.NewConnector(config)
		require.NoError(t, err)
		return c
	},
}

// bank is a table of balances in a database.
type bank struct{ pool *sql.DB }

func openBank(t *testing.T, c driver.Connector) *bank {
	t.Helper()
	b := &bank{sql.OpenDB(repainttest.Driver(c))}
	b.pool.SetMaxIdleConns(10)
	t.Cleanup(func() { require.NoError(t, b.pool.Close()) })
	_, err := b.pool.ExecContext(t.Context(), "create table account (name varchar(10) primary key, balance int not null)")
	require.NoError(t, err)
	b.reset(t, t.Context()) // so that the first schedule begins as the others
	return b
}

// reset gives ada and bob 100 each.
func (b *bank) reset(t *testing.T, ctx context.Context) {
	t.Helper()
	for _, text := range []string{"delete from account", "insert into account values ('ada', 100), ('bob', 100)"} {
		_, err := b.pool.ExecContext(ctx, text)
		require.NoError(t, err)
	}
}

func (b *bank) balance(t *testing.T, ctx context.Context, name string) (n int) {
	t.Helper()
	require.NoError(t, b.pool.QueryRowContext(ctx, "select balance from account where name = '"+name+"'").Scan(&n))
	return n
}

// inTx calls fn in a transaction.
func (b *bank) inTx(ctx context.Context, level sql.IsolationLevel, fn func(tx *sql.Tx) error) error {
	tx, err := b.pool.BeginTx(ctx, &sql.TxOptions{Isolation: level})
	if err != nil {
		return err
	}
	if err := fn(tx); err != nil {
		_ = tx.Rollback()
		return err
	}
	return tx.Commit()
}

// withdraw reads and writes in one transaction. The reading locks the row if lock says how.
func (b *bank) withdraw(lock string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return b.inTx(ctx, sql.LevelDefault, func(tx *sql.Tx) error {
			var n int
			if err := tx.QueryRowContext(ctx, "select balance from account where name = 'ada'"+lock).Scan(&n); err != nil {
				return err
			}
			if n < 60 {
				return nil
			}
			_, err := tx.ExecContext(ctx, fmt.Sprintf("update account set balance = %d where name = 'ada'", n-60))
			return err
		})
	}
}

// carelessWithdraw reads and writes without a transaction.
func (b *bank) carelessWithdraw(ctx context.Context) error {
	var n int
	if err := b.pool.QueryRowContext(ctx, "select balance from account where name = 'ada'").Scan(&n); err != nil || n < 60 {
		return err
	}
	_, err := b.pool.ExecContext(ctx, "update account set balance = balance - 60 where name = 'ada'")
	return err
}

func TestStatementsOfADriverAreStepsOfTheSchedule(t *testing.T) {
	for name, connector := range databases {
		t.Run(name, func(t *testing.T) {
			b := openBank(t, connector(t))
			wrong := 0
			repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
				b.reset(t, ctx)
				require.NoError(t, tasks(ctx, b.carelessWithdraw, b.carelessWithdraw))
				if b.balance(t, ctx, "ada") < 0 {
					wrong++
				}
			}, repainttest.CheckRepeats())
			require.Equal(t, 2*4, wrong, "of the C(4,2) = 6 orders of 4 statements all but 2 are wrong, and each runs twice")
		})
	}
}

func TestTransactionsThatWaitForLocksRepeat(t *testing.T) {
	for name, connector := range databases {
		t.Run(name, func(t *testing.T) {
			b := openBank(t, connector(t))
			lock := " for update"
			if name == "SQLite" {
				lock = "" // BEGIN IMMEDIATE locks
			}
			repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
				b.reset(t, ctx)
				withdraw := b.withdraw(lock)
				require.NoError(t, tasks(ctx, withdraw, withdraw, func(ctx context.Context) error {
					_, err := b.pool.ExecContext(ctx, "update account set balance = balance + 1 where name = 'bob'")
					return err
				}))
				require.Equal(t, 40, b.balance(t, ctx, "ada"))
				require.Equal(t, 101, b.balance(t, ctx, "bob"))
			}, repainttest.CheckRepeats())
		})
	}
}

// transfer moves money. It locks the two rows in the order of its arguments.
func (b *bank) transfer(from, to string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return b.inTx(ctx, sql.LevelDefault, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "update account set balance = balance - 10 where name = '"+from+"'")
			if err == nil {
				_, err = tx.ExecContext(ctx, "update account set balance = balance + 10 where name = '"+to+"'")
			}
			return err
		})
	}
}

func TestDeadlocksOfTheDatabaseEndWithTheSameVictim(t *testing.T) {
	for _, name := range []string{"MariaDB", "PostgreSQL"} {
		t.Run(name, func(t *testing.T) {
			b := openBank(t, databases[name](t))
			deadlocks := 0
			repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
				b.reset(t, ctx)
				if err := tasks(ctx, b.transfer("ada", "bob"), b.transfer("bob", "ada")); err != nil {
					require.Contains(t, strings.ToLower(err.Error()), "deadlock")
					deadlocks++
				}
				require.Equal(t, 200, b.balance(t, ctx, "ada")+b.balance(t, ctx, "bob"))
			}, repainttest.Exhaustive(), repainttest.CheckRepeats())
			require.Positive(t, deadlocks)
		})
	}
}

// isAbort reports whether PostgreSQL has ended a transaction that can't be serialized.
func isAbort(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == "40001"
}

// The figures of these two were measured with isolation tests of PostgreSQL itself.

func TestLostUpdateAtEachLevelOfIsolation(t *testing.T) {
	b := openBank(t, databases["PostgreSQL"](t))
	results := repainttest.Isolations(t, 100, func(t *testing.T, ctx context.Context, level sql.IsolationLevel, o *repainttest.Outcome) {
		b.reset(t, ctx)
		add := func(ctx context.Context) error {
			err := b.inTx(ctx, level, func(tx *sql.Tx) error {
				var n int
				if err := tx.QueryRowContext(ctx, "select balance from account where name = 'ada'").Scan(&n); err != nil {
					return err
				}
				_, err := tx.ExecContext(ctx, "update account set balance = $1 where name = 'ada'", n+10)
				return err
			})
			if isAbort(err) {
				o.Aborted++
				return nil
			}
			return err
		}
		require.NoError(t, tasks(ctx, add, add))
		o.Wrong = b.balance(t, ctx, "ada") != 100+10*(2-o.Aborted)
	})
	require.Equal(t, []repainttest.IsolationResult{
		{Level: sql.LevelReadCommitted, Schedules: 70, Of: 70, Wrong: 60},
		{Level: sql.LevelRepeatableRead, Schedules: 70, Of: 70, Aborted: 60},
		{Level: sql.LevelSerializable, Schedules: 70, Of: 70, Aborted: results[2].Aborted},
	}, results)
	require.GreaterOrEqual(t, results[2].Aborted, 60)
}

func TestWriteSkewAtEachLevelOfIsolation(t *testing.T) {
	b := openBank(t, databases["PostgreSQL"](t))
	results := repainttest.Isolations(t, 100, func(t *testing.T, ctx context.Context, level sql.IsolationLevel, o *repainttest.Outcome) {
		b.reset(t, ctx)
		// Each withdraws from an account of its own, if both accounts together have enough.
		withdraw := func(name string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				err := b.inTx(ctx, level, func(tx *sql.Tx) error {
					var sum int
					if err := tx.QueryRowContext(ctx, "select sum(balance) from account").Scan(&sum); err != nil || sum < 200 {
						return err
					}
					_, err := tx.ExecContext(ctx, "update account set balance = balance - 200 where name = $1", name)
					return err
				})
				if isAbort(err) {
					o.Aborted++
					return nil
				}
				return err
			}
		}
		require.NoError(t, tasks(ctx, withdraw("ada"), withdraw("bob")))
		o.Wrong = b.balance(t, ctx, "ada")+b.balance(t, ctx, "bob") < 0
	})
	require.Equal(t, []repainttest.IsolationResult{
		{Level: sql.LevelReadCommitted, Schedules: 70, Of: 70, Wrong: 60},
		{Level: sql.LevelRepeatableRead, Schedules: 70, Of: 70, Wrong: 60},
		{Level: sql.LevelSerializable, Schedules: 70, Of: 70, Aborted: 60},
	}, results)
}

// stubborn withdraws 10, again and again until no error comes.
func (b *bank) stubborn(ctx context.Context) (err error) {
	for range 3 {
		err = b.inTx(ctx, sql.LevelDefault, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "update account set balance = balance - 10 where name = 'ada'")
			return err
		})
		if err == nil {
			return nil
		}
	}
	return err
}

func TestFaultsFindWhatARetryGetsWrong(t *testing.T) {
	for _, name := range []string{"PostgreSQL", "MariaDB"} {
		t.Run(name, func(t *testing.T) {
			b := openBank(t, databases[name](t))
			wrong := func(faults ...repainttest.Fault) (wrong int) {
				t.Helper()
				repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
					b.reset(t, ctx)
					require.NoError(t, tasks(ctx, b.stubborn))
					if b.balance(t, ctx, "ada") != 90 {
						wrong++
					}
				}, repainttest.Faults(faults...), repainttest.CheckRepeats())
				return wrong
			}
			require.Zero(t, wrong(repainttest.LostBefore, repainttest.SerializationFailure, repainttest.Deadlock), "had no effect, and was repeated")
			require.Equal(t, 2, wrong(repainttest.LostAfter), "only a commit that is repeated though it was executed, in one schedule that runs twice")
		})
	}
}

func TestFaultsOfTime(t *testing.T) {
	b := openBank(t, databases["SQLite"](t))
	slow, cancelled := 0, 0
	repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
		b.reset(t, ctx)
		begun := repaint.CurrentLoop().Now()
		err := tasks(ctx, b.stubborn)
		if repaint.CurrentLoop().Now().Sub(begun) >= time.Hour {
			slow++
		}
		if errors.Is(err, context.Canceled) {
			cancelled++
		} else {
			require.NoError(t, err)
			require.Equal(t, 90, b.balance(t, ctx, "ada"))
		}
	}, repainttest.Faults(repainttest.Slow, repainttest.Cancelled), repainttest.Exhaustive())
	require.Equal(t, 3, slow, "begin, update, commit")
	require.Positive(t, cancelled)
}

// tasks runs functions as tasks and waits for them.
func tasks(ctx context.Context, fns ...func(ctx context.Context) error) error {
	g := repaint.NewGroup(ctx)
	for _, fn := range fns {
		g.Go(fn)
	}
	return g.Wait()
}
