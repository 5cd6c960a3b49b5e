package pg

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/nonblock"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

// roleOf returns the reading role of the session's connection.
func roleOf(s *Session) role {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	return s.s.conns[0].role
}

// A locked is a session on which two tasks wait for locks that other sessions hold.
type locked struct {
	*Session
	unlock [2]func()
	tasks  []*repaint.Task[int]
}

// hold makes a locked session, and returns when its statements have been sent.
func hold(t *testing.T, ctx context.Context, db *DB) *locked {
	t.Helper()
	s, err := db.Acquire(ctx)
	require.NoError(t, err)
	h := &locked{Session: s}
	for i := range h.unlock {
		other, err := db.Acquire(ctx)
		require.NoError(t, err)
		_, err = other.Exec(ctx, "select pg_advisory_lock($1)", i)
		require.NoError(t, err)
		h.unlock[i] = func() {
			_, err := other.Exec(ctx, "select pg_advisory_unlock($1)", i)
			require.NoError(t, err)
			other.Release()
		}
	}
	share := func(ctx context.Context, key int) (n int, err error) {
		err = s.QueryRow(ctx, "select $1::int from pg_advisory_lock_shared($1)", key).Scan(&n)
		return n, err
	}
	// The text must be prepared: only its execution waits. And the connection must not have been
	// idle for a while, because then the resident reads it.
	_, err = share(ctx, len(h.unlock))
	require.NoError(t, err)
	for i := range h.unlock {
		h.tasks = append(h.tasks, repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return share(ctx, i) }))
	}
	until(t, ctx, "both statements have been sent", func() bool { return underWay(s) == 2 })
	return h
}

func underWay(s *Session) int {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	return s.s.inFlight()
}

// finish lets the tasks of a locked session go on, and gives it back.
func (h *locked) finish(t *testing.T, ctx context.Context) {
	t.Helper()
	h.answer(t, ctx)
	h.Release()
}

// answer lets the tasks go on, one after the other.
func (h *locked) answer(t *testing.T, ctx context.Context) {
	t.Helper()
	for i, task := range h.tasks {
		h.unlock[i]()
		n, err := repaint.Await(ctx, task)
		require.NoError(t, err)
		require.Equal(t, i, n)
	}
}

// inALoop runs a test in a loop that can wait for descriptors.
func inALoop(t *testing.T, options string, test func(ctx context.Context, db *DB)) {
	t.Helper()
	if runtime.GOOS != "linux" || !nonblock.Supported {
		t.Skip("a loop can't wait for descriptors here")
	}
	testserver.Postgres(t) // whose goroutine isn't a leak
	leakcheck.Test(t)
	db, _ := open(t, options)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		test(ctx, db)
		return nil
	}))
}

func TestALoopReadsTheConnectionsOnWhichOnlyItsTasksWait(t *testing.T) {
	inALoop(t, "", func(ctx context.Context, db *DB) {
		h := hold(t, ctx, db)
		require.Equal(t, looped, roleOf(h.Session))
		require.NotZero(t, repaint.CurrentStats().Polled)
		h.answer(t, ctx)
		require.Equal(t, nobody, roleOf(h.Session))
		h.Release()
	})
}

func TestALoopReadsThroughTLS(t *testing.T) {
	if runtime.GOOS != "linux" || !nonblock.Supported {
		t.Skip("a loop can't wait for descriptors here")
	}
	target := testserver.Postgres(t, testserver.TLS()).Database(t)
	leakcheck.Test(t)
	db := openAt(t, target.URL()+"&sslmode=require")
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		h := hold(t, ctx, db)
		require.Equal(t, looped, roleOf(h.Session))
		h.answer(t, ctx)
		require.Equal(t, nobody, roleOf(h.Session))
		large := strings.Repeat("0123456789", 100_000)
		g := repaint.NewGroup(ctx)
		for range 3 {
			g.Go(func(ctx context.Context) error {
				var back string
				if err := h.QueryRow(ctx, "select $1::text", large).Scan(&back); err != nil {
					return err
				}
				require.True(t, back == large)
				return nil
			})
		}
		require.NoError(t, g.Wait())
		h.Release()
		return nil
	}))
}

func TestTheReadingRolePassesOnWhenAnotherPartyJoins(t *testing.T) {
	joins := map[string]func(ctx context.Context, s *Session) error{
		"a goroutine": func(ctx context.Context, s *Session) error { return s.Ping(ctx) },
		"a loop": func(ctx context.Context, s *Session) error {
			return repaint.Run(ctx, func(ctx context.Context) error { return s.Ping(ctx) })
		},
		"a stream": func(ctx context.Context, s *Session) error {
			rows, err := s.Stream(ctx, "select 1")
			if err != nil {
				return err
			}
			rows.Close()
			return rows.Err()
		},
	}
	for name, join := range joins {
		t.Run(name, func(t *testing.T) {
			inALoop(t, "", func(ctx context.Context, db *DB) {
				h := hold(t, ctx, db)
				joined := make(chan error, 1)
				go func() { joined <- join(context.WithoutCancel(ctx), h.Session) }()
				until(t, ctx, "it has joined", func() bool { return roleOf(h.Session) == resident })
				h.finishWhile(t, ctx, joined)
			})
		})
	}
}

// finishWhile lets the server answer, and makes the loop stand still until the party that has
// joined has its answer.
func (h *locked) finishWhile(t *testing.T, ctx context.Context, joined <-chan error) {
	t.Helper()
	h.unlock[0]()
	h.unlock[1]()
	require.NoError(t, <-joined, "the answer doesn't need the loop")
	for i, task := range h.tasks {
		n, err := repaint.Await(ctx, task)
		require.NoError(t, err)
		require.Equal(t, i, n)
	}
	h.Release()
}

func TestWhoLeavesALoopsConnectionLeavesItToTheResident(t *testing.T) {
	inALoop(t, "", func(ctx context.Context, db *DB) {
		h := hold(t, ctx, db)
		h.tasks[1].Cancel(nil)
		_, err := repaint.Await(ctx, h.tasks[1])
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, resident, roleOf(h.Session))
		h.tasks = h.tasks[:1]
		h.unlock[1]()
		h.finish(t, ctx)
	})
}

func TestALoopThatReadsHearsOfALostConnection(t *testing.T) {
	inALoop(t, "", func(ctx context.Context, db *DB) {
		h := hold(t, ctx, db)
		pid := h.PID()
		_, err := db.Exec(ctx, "select pg_terminate_backend($1)", pid)
		require.NoError(t, err)
		for _, task := range h.tasks {
			_, err := repaint.Await(ctx, task)
			require.ErrorIs(t, err, ErrConnLost)
		}
		h.Release()
		h.unlock[0]()
		h.unlock[1]()
		require.NoError(t, db.Ping(ctx))
	})
}

// A hook may block, so a loop leaves messages for it to the resident.
func TestHooksAreNotCalledInALoop(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("a loop can't wait for descriptors here")
	}
	testserver.Postgres(t)
	leakcheck.Test(t)
	plain, target := open(t, "")
	require.NoError(t, plain.Ping(t.Context()))
	config, err := ParseConfig(target.URL())
	require.NoError(t, err)
	inLoop := make(chan bool, 10)
	config.Conn.OnNotice = func(*pgconn.PgConn, *pgconn.Notice) { inLoop <- repaint.CurrentLoop() != nil }
	db, err := OpenConfig(config)
	require.NoError(t, err)
	shown(t, db)
	defer func() { require.NoError(t, db.Close(t.Context())) }()
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		h := hold(t, ctx, db)
		notice := repaint.Spawn(ctx, func(ctx context.Context) (pgconn.CommandTag, error) {
			return h.Exec(ctx, "do $$ begin raise notice 'by the way'; end $$")
		})
		h.finish(t, ctx)
		_, err := repaint.Await(ctx, notice)
		return err
	}))
	require.False(t, <-inLoop)
}

// Answers that have come at the same time resume their tasks in one tick. The tasks' next
// statements are one write for each connection.
func TestAnswersThatCameTogetherAreOneTickAndOneWrite(t *testing.T) {
	const n = 5
	for name, lane := range map[string]bool{"on a lane": true, "on a session each": false} {
		t.Run(name, func(t *testing.T) {
			if runtime.GOOS != "linux" || !nonblock.Supported {
				t.Skip("a loop can't wait for descriptors here")
			}
			target := testserver.Postgres(t).Database(t)
			db := openAt(t, target.URL()+"&pool_lanes=1&pipeline_depth=8")
			require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
				l := repaint.CurrentLoop()
				callers := make([]rower, n)
				schedulers := []*line{db.lanes.line}
				if !lane {
					schedulers = nil
				}
				written := func() (n uint64) {
					for _, s := range schedulers {
						s.mu.Lock()
						n += s.stats.Writes
						s.mu.Unlock()
					}
					return n
				}
				for i := range callers {
					callers[i] = db
					if !lane {
						s, err := db.Acquire(ctx)
						require.NoError(t, err)
						defer s.Release()
						callers[i], schedulers = s, append(schedulers, s.s.line)
					}
				}
				ask := func(ctx context.Context, i int) error {
					return callers[i].QueryRow(ctx, "select $1::int", i).Scan(new(int))
				}
				for i := range callers {
					require.NoError(t, ask(ctx, i)) // so the statement is prepared
				}
				var ticks []uint64
				g := repaint.NewGroup(ctx)
				before, each := written(), uint64(len(schedulers))
				for i := range callers {
					g.Go(func(ctx context.Context) error {
						if err := ask(ctx, i); err != nil {
							return err
						}
						ticks = append(ticks, repaint.CurrentStats().Ticks)
						return ask(ctx, i)
					})
				}
				l.CallAtTickEnd(called(func() { // when all has been sent
					require.Equal(t, each, written()-before)
					for _, s := range schedulers {
						awaitAnswers(t, s, n/len(schedulers))
					}
				}))
				require.NoError(t, g.Wait())
				require.Equal(t, slices.Repeat(ticks[:1], n), ticks)
				require.Equal(t, 2*each, written()-before)
				return nil
			}))
		})
	}
}

// awaitAnswers blocks until so many answers can be read from the scheduler's only connection. It
// doesn't read them.
func awaitAnswers(t *testing.T, s *line, n int) {
	t.Helper()
	buf := make([]byte, 64<<10)
	for came := 0; came < n; runtime.Gosched() {
		err := s.conns[0].w.glance.raw.Control(func(fd uintptr) {
			if k, _, err := syscall.Recvfrom(int(fd), buf, syscall.MSG_PEEK); err == nil {
				came = bytes.Count(buf[:k], []byte("Z\x00\x00\x00\x05I"))
			}
		})
		require.NoError(t, err)
	}
}

type called func()

func (fn called) RunInLoop() { fn() }

func TestWithAVirtualClockOrASeedTheResidentReads(t *testing.T) {
	for name, opt := range map[string]loop.Option{"virtual clock": loop.VirtualClock(time.Unix(0, 0)), "seed": loop.Seed(3)} {
		t.Run(name, func(t *testing.T) {
			testserver.Postgres(t)
			leakcheck.Test(t)
			db, _ := open(t, "")
			require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
				g := repaint.NewGroup(ctx)
				for i := range 20 {
					g.Go(func(ctx context.Context) error {
						return pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
							var a, b int
							if err := tx.QueryRow(ctx, "select $1::int", i).Scan(&a); err != nil {
								return err
							}
							if err := repaint.Sleep(ctx, time.Millisecond); err != nil {
								return err
							}
							if err := tx.QueryRow(ctx, "select $1::int", a+1).Scan(&b); err != nil || b != i+1 {
								return errors.Join(err, errors.New("another's answer"))
							}
							return nil
						})
					})
				}
				err := g.Wait()
				require.Zero(t, repaint.CurrentStats().Polled)
				return err
			}, opt))
		})
	}
}

// A result that is much larger than one read of a loop doesn't keep the others waiting, and comes
// complete.
func TestALargeResultInALoop(t *testing.T) {
	inALoop(t, "&pool_lanes=2", func(ctx context.Context, db *DB) {
		g := repaint.NewGroup(ctx)
		for range 3 {
			g.Go(func(ctx context.Context) error {
				rows, err := db.Query(ctx, "select i, repeat('x', 200) from generate_series(1, 20000) i")
				if err != nil {
					return err
				}
				n := 0
				var text string
				_, err = pgx.ForEachRow(rows, []any{&n, &text}, func() error { return nil })
				if n != 20000 || len(text) != 200 {
					return errors.Join(err, errors.New("rows are missing"))
				}
				return err
			})
		}
		require.NoError(t, g.Wait())
	})
}
