package pg

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/sqltext"
)

// running returns when the server runs a statement with this text.
func running(t *testing.T, ctx context.Context, target testserver.Target, text string) {
	t.Helper()
	until(t, ctx, "the server's running "+text, func() bool {
		return target.MustQuery(t, "select count(*) from pg_stat_activity where state = 'active' and query like '%"+text+"%' and pid <> pg_backend_pid()") != "0"
	})
}

// asyncpg's test_cancellation_01: after pg_sleep was cancelled, nine different calls work at once,
// on the same connection.
func TestAfterACancelEverythingWorksOnTheSameConnection(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		pid := s.PID()
		var lane int
		require.NoError(t, db.QueryRow(ctx, "select pg_backend_pid()").Scan(&lane))
		calls := []func(ctx context.Context) error{
			func(ctx context.Context) error { _, err := s.Exec(ctx, "select 1"); return err },
			func(ctx context.Context) error { _, err := s.Exec(ctx, "select $1::int", 1); return err },
			func(ctx context.Context) error {
				_, err := s.Query(ctx, "select generate_series(1, $1::int)", 9)
				return err
			},
			func(ctx context.Context) error { return s.QueryRow(ctx, "select 1").Scan(new(int)) },
			func(ctx context.Context) error { _, err := s.Exec(ctx, "select 1; select 2"); return err },
			func(ctx context.Context) error {
				b := new(pgx.Batch)
				b.Queue("select 1")
				b.Queue("select $1::int", 2)
				return s.SendBatch(ctx, b).Close()
			},
			func(ctx context.Context) error {
				return pgx.BeginFunc(ctx, s, func(tx pgx.Tx) error { return tx.QueryRow(ctx, "select 1").Scan(new(int)) })
			},
			func(ctx context.Context) error { return s.Ping(ctx) },
			func(ctx context.Context) error {
				var got int
				if err := db.QueryRow(ctx, "select pg_backend_pid()").Scan(&got); err != nil || got != lane {
					return fmt.Errorf("the lane has changed from %d to %d: %w", lane, got, err)
				}
				return nil
			},
		}
		for i, call := range calls {
			limited, cancel := context.WithCancel(ctx)
			cancelled := []func() error{
				c.start(limited, func(ctx context.Context) error { _, err := s.Exec(ctx, "select pg_sleep(20)"); return err }),
				c.start(limited, func(ctx context.Context) error { _, err := db.Exec(ctx, "select pg_sleep(20)"); return err }),
			}
			running(t, ctx, target, "pg_sleep(20)")
			cancel()
			for _, wait := range cancelled {
				require.ErrorIs(t, wait(), context.Canceled)
			}
			require.NoError(t, call(ctx), i)
			require.Equal(t, pid, s.PID())
		}
		st := db.Stats()
		require.EqualValues(t, 1, st.Connects)
		require.EqualValues(t, 1, st.SessionOpens)
		require.Zero(t, st.Lost)
	})
}

// A thousand cancels at random moments, on a small pool: no connection is replaced, and no caller
// gets another's answer.
func TestRandomCancelsReplaceNoConnection(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=3&pool_sessions=2&pipeline_depth=2")
		var cancelled atomic.Int64
		for _, err := range c.together(ctx, 5, func(ctx context.Context, i int) error {
			for k := 0; cancelled.Load() < 500; k++ {
				want := i*100_000 + k
				limited, cancel := context.WithTimeout(ctx, time.Duration(500+rand.IntN(8000))*time.Microsecond)
				var got int
				var err error
				sql, sleep := "select $1::int + (select 0 from pg_sleep($2))", float64(rand.IntN(10))/1000
				if k%8 == 0 {
					err = pgx.BeginFunc(limited, db, func(tx pgx.Tx) error { return tx.QueryRow(limited, sql, want, sleep).Scan(&got) })
				} else {
					err = db.QueryRow(limited, sql, want, sleep).Scan(&got)
				}
				cancel()
				switch {
				case err == nil && got != want:
					return fmt.Errorf("asked for %d, got %d", want, got)
				case err != nil && !errors.Is(err, context.DeadlineExceeded):
					return err
				case err != nil:
					cancelled.Add(1)
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		until(t, ctx, "the lanes to be at rest", func() bool { return db.Stats().InFlight == 0 })
		for range 10 {
			require.NoError(t, db.Ping(ctx))
		}
		st := db.Stats()
		t.Logf("%+v", st)
		require.LessOrEqual(t, st.Connects, uint64(3))
		require.Zero(t, st.Lost)
		require.LessOrEqual(t, st.SessionOpens, uint64(2))
		require.Greater(t, st.Cancels, uint64(20))
	})
}

// A statement is cancelled in the queue, in the buffer, after others on the connection, and while
// it runs.
func TestCancelAtEachStage(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pipeline_depth=2")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		_, err = db.Exec(ctx, "insert into t values ($1)", 0) // so that it needs no description
		require.NoError(t, err)
		hold := func() (end func()) {
			limited, cancel := context.WithCancel(ctx)
			wait := c.start(limited, func(ctx context.Context) error { _, err := db.Exec(ctx, "select pg_sleep(30)"); return err })
			running(t, ctx, target, "pg_sleep(30)")
			return func() {
				cancel()
				require.ErrorIs(t, wait(), context.Canceled)
			}
		}
		insert := func(ctx context.Context, id int) (wait func() error, cancel func()) {
			ctx, cancel = context.WithCancel(ctx)
			return c.start(ctx, func(ctx context.Context) error { _, err := db.Exec(ctx, "insert into t values ($1)", id); return err }), cancel
		}
		end := hold()
		behind, cancelBehind := insert(ctx, 1)
		until(t, ctx, "the one behind", func() bool { return db.written() == 2 })
		queued, cancelQueued := insert(ctx, 2)
		until(t, ctx, "the one in the queue", func() bool { return db.Stats().Queued == 1 })
		last, cancelLast := insert(ctx, 3)
		defer cancelLast()
		until(t, ctx, "the last", func() bool { return db.Stats().Queued == 2 })
		cancelQueued()
		require.ErrorIs(t, queued(), context.Canceled)
		cancelBehind()
		require.ErrorIs(t, behind(), context.Canceled)
		require.Zero(t, db.Stats().Cancels, "neither was running")
		end()
		require.NoError(t, last())
		require.Equal(t, 0, count(t, ctx, db, "t where id = 2"), "it was never sent")
		require.Equal(t, 1, count(t, ctx, db, "t where id = 3"))
		st := db.Stats()
		require.EqualValues(t, 1, st.Dropped)
		require.EqualValues(t, 2, st.Abandoned)
		require.EqualValues(t, 1, st.Connects)
	})
}

// An abandoned statement that runs for long doesn't keep the lane.
func TestAbandonedStatementIsCancelledWhenItRuns(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1")
		limited, cancel := context.WithCancel(ctx)
		unlock := lock(t, ctx, target)
		defer unlock()
		first := c.start(ctx, waits(db))
		until(t, ctx, "the first", func() bool { return db.written() == 1 })
		second := c.start(limited, func(ctx context.Context) error { _, err := db.Exec(ctx, "select pg_sleep(100)"); return err })
		until(t, ctx, "the second", func() bool { return db.written() == 2 })
		cancel()
		require.ErrorIs(t, second(), context.Canceled)
		unlock()
		require.NoError(t, first())
		require.NoError(t, db.Ping(ctx))
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}

// A cancel that comes too late for its statement hits another one. The driver sends that one again,
// and its caller notices nothing.
func TestStatementHitByAnothersCancelIsRepeated(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1")
		_, err := db.Exec(ctx, "create table t (id int)")
		require.NoError(t, err)
		holder, err := openAt(t, target.URL()).Acquire(ctx)
		require.NoError(t, err)
		defer holder.Release()
		const insert, held = "insert into t select $1::int from pg_advisory_xact_lock_shared($2)", 8
		_, err = db.Exec(ctx, insert, 0, held) // the statement is described now
		require.NoError(t, err)
		_, err = holder.Exec(ctx, "select pg_advisory_lock($1)", held)
		require.NoError(t, err)
		// A faulty canceller: it asks when the statement has ended already.
		s := &db.lanes
		s.mu.Lock()
		lane := s.conns[0]
		late := &lateCanceller{real: lane.w.cancel, ask: make(chan struct{})}
		lane.w.cancel = late
		s.mu.Unlock()
		limited, cancel := context.WithCancel(ctx)
		unlock := lock(t, ctx, target)
		defer unlock()
		first := c.start(limited, waits(db))
		until(t, ctx, "the first", func() bool { return db.written() == 1 })
		var others []func() error
		for i := range 4 {
			others = append(others, c.start(ctx, func(ctx context.Context) error {
				_, err := db.Exec(ctx, insert, i+1, held)
				return err
			}))
		}
		until(t, ctx, "the others", func() bool { return db.written() == 5 })
		cancel()
		require.ErrorIs(t, first(), context.Canceled)
		unlock()
		running(t, ctx, target, "pg_advisory_xact_lock_shared($2)")
		close(late.ask)
		until(t, ctx, "the hit", func() bool { return db.Stats().StrayCancels > 0 })
		holder.Release()
		for _, wait := range others {
			require.NoError(t, wait())
		}
		// PostgreSQL signals the backend and then its process group, so one request can hit twice.
		require.Contains(t, []uint64{1, 2}, db.Stats().StrayCancels)
		require.Equal(t, 4, count(t, ctx, db, "t where id > 0"), "each is there once")
		require.EqualValues(t, 1, db.Stats().Connects)
	})
}

type lateCanceller struct {
	real canceller
	ask  chan struct{}
}

func (l *lateCanceller) cancel(ctx context.Context, _ func() bool) (bool, error) {
	<-l.ask
	return l.real.cancel(ctx, func() bool { return true })
}

// CALL may have committed something before it is hit, and VACUUM has. So the driver doesn't repeat
// them once they have begun.
func TestWhatCommitsByItselfIsNotRepeated(t *testing.T) {
	for sql, repeat := range map[string]bool{
		"insert into t values (1)": true, "call p()": false, "do $$ begin end $$": false, "vacuum t": false, "create index concurrently i on t(a)": false,
	} {
		for _, began := range []bool{true, false} {
			lasts := classify(sql).effects.Any(sqltext.CommitsItself)
			s := &segment{exposed: true, noRepeat: lasts, steps: []step{{lasts: lasts, parsed: true, bound: began}}}
			c := &conn{line: &newOwned(&DB{}, 0).line, status: 'I'}
			s.failure = pgErrorOf("57014")
			c.noteFailure(s)
			require.Equal(t, repeat || !began, s.again, sql)
			// The same in one text for the simple protocol, whose statements may all have begun.
			s = &segment{exposed: true, noRepeat: lasts, simple: sql, steps: []step{{}}, failure: pgErrorOf("57014")}
			c.noteFailure(s)
			require.Equal(t, repeat, s.again, sql)
		}
	}
	// Its own cancel, a statement in a transaction, and one that wasn't exposed.
	c := &conn{line: &newOwned(&DB{}, 0).line, status: 'I'}
	for _, other := range []*segment{{exposed: true, cancelled: true}, {exposed: true, inTx: true}, {}} {
		other.failure = pgErrorOf("57014")
		c.noteFailure(other)
		require.False(t, other.again)
	}
	// In a batch, the statements before the failed one have begun, too.
	s := &segment{exposed: true, noRepeat: true, cur: 1, failure: pgErrorOf("57014"), steps: []step{{lasts: true, parsed: true, bound: true, complete: true}, {}}}
	c.noteFailure(s)
	require.False(t, s.again)
}

// While the network is stalled, callers return at their deadlines, even if what they sent doesn't
// fit into the socket.
func TestDeadlinesHoldWhenTheNetworkIsStalled(t *testing.T) {
	srv := testserver.Postgres(t)
	for _, c := range []colour{{}, {loop: true}} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			leakcheck.Test(t)
			target := srv.Database(t)
			proxy := faultproxy.New(t, target.Addr())
			target.Host, target.Port = proxy.Host(), proxy.Port()
			db := openAt(t, target.URL()+"&pool_lanes=1")
			large := make([]byte, 4<<20)
			run := func(ctx context.Context) error {
				if err := db.QueryRow(ctx, "select length($1::bytea)", large).Scan(new(int)); err != nil {
					return err
				}
				proxy.Stall()
				for _, err := range c.together(ctx, 20, func(ctx context.Context, i int) error {
					limited, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
					defer cancel()
					return db.QueryRow(limited, "select length($1::bytea)", large).Scan(new(int))
				}) {
					if !errors.Is(err, context.DeadlineExceeded) {
						return fmt.Errorf("no deadline: %w", err)
					}
				}
				proxy.Resume()
				var n int
				return db.QueryRow(ctx, "select length($1::bytea)", large[:5]).Scan(&n)
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if c.loop {
				require.NoError(t, repaint.Run(ctx, run))
			} else {
				require.NoError(t, run(ctx))
			}
			require.EqualValues(t, 1, db.Stats().Connects)
		})
	}
}
