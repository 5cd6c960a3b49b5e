package pg

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// pids returns the server processes of all connections.
func (db *DB) pids() (lanes, sessions map[uint32]bool) {
	of := func(s *line, into map[uint32]bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, c := range s.conns {
			into[c.w.pid] = true
		}
	}
	lanes, sessions = map[uint32]bool{}, map[uint32]bool{}
	of(db.lanes.line, lanes)
	for _, s := range db.pool.list() {
		of(s, sessions)
	}
	return lanes, sessions
}

// Lanes and sessions are replaced at the end of their lifetime while callers use them. The callers
// see no error, and there is never more than one lane above the limit.
func TestLifetimes(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=2&pool_sessions=2&pool_max_conn_lifetime=60ms&pool_max_conn_lifetime_jitter=20ms")
		lanes, sessions := map[uint32]bool{}, map[uint32]bool{}
		var enough atomic.Bool
		errs := c.together(ctx, 8, func(ctx context.Context, i int) error {
			for !enough.Load() {
				if i < 4 {
					var pid uint32
					if err := db.QueryRow(ctx, "select pg_backend_pid()").Scan(&pid); err != nil {
						return err
					}
				} else if err := pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
					_, err := tx.Exec(ctx, "select 1")
					return err
				}); err != nil {
					return err
				}
				if i == 0 {
					st := db.Stats()
					if st.Lanes > 2 || st.Lanes+st.RetiringLanes > 3 || st.Sessions > 2 {
						return fmt.Errorf("too many connections: %+v", st)
					}
					l, s := db.pids()
					for pid := range l {
						lanes[pid] = true
					}
					for pid := range s {
						sessions[pid] = true
					}
					enough.Store(len(lanes) >= 8 && len(sessions) >= 8)
				}
			}
			return nil
		})
		for _, err := range errs {
			require.NoError(t, err)
		}
		st := db.Stats()
		require.GreaterOrEqual(t, st.LifetimeClosed, uint64(12))
		require.Zero(t, st.Lost, "they were closed in order")
		require.Zero(t, st.ConnectErrors+st.SessionConnectErrors)
	})
}

// A lane whose lifetime ends while a statement runs finishes that statement. Meanwhile others go
// on, on another lane.
func TestLaneFinishesItsAnswersAtTheEndOfItsLifetime(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pool_max_conn_lifetime=80ms")
		unlock := lock(t, ctx, target)
		wait := c.start(ctx, waits(db))
		until(t, ctx, "it runs", func() bool { return db.written() == 1 })
		until(t, ctx, "the lane is replaced", func() bool { st := db.Stats(); return st.Lanes == 1 && st.RetiringLanes == 1 })
		for range 10 {
			require.NoError(t, db.Ping(ctx))
		}
		unlock()
		require.NoError(t, wait())
		until(t, ctx, "the old lane is gone", func() bool { return db.Stats().RetiringLanes == 0 })
		require.Zero(t, db.Stats().Lost)
	})
}

// A lane stays, however old, while no other one can be opened.
func TestLaneOutlivesItsLifetimeIfTheServerTakesNoOther(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		proxy := faultproxy.New(t, target.Addr())
		target.Host, target.Port = proxy.Host(), proxy.Port()
		db := openAt(t, target.URL()+"&pool_lanes=1&pool_max_conn_lifetime=50ms&pool_health_check_period=1h")
		require.NoError(t, db.Ping(ctx))
		proxy.Refuse()
		// Until then, another lane that had been dialled before may still take its place.
		until(t, ctx, "the first is refused", func() bool { return db.Stats().ConnectErrors >= 1 })
		before, _ := db.pids()
		until(t, ctx, "it has tried twice more", func() bool { return db.Stats().ConnectErrors >= 3 })
		require.NoError(t, db.Ping(ctx))
		after, _ := db.pids()
		require.Equal(t, before, after)
	})
}

func TestReset(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=2&pool_sessions=3&pipeline_depth=1")
		unlock := lock(t, ctx, target)
		running := []func() error{c.start(ctx, waits(db)), c.start(ctx, waits(db))}
		until(t, ctx, "both lanes are busy", func() bool { return db.written() == 2 })
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "create temp table mine (id int) on commit drop")
		require.NoError(t, err)
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		s.Release()
		oldLanes, oldSessions := db.pids()
		db.Reset()
		require.NoError(t, db.Ping(ctx), "on a lane that has been opened since")
		_, err = tx.Exec(ctx, "insert into mine values (1)")
		require.NoError(t, err, "what runs goes on")
		require.NoError(t, tx.Commit(ctx))
		unlock()
		for _, wait := range running {
			require.NoError(t, wait())
		}
		s, err = db.Acquire(ctx)
		require.NoError(t, err)
		require.NotContains(t, oldSessions, s.PID())
		s.Release()
		until(t, ctx, "all are new", func() bool {
			lanes, sessions := db.pids()
			for pid := range oldLanes {
				if lanes[pid] {
					return false
				}
			}
			for pid := range oldSessions {
				if sessions[pid] {
					return false
				}
			}
			return true
		})
		require.Zero(t, db.Stats().Lost)
	})
}

func TestMinimums(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=4&pool_min_lanes=3&pool_min_sessions=2&pool_health_check_period=20ms")
		warm := func() bool {
			st := db.Stats()
			return st.Lanes == 3 && st.Sessions == 2 && st.IdleSessions == 2
		}
		until(t, ctx, "they are there without a call", warm)
		lanes, sessions := db.pids()
		s, err := openAt(t, target.URL()).Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		for _, all := range []map[uint32]bool{lanes, sessions} {
			for pid := range all {
				_, err = s.Exec(ctx, "select pg_terminate_backend($1)", pid)
				require.NoError(t, err)
			}
		}
		until(t, ctx, "those that break are made up for", func() bool {
			newLanes, newSessions := db.pids()
			for pid := range newLanes {
				if lanes[pid] {
					return false
				}
			}
			for pid := range newSessions {
				if sessions[pid] {
					return false
				}
			}
			return warm()
		})
	})
}

func TestMinimumOfIdleSessions(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=3&pool_min_idle_conns=2")
		idle := func(n int) func() bool { return func() bool { return db.Stats().IdleSessions == n } }
		until(t, ctx, "two are ready", idle(2))
		var held []*Session
		for _, left := range []int{2, 1, 0} { // the third is the last that there may be
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			held = append(held, s)
			until(t, ctx, fmt.Sprint(left, " are ready"), idle(left))
		}
		for _, s := range held {
			s.Release()
		}
		until(t, ctx, "all are back", idle(3))
	})
}

// Idle connections are closed, down to the minimum, even if the driver asks them for signs of life
// meanwhile.
func TestIdleTime(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=3&pool_sessions=3&pool_min_sessions=1&pool_max_conn_idle_time=50ms&pool_health_check_period=15ms&pipeline_depth=1")
		unlock := lock(t, ctx, target)
		var waitAll []func() error
		for range 3 {
			waitAll = append(waitAll, c.start(ctx, waits(db)))
		}
		until(t, ctx, "all lanes", func() bool { return db.written() == 3 })
		var held []*Session
		for range 3 {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			held = append(held, s)
		}
		for _, s := range held {
			s.Release()
		}
		require.Equal(t, 3, db.Stats().Lanes, "they have something to do")
		unlock()
		for _, wait := range waitAll {
			require.NoError(t, wait())
		}
		until(t, ctx, "what is too much to go", func() bool { st := db.Stats(); return st.Lanes == 0 && st.Sessions == 1 })
		require.NoError(t, db.Ping(ctx))
		require.GreaterOrEqual(t, db.Stats().IdleClosed, uint64(5))
		require.Zero(t, db.Stats().Lost)
	})
}

// The health check finds a connection that the network has swallowed while it was idle. No caller
// waits for it.
func TestHealthCheck(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		proxy := faultproxy.New(t, target.Addr())
		target.Host, target.Port = proxy.Host(), proxy.Port()
		db := openAt(t, target.URL()+"&pool_health_check_period=30ms&cancel_timeout=200ms")
		require.NoError(t, db.Ping(ctx))
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		s.Release()
		proxy.Swallow()
		until(t, ctx, "both are found", func() bool { st := db.Stats(); return st.Lanes+st.Sessions == 0 })
	})
}

// While the server can't be reached, the driver doesn't dial it for each caller that asks for a
// session. The callers' errors say why the last attempt has failed.
func TestSessionsAreOpenedWithPauses(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		target := testserver.Postgres(t).Database(t)
		proxy := faultproxy.New(t, target.Addr())
		target.Host, target.Port = proxy.Host(), proxy.Port()
		db := openAt(t, target.URL())
		proxy.Refuse()
		var last error
		for began := time.Now(); time.Since(began) < 300*time.Millisecond; {
			short, cancel := soon(ctx)
			_, last = db.Begin(short)
			cancel()
			require.Error(t, last)
		}
		require.Less(t, db.Stats().SessionConnectErrors, uint64(10))
		require.ErrorContains(t, last, "the last attempt failed")
	})
}

func TestFiguresOfSessions(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=2&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		short, cancel := soon(ctx)
		defer cancel()
		_, err = db.Acquire(short)
		require.Error(t, err)
		wait := c.start(ctx, func(ctx context.Context) error {
			s, err := db.Acquire(ctx)
			if err == nil {
				s.Release()
			}
			return err
		})
		until(t, ctx, "it waits", func() bool { return db.Stats().Waiting == 1 })
		s.Release()
		require.NoError(t, wait())
		st := db.Stats()
		require.Equal(t, []uint64{3, 3, 1, 1}, []uint64{st.SessionAcquires, st.SessionWaits, st.SessionGiveUps, st.SessionOpens})
		require.Equal(t, []int{2, 1}, []int{st.MaxLanes, st.MaxSessions})
		require.GreaterOrEqual(t, st.SessionWaitTime, 20*time.Millisecond)
	})
}
