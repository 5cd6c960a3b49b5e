package sqlite_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"modernc.org/sqlite"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/loop"
)

// countTo takes longer the larger its parameter is.
const countTo = "with recursive n(i) as (select 1 union all select i + 1 from n where i < :n) select count(*) from n"

// inLoop calls fn in a loop of its own, for a limited time.
func inLoop(t *testing.T, fn func(ctx context.Context) error, opts ...loop.Option) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	require.NoError(t, repaint.Run(ctx, fn, opts...))
}

// everythingIsShort makes every call short, however slow the machine is.
var everythingIsShort = db.InlineLimit(time.Hour)

// untilInline calls fn until one call of it makes the given number of inline calls.
func untilInline(ctx context.Context, e *db.Engine, calls int64, fn func() error) error {
	for {
		before := e.Stats().Calls.Inline
		if err := fn(); err != nil {
			return err
		}
		if e.Stats().Calls.Inline == before+calls {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

func TestAShortStatementIsMadeOnTheSpotInALoop(t *testing.T) {
	for _, where := range []string{"sqlite://", dbtest.File(t)} {
		e := dbtest.Open(t, context.Background(), where, everythingIsShort)
		dbtest.Exec(t, context.Background(), e, "create table t(id integer primary key, v text)")
		inLoop(t, func(ctx context.Context) error {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				_, err := e.Exec(ctx, "insert into t(v) values (:v)", db.Named("v", "one"))
				require.NoError(t, err)
				begun := e.Stats().Calls
				require.Zero(t, begun.Inline, "what is new is offloaded")
				require.Positive(t, begun.Offloaded)
				runs := 0
				return 0, untilInline(ctx, e, 1, func() error {
					runs++
					v, err := db.Scalar[string](ctx, e, "select v from t where id = :id", db.Named("id", 1))
					require.Equal(t, "one", v)
					if e.Stats().Calls.Inline > 0 {
						require.Greater(t, runs, 8, "one run doesn't say that it is short")
					}
					return err
				})
			}))
			return err
		})
		require.Positive(t, e.Stats().Calls.InlineTime)
	}
}

func TestNothingIsMadeOnTheSpotWhereTheOrderIsToBeKnown(t *testing.T) {
	for _, opt := range []loop.Option{loop.VirtualClock(time.Unix(0, 0)), loop.Seed(1)} {
		e := dbtest.Open(t, context.Background(), "sqlite://", everythingIsShort)
		inLoop(t, func(ctx context.Context) error {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				for range 100 {
					if _, err := db.Scalar[int](ctx, e, "select 1"); err != nil {
						return 0, err
					}
				}
				return 0, nil
			}))
			return err
		}, opt)
		require.Zero(t, e.Stats().Calls.Inline)
		require.EqualValues(t, 100, e.Stats().Calls.Offloaded)
	}
}

func TestAStatementThatTurnsOutLongIsOffloadedAgain(t *testing.T) {
	e := dbtest.Open(t, context.Background(), "sqlite://", db.InlineLimit(200*time.Millisecond))
	var held atomic.Pointer[loop.HeldError]
	report := loop.ReportTo(func(err error) {
		if h, ok := errors.AsType[*loop.HeldError](err); ok && h.Call != "" {
			held.Store(h)
		}
	})
	inLoop(t, func(ctx context.Context) error {
		count := func(n int) error {
			got, err := db.Scalar[int](ctx, e, countTo, db.Named("n", n))
			require.Equal(t, n, got)
			return err
		}
		for n := 1 << 16; e.Stats().Calls.Overlong == 0 || held.Load() == nil; n *= 2 { // until the call is long on this machine
			if err := untilInline(ctx, e, 1, func() error { return count(1) }); err != nil {
				return err
			}
			if err := count(n); err != nil {
				return err
			}
		}
		at := e.Stats().Calls
		require.NoError(t, count(1))
		require.Equal(t, at.Inline, e.Stats().Calls.Inline, "one long run sends it back")
		require.Equal(t, at.Offloaded+1, e.Stats().Calls.Offloaded)
		return nil
	}, loop.Debug(10*time.Millisecond), report)
	require.Contains(t, held.Load().Call, "with recursive")
	require.Contains(t, held.Load().Error(), "on the spot")
}

func TestATransactionOfShortCallsEndsOnTheSpot(t *testing.T) {
	e := dbtest.Open(t, context.Background(), "sqlite://", everythingIsShort)
	dbtest.Exec(t, context.Background(), e, "create table t(v int)")
	inLoop(t, func(ctx context.Context) error {
		add := func(fn func(tx *db.Tx) error) (inline, offloaded int64, err error) {
			before := e.Stats().Calls
			err = e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return fn(tx) })
			after := e.Stats().Calls
			return after.Inline - before.Inline, after.Offloaded - before.Offloaded, err
		}
		known := func(tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into t values (1)")
			return err
		}
		if err := untilInline(ctx, e, 2, func() error {
			_, _, err := add(known)
			return err
		}); err != nil {
			return err
		}
		inline, offloaded, err := add(func(tx *db.Tx) error {
			if err := known(tx); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "insert into t values (2)")
			return err
		})
		require.EqualValues(t, 2, inline, "the statement that is known and the commit")
		require.EqualValues(t, 1, offloaded, "the new statement, which turns out short")
		if err != nil {
			return err
		}
		inline, _, err = add(func(tx *db.Tx) error {
			if err := known(tx); err != nil {
				return err
			}
			_, err := db.ExecMany(ctx, tx, "insert into t values (:v)", []struct {
				V int `db:"v"`
			}{{3}, {4}})
			return err
		})
		require.EqualValues(t, 1, inline, "the statement that is known; the commit ends more than that")
		return err
	})
}

func TestAStatementThatIsAlwaysLongIsAlwaysOffloaded(t *testing.T) {
	e := dbtest.Open(t, context.Background(), "sqlite://", db.InlineLimit(time.Nanosecond))
	inLoop(t, func(ctx context.Context) error {
		for range 100 {
			if _, err := db.Scalar[int](ctx, e, "select 1"); err != nil {
				return err
			}
		}
		return nil
	})
	require.Zero(t, e.Stats().Calls.Inline)
	require.EqualValues(t, 100, e.Stats().Calls.Offloaded)
}

func TestInlineLimitOfZeroOffloadsAllCalls(t *testing.T) {
	e := dbtest.Open(t, context.Background(), "sqlite://", db.InlineLimit(0))
	inLoop(t, func(ctx context.Context) error {
		for range 20 {
			if _, err := db.Scalar[int](ctx, e, "select 1"); err != nil {
				return err
			}
		}
		return nil
	})
	require.Zero(t, e.Stats().Calls.Inline)
	require.EqualValues(t, 20, e.Stats().Calls.Offloaded)
}

// foreign opens the file of a URL as another program would.
func foreign(t *testing.T, name string) *sql.Conn {
	pool, err := sql.Open("sqlite", "file:"+filepath.ToSlash(name))
	require.NoError(t, err)
	t.Cleanup(func() { pool.Close() })
	c, err := pool.Conn(context.Background())
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c
}

func TestALockOfAnotherProcessDoesntHoldTheLoop(t *testing.T) {
	for _, c := range []struct{ name, options, takes, text string }{
		{"a writer", "?journal_mode=wal", "begin immediate", "insert into t(v) values (7)"},
		{"a reader, at the commit", "?journal_mode=delete", "begin; select * from t", "insert into t(v) values (7)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "locked.db")
			e := dbtest.Open(t, context.Background(), "sqlite:///"+filepath.ToSlash(file)+c.options+"&busy_timeout=60s", everythingIsShort)
			dbtest.Exec(t, context.Background(), e, "create table t(v int)", "insert into t values (1)")
			other := foreign(t, file)
			inLoop(t, func(ctx context.Context) error {
				write := func() error {
					return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
						_, err := tx.Exec(ctx, c.text)
						return err
					})
				}
				if err := untilInline(ctx, e, 2, write); err != nil {
					return err
				}
				rows, err := db.Scalar[int](ctx, e, "select count(*) from t")
				require.NoError(t, err)
				if _, err := other.ExecContext(ctx, c.takes); err != nil {
					return err
				}
				waits := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, write() })
				for e.Stats().Calls.Refused == 0 {
					if err := repaint.Sleep(ctx, time.Millisecond); err != nil {
						return err
					}
				}
				require.False(t, waits.Done())
				if _, err := other.ExecContext(ctx, "rollback"); err != nil {
					return err
				}
				if _, err := repaint.Await(ctx, waits); err != nil {
					return err
				}
				after, err := db.Scalar[int](ctx, e, "select count(*) from t")
				require.Equal(t, rows+1, after)
				return err
			})
		})
	}
}

func TestATaskThatAsksAgainAndAgainLetsOthersRun(t *testing.T) {
	e := dbtest.Open(t, context.Background(), "sqlite://", everythingIsShort)
	inLoop(t, func(ctx context.Context) error {
		done := false
		asks := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			for !done {
				if _, err := db.Scalar[int](ctx, e, "select 1"); err != nil {
					return 0, err
				}
			}
			return 0, nil
		})
		for range 200 {
			if err := repaint.Sleep(ctx, 0); err != nil {
				return err
			}
		}
		done = true
		_, err := repaint.Await(ctx, asks)
		return err
	})
}

// ends is called by the SQL function inline_test_ends.
var ends atomic.Pointer[context.CancelFunc]

func init() {
	sqlite.MustRegisterScalarFunction("inline_test_ends", 0, func(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
		if end := ends.Load(); end != nil {
			(*end)()
		}
		return int64(1), nil
	})
}

func TestAContextThatEndsDuringACallOnTheSpotLeavesTheConnectionWell(t *testing.T) {
	e := dbtest.Open(t, context.Background(), "sqlite://", everythingIsShort)
	inLoop(t, func(ctx context.Context) error {
		const text = "select inline_test_ends()"
		if err := untilInline(ctx, e, 1, func() error {
			_, err := db.Scalar[int](ctx, e, text)
			return err
		}); err != nil {
			return err
		}
		before := e.Stats()
		short, cancel := context.WithCancel(ctx)
		ends.Store(&cancel)
		defer ends.Store(nil)
		v, err := db.Scalar[int](short, e, text)
		require.NoError(t, err)
		require.Equal(t, 1, v)
		require.Equal(t, before.Calls.Inline+1, e.Stats().Calls.Inline)
		_, err = db.Scalar[int](short, e, text)
		require.ErrorIs(t, err, context.Canceled)
		_, err = db.Scalar[int](ctx, e, text)
		require.Equal(t, before.Discarded, e.Stats().Discarded)
		return err
	})
}

func TestTransactionsOnTheSpot(t *testing.T) {
	for _, where := range []string{"sqlite://", dbtest.File(t)} {
		e := dbtest.Open(t, context.Background(), where, everythingIsShort)
		dbtest.Exec(t, context.Background(), e, "create table t(id integer primary key, v int)", "insert into t values (1, 0)")
		inLoop(t, func(ctx context.Context) error {
			failed := errors.New("failed")
			add := func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "update t set v = v + 1 where id = 1")
				return err
			}
			wanted := 0
			round := func() error {
				wanted++
				return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					if err := add(ctx, tx); err != nil {
						return err
					}
					undone := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
						require.NoError(t, add(ctx, tx))
						return failed
					})
					require.ErrorIs(t, undone, failed)
					return nil
				})
			}
			// The calls are an update, a savepoint, an update, its rollback and the commit.
			if err := untilInline(ctx, e, 5, round); err != nil {
				return err
			}
			back := func() error {
				err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					require.NoError(t, add(ctx, tx))
					return failed
				})
				require.ErrorIs(t, err, failed)
				return nil
			}
			if err := untilInline(ctx, e, 2, back); err != nil {
				return err
			}
			var all []*repaint.Task[int]
			for range 50 {
				wanted += 4
				all = append(all, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					for range 4 {
						if err := e.InTx(ctx, add); err != nil {
							return 0, err
						}
					}
					return 0, nil
				}))
			}
			for _, task := range all {
				if _, err := repaint.Await(ctx, task); err != nil {
					return err
				}
			}
			v, err := db.Scalar[int](ctx, e, "select v from t")
			require.Equal(t, wanted, v)
			return err
		})
		require.Zero(t, e.Stats().InUse)
	}
}
