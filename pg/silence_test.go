package pg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// short is a cancel_timeout for tests: long enough for a busy machine, and not worth waiting for.
const short = "&cancel_timeout=300ms"

// A network swallows the lanes while new connections work. Callers with deadlines succeed again
// once the driver has given the lanes up.
func TestSwallowedLanesAreReplaced(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, _ := proxied(t, "&pool_lanes=4"+short)
		for range 8 {
			for _, err := range c.together(ctx, 20, func(ctx context.Context, i int) error { return db.Ping(ctx) }) {
				require.NoError(t, err)
			}
		}
		// Before the network swallows anything: a lane that opens late would be silent, too.
		until(t, ctx, "the lanes that are being opened", func() bool { return db.Stats().Connecting == 0 })
		before := db.lanes.list()
		proxy.Swallow()
		began := time.Now()
		var failed, succeeded atomic.Int64
		for _, err := range c.together(ctx, 8, func(ctx context.Context, i int) error {
			for succeeded.Load() < 200 {
				limited, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
				var got int
				err := db.QueryRow(limited, "select $1::int", i).Scan(&got)
				cancel()
				var lost *LostError
				switch {
				case err == nil && got == i:
					succeeded.Add(1)
				case errors.Is(err, context.DeadlineExceeded), errors.As(err, &lost):
					failed.Add(1)
				default:
					return fmt.Errorf("asked for %d, got %d: %w", i, got, err)
				}
				if time.Since(began) > 20*time.Second {
					return fmt.Errorf("%d of %d calls failed", failed.Load(), failed.Load()+succeeded.Load())
				}
			}
			return nil
		}) {
			require.NoError(t, err)
		}
		// New lanes serve the callers before the last of the old ones has been given up.
		until(t, ctx, "each lane that was there", func() bool { return !overlap(before, db.lanes.list()) })
		st := db.Stats()
		// On a machine that stands still for as long, a lane that works can seem silent.
		require.GreaterOrEqual(t, st.Silent, uint64(len(before)), "%+v", st)
		require.LessOrEqual(t, st.Cancels, 4*st.Silent, "requests for statements that can't be reached: %+v", st)
	})
}

// overlap reports whether both lists have a connection.
func overlap(some, all []*conn) bool {
	return slices.ContainsFunc(all, func(c *conn) bool { return slices.Contains(some, c) })
}

// A lone caller finds one lane swallowed. The driver asks the other, idle lanes, so they don't cost
// a call each.
func TestIdleLanesAreAskedWhenOneIsSilent(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, target := proxied(t, "&pool_lanes=8"+short)
		unlock := lock(t, ctx, target)
		defer unlock()
		var waits []func() error
		for range 8 {
			waits = append(waits, c.start(ctx, func(ctx context.Context) error { _, err := db.Exec(ctx, waitSQL); return err }))
		}
		until(t, ctx, "the lanes", func() bool { return db.Stats().Lanes > 3 })
		unlock()
		for _, wait := range waits {
			require.NoError(t, wait())
		}
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		pid := s.PID()
		s.Release()
		until(t, ctx, "the session", func() bool { return db.Stats().IdleSessions == 1 })
		until(t, ctx, "the lanes that are being opened", func() bool { return db.Stats().Connecting == 0 })
		lanes := db.lanes.list()
		proxy.Swallow()
		limited, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, db.Ping(limited), context.DeadlineExceeded)
		until(t, ctx, "the end of all lanes", func() bool { return !overlap(lanes, db.lanes.list()) })
		require.GreaterOrEqual(t, db.Stats().Silent, uint64(len(lanes)), "%+v", db.Stats())
		require.NoError(t, db.Ping(ctx))
		s, err = db.Acquire(ctx)
		require.NoError(t, err)
		defer s.Release()
		require.NotEqual(t, pid, s.PID())
		require.NoError(t, s.Ping(ctx))
	})
}

// Healthy connections answer, and stay.
func TestSuspicionCostsNothingWhereAllIsWell(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_lanes=2&pool_sessions=2")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		s.Release()
		require.NoError(t, db.Ping(ctx))
		until(t, ctx, "the session", func() bool { return db.Stats().IdleSessions == 1 })
		db.doubt()
		for range 10 {
			require.NoError(t, db.Ping(ctx))
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			require.NoError(t, s.Ping(ctx))
			s.Release()
		}
		st := db.Stats()
		require.Zero(t, st.Silent+st.Lost)
		require.LessOrEqual(t, st.Connects, uint64(2), "while the lane was asked there may have been another one")
	})
}

// A caller without a deadline gets an error when the driver gives up the lane of its statement.
func TestLaneThatIsGivenUpIsLostToEverybodyOnIt(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, proxy, _ := proxied(t, "&pool_lanes=1&pipeline_depth=4"+short)
		require.NoError(t, db.Ping(ctx))
		proxy.Swallow()
		limited, cancel := context.WithCancel(ctx)
		writes := db.Stats().Writes
		first := c.start(limited, func(ctx context.Context) error { _, err := db.Exec(ctx, "select 1"); return err })
		until(t, ctx, "the first is written, so that it can't be taken back", func() bool { return db.Stats().Writes > writes })
		second := c.start(ctx, func(ctx context.Context) error { _, err := db.Exec(ctx, "create table t (id int)"); return err })
		until(t, ctx, "the second", func() bool { return db.written() == 2 })
		cancel()
		require.ErrorIs(t, first(), context.Canceled)
		err := second()
		var lost *LostError
		require.ErrorAs(t, err, &lost)
		require.True(t, lost.MaybeApplied, "it was written")
		require.ErrorContains(t, err, "nothing was heard")
		require.NoError(t, db.Ping(ctx))
	})
}

// The calls that end a session's use wait for a limited time, whatever their contexts say, and the
// session's place is free again.
func TestEndsAreBoundedOnASilentSession(t *testing.T) {
	var savepoint pgx.Tx
	for name, end := range map[string]func(ctx context.Context, s *Session, tx pgx.Tx) error{
		"Rollback":                func(ctx context.Context, s *Session, tx pgx.Tx) error { return tx.Rollback(ctx) },
		"Rollback of a savepoint": func(ctx context.Context, s *Session, tx pgx.Tx) error { return savepoint.Rollback(ctx) },
		"Session.Close":           func(ctx context.Context, s *Session, tx pgx.Tx) error { return s.Close(ctx) },
		"Session.Release":         func(ctx context.Context, s *Session, tx pgx.Tx) error { s.Release(); return nil },
		"Cursor.Close": func(ctx context.Context, s *Session, tx pgx.Tx) error {
			return (&Cursor{tx: tx.(*Tx), name: "c"}).Close(ctx)
		},
		"a statement with a deadline, then Rollback": func(ctx context.Context, s *Session, tx pgx.Tx) error {
			limited, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			_, err := tx.Exec(limited, "select 1")
			return errors.Join(err, tx.Rollback(ctx))
		},
		"a statement with a deadline, then Rollback with it": func(ctx context.Context, s *Session, tx pgx.Tx) error {
			limited, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
			defer cancel()
			_, err := tx.Exec(limited, "select 1")
			return errors.Join(err, tx.Rollback(limited))
		},
	} {
		t.Run(name, func(t *testing.T) {
			bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
				db, proxy, _ := proxied(t, "&pool_sessions=1"+short)
				s, err := db.Acquire(ctx)
				require.NoError(t, err)
				tx, err := s.Begin(ctx)
				require.NoError(t, err)
				savepoint, err = tx.Begin(ctx)
				require.NoError(t, err)
				proxy.Swallow()
				began := time.Now()
				_ = end(ctx, s, tx)
				s.Release()
				other, err := db.Acquire(ctx)
				require.NoError(t, err)
				require.NoError(t, other.Ping(ctx))
				other.Release()
				require.Less(t, time.Since(began), 20*time.Second)
			})
		})
	}
}

// In a transaction, the driver reads the rest of a closed stream only as long as the transaction
// may go on.
func TestUnreadStreamIsCancelledWithItsTransaction(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		for _, end := range []func(s *Session, tx pgx.Tx) error{
			func(_ *Session, tx pgx.Tx) error { return tx.Rollback(ctx) },
			func(s *Session, _ pgx.Tx) error { s.Release(); return nil },
		} {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			pid := s.PID()
			tx, err := s.Begin(ctx)
			require.NoError(t, err)
			rows, err := tx.(*Tx).Stream(ctx, "select repeat('x', 10000) from generate_series(1, 10) union all select 'y' from pg_sleep(100)")
			require.NoError(t, err)
			require.True(t, rows.Next())
			running(t, ctx, target, "pg_sleep(100)")
			rows.Close()
			require.NoError(t, end(s, tx))
			s.Release()
			s, err = db.Acquire(ctx)
			require.NoError(t, err)
			require.NoError(t, s.Ping(ctx))
			require.Equal(t, pid, s.PID())
			s.Release()
		}
	})
}

// After a Close that had to use force, the server runs none of our statements any more.
func TestForcedCloseLeavesNothingRunning(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		_, target := open(t, "")
		db, err := Open(target.URL() + "&pool_lanes=1&pipeline_depth=3&pool_sessions=3")
		require.NoError(t, err)
		call := func(on querier, sql string) func() error {
			return c.start(ctx, func(ctx context.Context) error { _, err := on.Exec(ctx, sql); return err })
		}
		var waits []func() error
		for range 3 {
			waits = append(waits, call(db, "select pg_sleep(101)"))
		}
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		waits = append(waits, call(s, "select pg_sleep(102)"))
		running(t, ctx, target, "pg_sleep(102)")
		waits = append(waits, call(s, "select pg_sleep(103)"))
		until(t, ctx, "the one after it", func() bool { return db.sessionsWritten() == 2 })
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		waits = append(waits, call(tx, "select pg_sleep(104)"))
		rows, err := db.Stream(ctx, "select repeat('x', 10000), generate_series(1, 100000000)")
		require.NoError(t, err)
		require.True(t, rows.Next())
		for _, text := range []string{"pg_sleep(101)", "pg_sleep(104)"} {
			running(t, ctx, target, text)
		}
		limited, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		require.ErrorIs(t, db.Close(limited), context.DeadlineExceeded)
		until(t, ctx, "the end of everything on the server", func() bool {
			return target.MustQuery(t, "select count(*) from pg_stat_activity where state <> 'idle' and datname = current_database() and pid <> pg_backend_pid()") == "0"
		})
		for i, wait := range waits {
			require.ErrorIs(t, wait(), ErrClosed, i)
		}
		for rows.Next() {
		}
		require.Error(t, rows.Err())
		s.Release()
		_ = tx.Rollback(ctx)
	})
}

// Statements under way on a released session may end, for a while. Then the driver asks the server
// to cancel them.
func TestWhatOutlivesItsSessionIsCancelled(t *testing.T) {
	defer func(d time.Duration) { recycleTimeout = d }(recycleTimeout)
	recycleTimeout = 20 * time.Millisecond
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_sessions=1")
		s, err := db.Acquire(ctx)
		require.NoError(t, err)
		wait := c.start(ctx, func(ctx context.Context) error { _, err := s.Exec(ctx, "select pg_sleep(106)"); return err })
		running(t, ctx, target, "pg_sleep(106)")
		s.Release()
		require.ErrorIs(t, wait(), ErrClosed)
		other, err := db.Acquire(ctx)
		require.NoError(t, err)
		defer other.Release()
		require.Equal(t, "0", target.MustQuery(t, "select count(*) from pg_stat_activity where state = 'active' and query like '%pg_sleep(106)%' and pid <> pg_backend_pid()"))
	})
}

func TestCancelBudget(t *testing.T) {
	var b cancelBudget
	for range cancelsAtOnce {
		require.True(t, b.take())
	}
	require.False(t, b.take(), "so many at once")
	for range cancelsAtOnce {
		b.done()
	}
	taken := cancelsAtOnce
	for began := nanotime(); b.take(); taken++ {
		b.done()
		require.Less(t, taken, cancelsPerSecond+1+int(time.Duration(nanotime()-began).Seconds()*cancelsPerSecond))
	}
	b.at -= int64(time.Second)
	require.True(t, b.take(), "a second later")
}
