package db_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	_ "github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

// slow has a slow query for each dialect. It returns 1, in one row.
var slow = map[string]string{
	"sqlite":   "with recursive c(n) as (select 1 union all select n+1 from c where n < 3000) select min(n) as one from c",
	"postgres": "select 1 as one from pg_sleep(0.03)",
	"mysql":    "select 1 + sleep(0.03) as one",
	"mariadb":  "select 1 + sleep(0.03) as one",
}

// onAVirtualClock runs a test in a loop with a virtual clock on each database. opts are further
// options of the loop.
func onAVirtualClock(t *testing.T, test func(t *testing.T, ctx context.Context, url string), opts ...loop.Option) {
	urls := map[string]func(t *testing.T) string{
		"memory":   func(*testing.T) string { return "sqlite://" },
		"file":     func(t *testing.T) string { return dbtest.File(t) },
		"postgres": func(t *testing.T) string { return testserver.Postgres(t).Database(t).URL() },
		"mariadb":  func(t *testing.T) string { return testserver.MariaDB(t).Database(t).URL() },
	}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			url := url(t)
			leakcheck.Test(t)
			require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
				test(t, ctx, url)
				return nil
			}, append(opts, loop.VirtualClock(time.Unix(0, 0)))...))
		})
	}
}

// elapsed returns how much virtual time has passed.
func elapsed() time.Duration { return repaint.CurrentLoop().Now().Sub(time.Unix(0, 0)) }

func TestAVirtualClockStandsStillForStatements(t *testing.T) {
	onAVirtualClock(t, func(t *testing.T, real context.Context, url string) {
		ctx, cancel := repaint.WithTimeout(real, time.Hour)
		defer cancel()
		e, err := db.Open(ctx, url) // Open connects
		require.NoError(t, err)
		defer e.Close(real)
		one := func(q db.Querier) {
			t.Helper()
			v, err := db.Scalar[int](ctx, q, slow[e.Dialect().Name()])
			require.NoError(t, err)
			require.Equal(t, 1, v)
			require.Zero(t, elapsed())
		}
		one(e)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		one(conn)
		require.NoError(t, conn.Close())
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			one(tx) // sends BEGIN first
			one(tx)
			return nil
		}))
		rows, err := e.Stream(ctx, slow[e.Dialect().Name()])
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.False(t, rows.Next())
		require.NoError(t, rows.Close())
		_, err = repaint.Gather(ctx, func(ctx context.Context) (int, error) { return db.Scalar[int](ctx, e, slow[e.Dialect().Name()]) },
			func(ctx context.Context) (int, error) { return db.Scalar[int](ctx, e, slow[e.Dialect().Name()]) })
		require.NoError(t, err)
		require.Zero(t, elapsed())
	})
}

func TestAWaitForAConnectionPassesInVirtualTime(t *testing.T) {
	onAVirtualClock(t, func(t *testing.T, ctx context.Context, url string) {
		e, err := db.Open(ctx, url, db.PoolSize(1), db.MaxOverflow(0))
		require.NoError(t, err)
		defer e.Close(ctx)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		owner := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			defer conn.Close()
			return 0, repaint.Sleep(ctx, time.Hour)
		})
		within := func(d time.Duration) error {
			ctx, cancel := repaint.WithTimeout(ctx, d)
			defer cancel()
			c, err := e.Connect(ctx)
			if err == nil {
				err = c.Close()
			}
			return err
		}
		require.ErrorIs(t, within(time.Minute), context.DeadlineExceeded)
		require.Equal(t, time.Minute, elapsed())
		require.NoError(t, within(2*time.Hour))
		require.Equal(t, time.Hour, elapsed())
		_, err = repaint.Await(ctx, owner)
		require.NoError(t, err)
	})
}

func TestAWaitForTheTurnToWritePassesInVirtualTime(t *testing.T) {
	for _, url := range []func(t *testing.T) string{func(*testing.T) string { return "sqlite://" }, func(t *testing.T) string { return dbtest.File(t) }} {
		url := url(t)
		leakcheck.Test(t)
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			e, err := db.Open(ctx, url)
			require.NoError(t, err)
			defer e.Close(ctx)
			dbtest.Items(t, ctx, e, e)
			writer := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				return 0, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					dbtest.Exec(t, ctx, tx, "insert into items(value) values ('x')")
					return repaint.Sleep(ctx, time.Hour)
				})
			})
			within := func(d time.Duration, statement string) error {
				ctx, cancel := repaint.WithTimeout(ctx, d)
				defer cancel()
				_, err := e.Exec(ctx, statement)
				return err
			}
			for elapsed() == 0 { // waits until the writer sleeps
				require.NoError(t, repaint.Sleep(ctx, time.Second))
			}
			begin := elapsed()
			require.ErrorIs(t, within(time.Minute, "delete from items"), context.DeadlineExceeded)
			require.Equal(t, begin+time.Minute, elapsed())
			if strings.HasPrefix(url, "sqlite://") && !strings.HasPrefix(url, "sqlite:///") { // in memory, readers wait too
				require.ErrorIs(t, within(time.Minute, "select * from items"), context.DeadlineExceeded)
				require.Equal(t, begin+2*time.Minute, elapsed())
			}
			require.NoError(t, within(2*time.Hour, "delete from items"))
			require.GreaterOrEqual(t, elapsed(), time.Hour)
			_, err = repaint.Await(ctx, writer)
			return err
		}, loop.VirtualClock(time.Unix(0, 0))))
	}
}

func TestADeadlockIsFoundAfterStatementsOnAVirtualClock(t *testing.T) {
	onAVirtualClock(t, func(t *testing.T, ctx context.Context, url string) {
		e, err := db.Open(ctx, url)
		require.NoError(t, err)
		defer e.Close(ctx)
		never := loop.NewPromise[int](repaint.CurrentLoop())
		waiter := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			if _, err := db.Scalar[int](ctx, e, slow[e.Dialect().Name()]); err != nil {
				return 0, err
			}
			return repaint.Await(ctx, never.Future())
		})
		_, err = repaint.Await(ctx, waiter)
		require.ErrorIs(t, err, loop.ErrDeadlock)
	})
}

// A noLocks is a [loop.Prober] of a test whose statements never wait for a lock, so that an answer
// that is late is only slow.
type noLocks struct{}

func (noLocks) StuckRequests() int { return 0 }

func TestOneSeedGivesOneOrderOfStatements(t *testing.T) {
	for seed := range uint64(3) {
		orders := make(map[string]map[string]int)
		for range 10 {
			onAVirtualClock(t, func(t *testing.T, ctx context.Context, url string) {
				defer repaint.CurrentLoop().Bridge().Probe(noLocks{})()
				e, err := db.Open(ctx, url)
				require.NoError(t, err)
				defer e.Close(ctx)
				dbtest.Exec(t, ctx, e, "create table seen(id integer, step integer)")
				var order []string
				var fns []func(context.Context) (int, error)
				for id := range 5 {
					fns = append(fns, func(ctx context.Context) (int, error) {
						for step := range 3 {
							if _, err := e.Exec(ctx, fmt.Sprintf("insert into seen values (%d, %d)", id, step)); err != nil {
								return 0, err
							}
							n, err := db.Scalar[int](ctx, e, "select count(*) from seen")
							if err != nil {
								return 0, err
							}
							order = append(order, fmt.Sprint(id, ".", step, "=", n))
						}
						return 0, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
							n, err := db.Scalar[int](ctx, tx, "select count(*) from seen")
							order = append(order, fmt.Sprint(id, "=", n))
							return err
						})
					})
				}
				_, err = repaint.Gather(ctx, fns...)
				require.NoError(t, err)
				name := t.Name()[strings.LastIndexByte(t.Name(), '/')+1:]
				name, _, _ = strings.Cut(name, "#")
				if orders[name] == nil {
					orders[name] = make(map[string]int)
				}
				orders[name][strings.Join(order, " ")]++
			}, loop.Seed(seed))
		}
		for name, all := range orders {
			require.Len(t, all, 1, "%s, seed %d", name, seed)
		}
	}
}
