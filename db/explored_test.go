package db_test

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/repainttest"
)

// explorable are the databases whose statements are steps of schedules.
var explorable = map[string]func(t *testing.T) string{
	"SQLite in memory": func(*testing.T) string { return "sqlite://" },
	"SQLite in a file": func(t *testing.T) string { return "sqlite:///" + filepath.Join(t.TempDir(), "bank.db") },
	"PostgreSQL":       func(t *testing.T) string { return testserver.Postgres(t).Database(t).URL() },
	"MariaDB":          func(t *testing.T) string { return testserver.MariaDB(t).Database(t).URL() },
}

// openAccounts opens a database with a table of balances.
func openAccounts(t *testing.T, url string) *db.Engine {
	t.Helper()
	ctx := t.Context()
	e, err := db.Open(ctx, url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
	_, err = e.Exec(ctx, "create table account (name varchar(10) primary key, balance int not null)")
	require.NoError(t, err)
	refill(t, ctx, e)
	return e
}

// refill gives ada, bob and cyd 100 each.
func refill(t *testing.T, ctx context.Context, e *db.Engine) {
	t.Helper()
	for _, text := range []string{"delete from account", "insert into account values ('ada', 100), ('bob', 100), ('cyd', 100)"} {
		_, err := e.Exec(ctx, text)
		require.NoError(t, err)
	}
}

func balanceOf(t *testing.T, ctx context.Context, e *db.Engine, name string) int {
	t.Helper()
	n, err := db.Scalar[int](ctx, e, "select balance from account where name = :name", db.Named("name", name))
	require.NoError(t, err)
	return n
}

// together runs functions as tasks.
func together(ctx context.Context, fns ...func(ctx context.Context) error) error {
	g := repaint.NewGroup(ctx)
	for _, fn := range fns {
		g.Go(fn)
	}
	return g.Wait()
}

// withdrawInTx takes 60 from ada, if she has that much. lock is the clause that locks the row on
// reading.
func withdrawInTx(e *db.Engine, lock string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			n, err := db.Scalar[int](ctx, tx, "select balance from account where name = 'ada'"+lock)
			if err != nil || n < 60 {
				return err
			}
			_, err = tx.Exec(ctx, "update account set balance = :n where name = 'ada'", db.Named("n", n-60))
			return err
		})
	}
}

func TestLostUpdatesOfADatabaseAreFoundAndRepeat(t *testing.T) {
	for name, url := range explorable {
		t.Run(name, func(t *testing.T) {
			e := openAccounts(t, url(t))
			wrong, all := 0, 0
			repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
				refill(t, ctx, e)
				withdraw := func(ctx context.Context) error {
					n, err := db.Scalar[int](ctx, e, "select balance from account where name = 'ada'")
					if err != nil || n < 60 {
						return err
					}
					_, err = e.Exec(ctx, "update account set balance = balance - 60 where name = 'ada'")
					return err
				}
				require.NoError(t, together(ctx, withdraw, withdraw))
				all++
				if balanceOf(t, ctx, e, "ada") < 0 {
					wrong++
				}
			}, repainttest.CheckRepeats())
			require.Equal(t, 2*6, all, "C(4,2) orders of 4 statements, each twice")
			require.Equal(t, 2*4, wrong)
		})
	}
}

func TestTransactionsThatLockAreExploredWithoutAFault(t *testing.T) {
	for name, url := range explorable {
		t.Run(name, func(t *testing.T) {
			e := openAccounts(t, url(t))
			lock := " for update"
			if e.Dialect().Name() == "sqlite" {
				lock = "" // a transaction that writes has the database to itself
			}
			repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
				refill(t, ctx, e)
				require.NoError(t, together(ctx, withdrawInTx(e, lock), withdrawInTx(e, lock), func(ctx context.Context) error {
					_, err := e.Exec(ctx, "update account set balance = balance + 1 where name = 'bob'")
					return err
				}))
				require.Equal(t, 40, balanceOf(t, ctx, e, "ada"))
				require.Equal(t, 101, balanceOf(t, ctx, e, "bob"))
			}, repainttest.CheckRepeats())
		})
	}
}

// transfer moves 10 between two accounts. It locks the two rows in the order of its arguments.
func transfer(e *db.Engine, from, to string) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "update account set balance = balance - 10 where name = :name", db.Named("name", from))
			if err == nil {
				_, err = tx.Exec(ctx, "update account set balance = balance + 10 where name = :name", db.Named("name", to))
			}
			return err
		})
	}
}

func TestDeadlocksOfADatabaseEndWithTheSameVictim(t *testing.T) {
	for _, name := range []string{"PostgreSQL", "MariaDB"} {
		t.Run(name, func(t *testing.T) {
			e := openAccounts(t, explorable[name](t))
			for n, all := range map[int][]func(context.Context) error{
				2: {transfer(e, "ada", "bob"), transfer(e, "bob", "ada")},
				3: {transfer(e, "ada", "bob"), transfer(e, "bob", "cyd"), transfer(e, "cyd", "ada")},
			} {
				deadlocks := 0
				repainttest.Explore(t, 40, func(t *testing.T, ctx context.Context) {
					refill(t, ctx, e)
					failed := 0
					g := repaint.NewGroup(ctx)
					for _, fn := range all {
						g.Go(func(ctx context.Context) error {
							err := fn(ctx)
							if errors.Is(err, db.ErrDeadlock) {
								failed++
								return nil
							}
							return err
						})
					}
					require.NoError(t, g.Wait())
					require.LessOrEqual(t, failed, 1, "of the tasks of one circle")
					deadlocks += failed
				}, repainttest.CheckRepeats(), repainttest.RoundRobin())
				require.Positive(t, deadlocks, n)
			}
		})
	}
}

func TestFaultsFindARetryOfWhatWasCommitted(t *testing.T) {
	for _, name := range []string{"PostgreSQL", "MariaDB"} {
		t.Run(name, func(t *testing.T) {
			e := openAccounts(t, explorable[name](t))
			wrong := func(faults ...repainttest.Fault) (wrong int) {
				t.Helper()
				repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
					refill(t, ctx, e)
					require.NoError(t, together(ctx, func(ctx context.Context) (err error) {
						for range 3 {
							err = e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
								_, err := tx.Exec(ctx, "update account set balance = balance - 10 where name = 'ada'")
								return err
							})
							if err == nil {
								return nil
							}
						}
						return err
					}))
					if balanceOf(t, ctx, e, "ada") != 90 {
						wrong++
					}
				}, repainttest.Faults(faults...), repainttest.CheckRepeats())
				return wrong
			}
			require.Zero(t, wrong(repainttest.LostBefore, repainttest.SerializationFailure, repainttest.Deadlock), "had no effect, and was repeated")
			require.Equal(t, 2, wrong(repainttest.LostAfter), "only a commit, in one schedule that runs twice")
		})
	}
}

func TestALockOfAnotherEngineOfSQLiteIsInTheSchedule(t *testing.T) {
	url := "sqlite:///" + filepath.Join(t.TempDir(), "shared.db") + "?busy_timeout=20s"
	one := openAccounts(t, url)
	two, err := db.Open(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, two.Close(context.Background())) })
	began, schedules := time.Now(), 0
	repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
		schedules++
		require.NoError(t, together(ctx, withdrawInTx(one, ""), withdrawInTx(two, "")))
		require.Equal(t, 40, balanceOf(t, ctx, one, "ada"))
	}, repainttest.CheckRepeats(), repainttest.Fresh(func(ctx context.Context) error {
		refill(t, ctx, one)
		return nil
	}))
	require.Greater(t, schedules, 2*2, "some with a wait, each twice")
	require.Less(t, time.Since(began), 20*time.Second, "no schedule waits in real time")
	for _, e := range []*db.Engine{one, two} {
		patience, err := db.Scalar[int](t.Context(), e, "pragma busy_timeout")
		require.NoError(t, err)
		require.Equal(t, 20_000, patience, "a plain goroutine waits in the driver again")
	}
}
