package pg

import (
	"context"
	"fmt"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

// A census counts the connections that the server knows, all the time.
type census struct {
	most atomic.Int64
	end  context.CancelFunc
	err  chan error
}

// takeCensus counts the connections of a name until the test ends, and then checks that there were
// never more than limit.
func takeCensus(t *testing.T, target testserver.Target, name string, limit int) {
	ctx, end := context.WithCancel(context.Background())
	c := &census{end: end, err: make(chan error, 1)}
	conn, err := pgx.Connect(ctx, target.URL())
	require.NoError(t, err)
	go func() {
		defer conn.Close(context.Background())
		for ctx.Err() == nil {
			var n int64
			err := conn.QueryRow(context.Background(), "select count(*) from pg_stat_activity where application_name = $1", name).Scan(&n)
			if err != nil {
				c.err <- err
				return
			}
			c.most.Store(max(c.most.Load(), n))
		}
		c.err <- nil
	}()
	t.Cleanup(func() {
		c.end()
		require.NoError(t, <-c.err)
		require.LessOrEqual(t, c.most.Load(), int64(limit), "connections at the server")
		require.Positive(t, c.most.Load())
	})
}

// shared opens a DB whose lanes and sessions share n connections, which a census counts.
func shared(t *testing.T, n int, options string) *DB {
	target := testserver.Postgres(t).Database(t)
	takeCensus(t, target, "shared", n)
	return openAt(t, target.URL()+"&application_name=shared&pool_max_conns="+strconv.Itoa(n)+options)
}

// openAtOnce begins transactions until n are open at the same time, and then ends them.
func openAtOnce(ctx context.Context, c colour, db *DB, n int) (errs []error) {
	all := loop.NewPromise[struct{}](nil)
	var open atomic.Int64
	return c.together(ctx, n, func(ctx context.Context, _ int) error {
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "select 1"); err != nil {
				return err
			}
			if open.Add(1) == int64(n) {
				all.Resolve(struct{}{})
			}
			for open.Load() < int64(n) {
				if err := ctx.Err(); err != nil {
					return err
				}
				if _, err := tx.Exec(ctx, "select 1"); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

func requireAll(t *testing.T, errs []error) {
	t.Helper()
	for _, err := range errs {
		require.NoError(t, err)
	}
}

// Transactions alone get all connections but one, also those that lanes had before.
func TestTransactionsGetThePlacesOfIdleLanes(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db := shared(t, 8, "&pool_min_lanes=4")
		until(t, ctx, "there are lanes", func() bool { return db.Stats().Lanes == 4 })
		requireAll(t, openAtOnce(ctx, c, db, 7))
		st := db.Stats()
		require.Equal(t, []int{8, 7, 7}, []int{st.MaxConns, st.MaxSessions, st.MaxLanes})
		require.Equal(t, 7, st.Sessions)
		require.EqualValues(t, 3, st.Yielded)
		require.NoError(t, db.Ping(ctx), "a lane is left")
	})
}

// While transactions hold all places that they can have, statements go on, also if the last lane is
// lost.
func TestALaneHasAPlaceWhateverSessionsHold(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db := shared(t, 4, "")
		for range 3 {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			defer s.Release()
		}
		for range 3 {
			var pid uint32
			require.NoError(t, db.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid))
			db.Reset()
			until(t, ctx, "the lane is gone", func() bool { l, _ := db.pids(); return !l[pid] })
		}
		short, end := context.WithTimeout(ctx, 50*time.Millisecond)
		defer end()
		_, err := db.Acquire(short)
		var full *ExhaustedError
		require.ErrorAs(t, err, &full)
		require.Equal(t, []int{3, 3}, []int{full.InUse, full.Most})
		require.ErrorContains(t, err, "raise pool_max_conns=4")
	})
}

// Slow statements get the places of idle sessions.
func TestLanesGetThePlacesOfIdleSessions(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db := shared(t, 8, "&pipeline_depth=1")
		requireAll(t, openAtOnce(ctx, c, db, 7))
		require.Equal(t, 7, db.Stats().IdleSessions)
		var enough atomic.Bool
		requireAll(t, c.together(ctx, 20, func(ctx context.Context, _ int) error {
			for !enough.Load() {
				if _, err := db.Exec(ctx, "select pg_sleep(0.003)"); err != nil {
					return err
				}
				enough.Store(enough.Load() || db.Stats().Lanes >= 6)
			}
			return nil
		}))
	})
}

// Lanes that were lent come back when statements wait, though callers wait for each session that is
// given back.
func TestLanesGetTheirQuarterBackFromBusySessions(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db := shared(t, 8, "&pipeline_depth=1")
		requireAll(t, openAtOnce(ctx, c, db, 7))
		var enough atomic.Bool
		requireAll(t, c.together(ctx, 40, func(ctx context.Context, i int) error {
			for !enough.Load() {
				if i < 20 {
					if err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
						_, err := tx.Exec(ctx, "select pg_sleep(0.001)")
						return err
					}); err != nil {
						return err
					}
					continue
				}
				if _, err := db.Exec(ctx, "select pg_sleep(0.003)"); err != nil {
					return err
				}
				enough.Store(enough.Load() || db.Stats().Lanes >= 2)
			}
			return nil
		}))
	})
}

// All kinds of calls at once: none starves, and the limit holds, also while connections are
// replaced, spoiled and closed.
func TestPlacesUnderMixedLoad(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db := shared(t, 6, "&pool_max_conn_lifetime=150ms&pool_max_conn_idle_time=100ms")
		_, err := db.Exec(ctx, "create table t (i int)")
		require.NoError(t, err)
		const callers = 24
		var done [callers]atomic.Int64
		requireAll(t, c.together(ctx, callers, func(ctx context.Context, i int) error {
			for round := 0; ; round++ {
				if err := mixed(ctx, db, i, round); err != nil {
					return fmt.Errorf("caller %d: %w", i, err)
				}
				done[i].Add(1)
				least := done[0].Load()
				for j := range done {
					least = min(least, done[j].Load())
				}
				if least >= 30 {
					return nil
				}
			}
		}))
		st := db.Stats()
		require.Positive(t, st.Yielded)
		require.Positive(t, st.LifetimeClosed)
		require.Zero(t, st.ConnectErrors+st.SessionConnectErrors)
	})
}

// mixed is one call of a caller.
func mixed(ctx context.Context, db *DB, i, round int) error {
	switch i % 6 {
	case 0, 1, 2: // transactions, now and then of many callers at once
		return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, "insert into t values ($1)", i)
			return err
		})
	case 3:
		_, err := db.Exec(ctx, "select pg_sleep(0.004)")
		return err
	case 4:
		s, err := db.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		if _, err := s.Exec(ctx, "set work_mem = '1MB'"); err != nil {
			return err
		}
		if round%5 == 0 {
			return s.Close(ctx)
		}
		return nil
	}
	var n int
	return db.QueryRow(ctx, "select count(*) from t where i = $1", round).Scan(&n)
}

// A virtual clock doesn't run while a caller waits for the place of a lane.
func TestVirtualClockWaitsForAPlace(t *testing.T) {
	withVirtualClock(t, func(t *testing.T, ctx context.Context, c colour) {
		db := shared(t, 4, "&pool_min_lanes=3")
		until(t, ctx, "there are lanes", func() bool { return db.Stats().Lanes == 3 })
		first, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer first.Release()
		long, end := repaint.WithTimeout(ctx, time.Hour)
		defer end()
		second, err := db.Acquire(long)
		require.NoError(t, err)
		second.Release()
	})
}
