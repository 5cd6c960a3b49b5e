package mysql_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// whileSleeping calls fn while the server runs the sleep of another task.
func whileSleeping(ctx context.Context, t *testing.T, at testserver.Target, fn func()) {
	for {
		n, err := repaint.Block(ctx, func(context.Context) (string, error) {
			return at.Query(context.Background(), "select count(*) from information_schema.processlist where info like '%sleep(60%' and info not like '%processlist%' and db = '"+at.DBName+"'")
		})
		require.NoError(t, err)
		if n != "0" {
			fn()
			return
		}
	}
}

func running(ctx context.Context, t *testing.T, at testserver.Target) string {
	n, err := repaint.Block(ctx, func(context.Context) (string, error) {
		return at.Query(context.Background(), "select count(*) from information_schema.processlist where info like '%sleep(60%' and info not like '%processlist%' and db = '"+at.DBName+"'")
	})
	require.NoError(t, err)
	return n
}

func TestACancelledStatementEndsOnTheServerAndCostsNoConnection(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		e := dbtest.Open(t, ctx, at.URL())
		for _, how := range []string{"engine", "conn", "transaction"} {
			own, cancel := context.WithCancelCause(ctx)
			mine := errors.New("mine")
			var q db.Querier = e
			var tx *db.Tx
			switch how {
			case "conn":
				conn, err := e.Connect(ctx)
				require.NoError(t, err)
				defer conn.Close()
				q = conn
			case "transaction":
				var err error
				tx, err = e.BeginTx(ctx)
				require.NoError(t, err)
				q = tx
				_, err = tx.Exec(ctx, "select 1")
				require.NoError(t, err)
			}
			before := e.Stats().Connects
			start := time.Now()
			wait := c.Go(own, func(context.Context) error {
				_, err := q.Query(own, "select sleep(60) from (values (1), (2)) t")
				return err
			})
			whileSleeping(ctx, t, at, func() { cancel(mine) })
			err := wait()
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorIs(t, err, mine)
			require.Less(t, time.Since(start), 30*time.Second)
			require.Equal(t, "0", running(ctx, t, at), "the server has stopped")
			one, err := db.Scalar[int](ctx, q, "select 1")
			require.NoError(t, err, how)
			require.Equal(t, 1, one)
			require.Equal(t, before, e.Stats().Connects, how)
			require.Zero(t, e.Stats().Discarded)
			if tx != nil {
				require.NoError(t, tx.Commit(ctx), "a read that was cancelled changes nothing")
			}
		}
	})
}

func TestADeadlineIsATimeout(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		own, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		_, err := e.Exec(own, "select sleep(60)")
		require.ErrorIs(t, err, db.ErrTimeout)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// A cancel at any moment hits the statement that it is meant for, or none. Every later statement
// works.
func TestCancelsAtAnyTimeHitNobodyElse(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		require.NoError(t, c.Together(ctx, 8, func(ctx context.Context, i int) error {
			for n := range 25 {
				own, cancel := context.WithTimeout(ctx, time.Duration(n*(i+1))*20*time.Microsecond)
				_, err := e.Exec(own, "insert into items(value) values ('x')")
				cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					return err
				}
				if _, err := db.Scalar[int](ctx, e, "select count(*) from items"); err != nil {
					return err
				}
			}
			return nil
		}))
		require.Zero(t, e.Stats().Discarded)
	}, db.PoolSize(3), db.MaxOverflow(0))
}

func TestAServerThatDoesntAnswerCostsTheConnectionAfterAWhile(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		proxy := faultproxy.New(t, at.Addr())
		at.Host, at.Port = proxy.Host(), proxy.Port()
		e := dbtest.Open(t, ctx, at.URL()+"?cancel_timeout=50ms")
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		proxy.Stall()
		own, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err = conn.Exec(own, "select 1")
		require.ErrorIs(t, err, db.ErrTimeout)
		proxy.Resume()
		_, err = conn.Exec(ctx, "select 1")
		require.ErrorIs(t, err, db.ErrDisconnected)
		_, err = e.Exec(ctx, "select 1")
		require.NoError(t, err)
	})
}

func TestALostConnectionIsSeenAndReplaced(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		proxy := faultproxy.New(t, at.Addr())
		at.Host, at.Port = proxy.Host(), proxy.Port()
		e := dbtest.Open(t, ctx, at.URL())
		tx, err := e.BeginTx(ctx)
		require.NoError(t, err)
		dbtest.Exec(t, ctx, tx, "select 1")
		proxy.Cut()
		_, err = tx.Exec(ctx, "select 1")
		require.ErrorIs(t, err, db.ErrDisconnected)
		require.ErrorIs(t, tx.Commit(ctx), db.ErrTxFailed)
		for range 3 {
			_, err = e.Exec(ctx, "select 1")
			require.NoError(t, err, "an idle connection that was cut isn't noticed by anybody")
			proxy.Cut()
		}
	})
}

func TestADeadlockRollsOneTransactionBackAndSaysSo(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		dbtest.Exec(t, ctx, e, "insert into items(value) values ('a'), ('b')")
		update := func(tx *db.Tx, id int) error {
			_, err := tx.Exec(ctx, "update items set value = concat(value, 'x') where id = :id", db.Named("id", id))
			return err
		}
		one, err := e.BeginTx(ctx)
		require.NoError(t, err)
		two, err := e.BeginTx(ctx)
		require.NoError(t, err)
		inner, err := one.BeginTx(ctx)
		require.NoError(t, err)
		require.NoError(t, update(inner, 1))
		require.NoError(t, update(two, 2))
		wait := c.Go(ctx, func(context.Context) error { return update(inner, 2) })
		errTwo := update(two, 1)
		errOne := wait()
		require.True(t, (errOne == nil) != (errTwo == nil), "%v, %v", errOne, errTwo)
		loser, err := one, errOne
		if err == nil {
			loser, err = two, errTwo
			require.NoError(t, inner.Commit(ctx))
			require.NoError(t, one.Commit(ctx))
		} else {
			require.NoError(t, two.Commit(ctx))
			_, e := inner.Exec(ctx, "select 1")
			require.ErrorIs(t, e, db.ErrTxFailed)
		}
		require.ErrorIs(t, err, db.ErrDeadlock)
		require.ErrorIs(t, err, db.ErrConflict)
		err = loser.Commit(ctx)
		require.ErrorIs(t, err, db.ErrTxFailed)
		require.ErrorContains(t, err, "the database has rolled the transaction back")
		require.ErrorIs(t, err, db.ErrDeadlock)
		require.Zero(t, e.Stats().InUse)
	})
}

func TestALockThatIsntFreeInTimeCostsTheStatementOnly(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		dbtest.Exec(t, ctx, e, "insert into items(value) values ('a')")
		holder, err := e.BeginTx(ctx)
		require.NoError(t, err)
		defer holder.Rollback(ctx)
		dbtest.Exec(t, ctx, holder, "update items set value = 'b' where id = 1")
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			dbtest.Exec(t, ctx, tx, "insert into items(value) values ('c')")
			_, err := tx.Query(ctx, "select * from items where id = 1 for update nowait")
			require.ErrorIs(t, err, db.ErrLockTimeout)
			require.ErrorIs(t, err, db.ErrBusy)
			dbtest.Exec(t, ctx, tx, "insert into items(value) values ('d')")
			return nil
		}))
		n, err := db.Scalar[int](ctx, e, "select count(*) from items")
		require.NoError(t, err)
		require.Equal(t, 3, n)
	})
}

func TestIsolationIsTheTransactionsOwn(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		dbtest.Exec(t, ctx, e, "insert into items(value) values ('a')")
		seen := func(level db.TxOption) int {
			before, after := 0, 0
			require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) (err error) {
				before, err = db.Scalar[int](ctx, tx, "select count(*) from items")
				require.NoError(t, err)
				dbtest.Exec(t, ctx, e, "insert into items(value) values ('b')")
				after, err = db.Scalar[int](ctx, tx, "select count(*) from items")
				return err
			}, level))
			return after - before
		}
		require.Equal(t, 1, seen(db.Isolation(db.ReadCommitted)))
		require.Equal(t, 0, seen(db.Isolation(db.RepeatableRead)))
		require.Equal(t, 1, seen(db.Isolation(db.ReadUncommitted)))
		require.Equal(t, 0, seen(db.Isolation(db.DefaultIsolation)), "what the last one had is gone")
		err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Query(ctx, "call writer()")
			return err
		}, db.ReadOnly())
		require.ErrorIs(t, err, db.ErrReadOnly)
	}, db.PoolSize(2), db.MaxOverflow(0))
}

func TestWhatWouldCommitATransactionIsRefusedInOne(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		for _, text := range []string{"create table t(a int)", "truncate t", "alter table t add b int", "lock tables t write", "grant all on *.* to x", "rename table t to u"} {
			err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, text)
				return err
			})
			require.ErrorIs(t, err, db.ErrMisuse, text)
			require.ErrorContains(t, err, "would commit the transaction")
		}
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "create temporary table t(a int)")
			return err
		}))
		for _, text := range []string{"begin", "start transaction", "commit", "set autocommit = 0", "set transaction read only", "xa start 'x'", "savepoint a"} {
			_, err := e.Exec(ctx, text)
			require.ErrorIs(t, err, db.ErrMisuse, text)
		}
	})
}

// The application's own code may use the driver's connection, and the server doesn't report what it
// did.
func TestATransactionThatWasEndedOnTheDriversConnection(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table t(a int)")
		for _, text := range []string{"rollback", "commit and chain", "select 1"} {
			tx, err := e.BeginTx(ctx)
			require.NoError(t, err)
			dbtest.Exec(t, ctx, tx, "insert into t values (1)")
			err = tx.Raw(ctx, func(ctx context.Context, conn any) error {
				_, err := conn.(driver.ExecerContext).ExecContext(ctx, text, nil)
				return err
			})
			if text == "select 1" {
				require.NoError(t, err)
				require.NoError(t, tx.Commit(ctx))
				continue
			}
			require.ErrorIs(t, err, db.ErrTxFailed)
			_, err = tx.Exec(ctx, "insert into t values (2)")
			require.ErrorIs(t, err, db.ErrTxFailed)
			require.ErrorIs(t, tx.Commit(ctx), db.ErrTxFailed)
		}
		n, err := db.Scalar[int](ctx, e, "select count(*) from t where a = 2")
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestAScriptRunsItsStatementsOneByOne(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		_, err := e.Exec(ctx, `
			create table t(a int, b varchar(20)); -- with comments;
			insert into t values (1, 'a;b'); # and; more
			create procedure p() begin insert into t values (2, 'in; p'); insert into t values (3, '\:x'); end;
			call p()`)
		require.NoError(t, err)
		all, err := db.All[string](ctx, e, "select b from t order by a")
		require.NoError(t, err)
		require.Equal(t, []string{"a;b", "in; p", ":x"}, all)
		_, err = e.Exec(ctx, "insert into t values (4, ''); nonsense; insert into t values (5, '')")
		require.ErrorIs(t, err, db.ErrSyntax)
		n, err := db.Scalar[int](ctx, e, "select count(*) from t")
		require.NoError(t, err)
		require.Equal(t, 4, n, "what precedes the failing one stays done")
	})
}

func TestWhatAConnectionRemembersIsNotPassedOn(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		for _, text := range []string{"set @x = 1", "create temporary table mine(a int)", "select 1 into @x", "use mysql", "set sql_mode = ''"} {
			conn, err := e.Connect(ctx)
			require.NoError(t, err)
			id, err := db.Scalar[int](ctx, conn, "select connection_id()")
			require.NoError(t, err)
			dbtest.Exec(t, ctx, conn, text)
			require.NoError(t, conn.Close())
			next, err := db.Scalar[int](ctx, e, "select connection_id()")
			require.NoError(t, err)
			require.NotEqual(t, id, next, text)
		}
		same, err := db.Scalar[int](ctx, e, "select connection_id()")
		require.NoError(t, err)
		dbtest.Exec(t, ctx, e, "select 'set @x = 1'")
		next, err := db.Scalar[int](ctx, e, "select connection_id()")
		require.NoError(t, err)
		require.Equal(t, same, next)
	}, db.PoolSize(1), db.MaxOverflow(0))
}

func TestPreparedStatementsFollowTheSchema(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table t(a int)", "insert into t values (1)")
		for _, want := range []string{"a", "a b", "a b c"} {
			rows, err := e.Query(ctx, "select * from t")
			require.NoError(t, err)
			require.Equal(t, want, strings.Join(rows.Columns(), " "))
			added := string(rune('a' + len(rows.Columns())))
			dbtest.Exec(t, ctx, e, "alter table t add "+added+" varchar(10) default 'x'")
		}
	}, db.PoolSize(1), db.MaxOverflow(0))
}

func TestOpenDBTakesADatabaseOfDatabaseSQL(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := openDB(t, ctx, server.Database(t).DSN()+"?parseTime=true&loc=Local")
		dbtest.Exec(t, ctx, e, "create table t(a datetime(6))")
		moment := time.Date(2024, 7, 1, 1, 2, 3, 4000, time.UTC)
		_, err := e.Exec(ctx, "insert into t values (:t)", db.Named("t", moment))
		require.NoError(t, err)
		text, err := db.Scalar[string](ctx, e, "select cast(a as char) from t")
		require.NoError(t, err)
		require.Equal(t, "2024-07-01 01:02:03.000004", text)
		require.NoError(t, c.Together(ctx, 20, func(ctx context.Context, i int) error {
			return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := db.Scalar[int](ctx, tx, "select :i", db.Named("i", i))
				return err
			})
		}))
	})
}
