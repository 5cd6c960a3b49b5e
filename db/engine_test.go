package db_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

// addAndSelect is the main workload of the project: insert, get the id back, select by it, compare.
func addAndSelect(ctx context.Context, q db.Querier, value string) error {
	id, err := db.Scalar[int64](ctx, q, "insert into items(value) values (:value) returning id", db.Named("value", value))
	if err != nil {
		return err
	}
	got, err := db.Scalar[string](ctx, q, "select value from items where id = :id", db.Named("id", id))
	if err != nil {
		return err
	}
	if got != value {
		return fmt.Errorf("item %d is %q, not %q", id, got, value)
	}
	return nil
}

const items = "create table items(id integer primary key, value text not null)"

func TestAThousandAtOnceEachSeeTheirOwn(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		const n = 1000
		dbtest.Exec(t, ctx, e, items)
		require.NoError(t, c.Together(ctx, n, func(ctx context.Context, i int) error {
			return addAndSelect(ctx, e, fmt.Sprint("value ", i))
		}))
		count, err := db.Scalar[int](ctx, e, "select count(distinct value) from items")
		require.NoError(t, err)
		require.Equal(t, n, count)
	})
}

func TestOneEngineServesLoopsAndGoroutinesAtTheSameTime(t *testing.T) {
	for _, where := range []string{"memory", "file"} {
		t.Run(where, func(t *testing.T) {
			ctx := context.Background()
			url := "sqlite://"
			if where == "file" {
				url = dbtest.File(t)
			}
			e := dbtest.Open(t, ctx, url)
			dbtest.Exec(t, ctx, e, items)
			const loops, tasks = 4, 50
			each := 5
			if raceDetector {
				each = 2
			}
			work := func(ctx context.Context, i int) error {
				for k := range each {
					if err := addAndSelect(ctx, e, fmt.Sprint(i, k)); err != nil {
						return err
					}
					if err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
						return addAndSelect(ctx, tx, fmt.Sprint(i, k))
					}); err != nil {
						return err
					}
				}
				return nil
			}
			require.NoError(t, dbtest.Blocking.Together(ctx, 2*loops, func(ctx context.Context, i int) error {
				if i%2 == 0 {
					return dbtest.Blocking.Together(ctx, tasks, work)
				}
				return repaint.Run(ctx, func(ctx context.Context) error {
					return dbtest.InLoop.Together(ctx, tasks, work)
				})
			}))
			requireItems(t, ctx, e, 2*loops*tasks*each*2)
		})
	}
}

func TestAnEngineWorksInTheMainFunctionOfALoop(t *testing.T) {
	require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
		e := dbtest.Open(t, ctx, "sqlite://")
		dbtest.Exec(t, ctx, e, items)
		return addAndSelect(ctx, e, "main")
	}))
}

func TestAnEndedContextStartsNothing(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		why := errors.New("too late")
		own, cancel := context.WithCancelCause(ctx)
		cancel(why)
		acquired := e.Stats().Acquired
		_, err := e.Exec(own, insertItem, value("a"))
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, err, why)
		_, err = e.Connect(own)
		require.ErrorIs(t, err, why)
		require.ErrorIs(t, e.InTx(own, nil), why)
		require.ErrorIs(t, e.QueryRow(own, countItems).Scan(nil), why)
		require.Equal(t, acquired, e.Stats().Acquired)
		requireItems(t, ctx, e, 0)
	})
}

func TestADeadlineInterruptsAQuery(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		_, err := e.Query(short, endless)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, db.ErrTimeout)
		require.ErrorContains(t, err, "with recursive")
		require.NoError(t, addAndSelect(ctx, e, "again"))
	})
}

// Half of the callers are cancelled at some moment: while they wait for their turn, while they wait
// for a connection, in the statement, or after it.
func TestCancelledCallersDisturbNobody(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		const n = 400
		var cancelled atomic.Int64
		require.NoError(t, c.Together(ctx, n, func(ctx context.Context, i int) error {
			own := ctx
			if i%2 == 1 {
				var cancel context.CancelFunc
				own, cancel = context.WithCancel(ctx)
				defer cancel()
				soon := c.Go(ctx, func(ctx context.Context) error {
					for range i % 20 {
						_ = repaint.Sleep(context.WithoutCancel(ctx), 0)
					}
					cancel()
					return nil
				})
				defer soon()
			}
			err := addAndSelect(own, e, fmt.Sprint(i))
			if i%2 == 1 && errors.Is(err, context.Canceled) {
				cancelled.Add(1)
				return nil
			}
			return err
		}))
		t.Logf("%d of %d were cancelled, %d connections made", cancelled.Load(), n/2, e.Stats().Connects)
		require.Zero(t, e.Stats().InUse)
		require.Zero(t, e.Stats().Waiting)
		requireItemsAtLeast(t, ctx, e, n/2)
	})
}

type panics struct{}

func (panics) Value() (driver.Value, error) { panic("mine") }

func TestAPanicInAnArgumentIsTheCallersAndTheEngineGoesOn(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		require.PanicsWithValue(t, "mine", func() {
			_, _ = e.Exec(ctx, insertItem, db.Named("value", panics{}))
		})
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		require.PanicsWithValue(t, "mine", func() {
			_, _ = conn.Exec(ctx, insertItem, db.Named("value", panics{}))
		})
		require.NoError(t, conn.Close())
		require.NoError(t, addAndSelect(ctx, e, "again"))
		require.Zero(t, e.Stats().InUse)
	})
}

func TestAPanicInTheDriverLosesOnlyItsConnection(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := &dbtest.Fake{OnDo: func(_ context.Context, _ *dbtest.FakeSession, c *backend.Call) error {
			if c.Statement.Text == "panic" {
				panic("driver")
			}
			return nil
		}}
		e := dbtest.Open(t, ctx, f.Register(), db.PoolSize(1), db.MaxOverflow(0))
		require.Panics(t, func() { _, _ = e.Exec(ctx, "panic") })
		_, err := e.Exec(ctx, "fine")
		require.NoError(t, err)
		require.Panics(t, func() {
			_ = e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "panic")
				return err
			})
		})
		_, err = e.Exec(ctx, "fine")
		require.NoError(t, err)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		tx, err := conn.BeginTx(ctx)
		require.NoError(t, err)
		require.Panics(t, func() { _, _ = tx.Exec(ctx, "panic") })
		_, err = tx.Exec(ctx, "fine")
		require.ErrorIs(t, err, db.ErrTxDone)
		require.ErrorContains(t, err, "has left a call in the middle")
		_, err = conn.Exec(ctx, "fine")
		require.ErrorIs(t, err, db.ErrClosed)
		require.ErrorContains(t, err, "the Conn is closed, because a panic")
		require.NoError(t, conn.Close())
		_, err = e.Exec(ctx, "fine")
		require.NoError(t, err)
		require.Equal(t, int64(4), f.Connects.Load())
		require.Equal(t, int64(1), f.Open.Load())
	})
}

func TestAStatementThatNeverReachedTheDatabaseIsTriedAgain(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := &dbtest.Fake{}
		f.OnDo = func(_ context.Context, s *dbtest.FakeSession, _ *backend.Call) error {
			if s.ID < 3 {
				s.State = backend.Broken
				return driver.ErrBadConn
			}
			return nil
		}
		e := dbtest.Open(t, ctx, f.Register())
		id, err := db.Scalar[int](ctx, e, "x")
		require.NoError(t, err)
		require.Equal(t, 3, id)

		f.OnDo = func(_ context.Context, s *dbtest.FakeSession, _ *backend.Call) error {
			s.State = backend.Broken
			return driver.ErrBadConn
		}
		_, err = e.Exec(ctx, "x")
		require.ErrorIs(t, err, db.ErrDisconnected, "but not forever")
	})
}

func TestAScriptRunsAllItsStatements(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		_, err := e.Exec(ctx, `
			create table t(v text); -- a comment; with a semicolon
			insert into t values ('a;b');
			create trigger double after insert on t begin
				insert into t select new.v where (select count(*) from t) < 3;
			end;
			insert into t values ('c');
		`)
		require.NoError(t, err)
		n, err := db.Scalar[int](ctx, e, "select count(*) from t")
		require.NoError(t, err)
		require.Equal(t, 3, n)

		_, err = e.Exec(ctx, "insert into t values (:a); insert into t values (:b)", db.Named("a", 1), db.Named("b", 2))
		require.ErrorContains(t, err, "script of 2 statements, which takes no parameters")
		_, err = e.Query(ctx, "select 1; select 2")
		require.ErrorIs(t, err, db.ErrMisuse)
	})
}

func TestResultTellsRowsAffectedAndLastInsertID(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		r, err := e.Exec(ctx, "insert into items(value) values ('a'), ('b')")
		require.NoError(t, err)
		require.Equal(t, int64(2), r.RowsAffected())
		id, err := r.LastInsertID()
		require.NoError(t, err)
		require.Equal(t, int64(2), id)

		r, err = e.Exec(ctx, "update items set value = 'c'")
		require.NoError(t, err)
		require.Equal(t, int64(2), r.RowsAffected())
		_, err = r.LastInsertID()
		require.ErrorIs(t, err, db.ErrMisuse, "SQLite would give the one of the insert before")

		r, err = e.Exec(ctx, "create table other(id integer)")
		require.NoError(t, err)
		require.Zero(t, r.RowsAffected())
	})
}

func TestOpenFailsAtOnceIfTheDatabaseCantBeOpened(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		_, err := db.Open(ctx, "sqlite:////no/such/directory/file.db")
		require.ErrorContains(t, err, "db: connect to sqlite:////no/such/directory/file.db: unable to open")
		f := &dbtest.Fake{OnConnect: func(context.Context) error { return errors.New("no") }}
		_, err = db.Open(ctx, f.Register())
		require.ErrorContains(t, err, "no")
	})
}

func TestEnginesLeaveNothingBehind(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		leakcheck.Repeat(t, func() {
			e, err := db.Open(ctx, "sqlite://")
			require.NoError(t, err)
			dbtest.Exec(t, ctx, e, items)
			require.NoError(t, c.Together(ctx, 10, func(ctx context.Context, i int) error {
				return addAndSelect(ctx, e, fmt.Sprint(i))
			}))
			require.NoError(t, e.Close(ctx))
		})
	})
}
