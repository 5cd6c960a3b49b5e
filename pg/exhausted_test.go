package pg

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

// soon is a context that ends as soon as the caller waits.
func soon(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, 20*time.Millisecond)
}

func TestExhaustedSessionsAreNamed(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=2")
		db.debug = true
		for range 2 {
			s, err := db.Acquire(ctx) // taken here
			require.NoError(t, err)
			defer s.Release()
		}
		for what, call := range map[string]func(ctx context.Context) error{
			"Begin":   func(ctx context.Context) error { _, err := db.Begin(ctx); return err },
			"Acquire": func(ctx context.Context) error { _, err := db.Acquire(ctx); return err },
			"Stream":  func(ctx context.Context) error { _, err := db.Stream(ctx, "select 1"); return err },
			"CopyFrom": func(ctx context.Context) error {
				_, err := db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"a"}, nil)
				return err
			},
		} {
			short, cancel := soon(ctx)
			err := call(short)
			cancel()
			var e *ExhaustedError
			require.ErrorAs(t, err, &e, what)
			require.Equal(t, []int{2, 2, 0}, []int{e.InUse, e.Most, e.Waiting})
			require.Len(t, e.Holders, 2)
			require.Regexp(t, `exhausted_test\.go:\d+$`, e.Holders[0].Place)
			require.ErrorContains(t, err, "2 of 2 sessions are in use, taken at ")
			require.ErrorContains(t, err, "raise pool_sessions=2")
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.True(t, pgconn.Timeout(err), what)
			require.True(t, pgconn.SafeToRetry(err), what)
		}
	})
}

// Outside debug mode the driver records a sample: one of a few sessions that are taken, the one
// that leaves no other, and those of callers that had to wait.
func TestHoldersAreSampled(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		const most = 12
		db, _ := open(t, fmt.Sprintf("&pool_sessions=%d&pool_min_sessions=%[1]d", most))
		db.debug = false
		until(t, ctx, "the sessions", func() bool { return db.Stats().IdleSessions == most })
		var all []*Session
		defer func() {
			for _, s := range all {
				s.Release()
			}
		}()
		vain := func() *ExhaustedError {
			short, cancel := soon(ctx)
			defer cancel()
			_, err := db.Begin(short)
			var e *ExhaustedError
			require.ErrorAs(t, err, &e)
			return e
		}
		for range most {
			s, err := db.Acquire(ctx)
			require.NoError(t, err)
			all = append(all, s)
		}
		e := vain()
		require.Equal(t, most, e.InUse)
		require.Len(t, e.Holders, 3, "the 1st, the 9th, and the last")
		require.Regexp(t, `12 of 12 sessions are in use \(REPAINT_DEBUG=1 shows where they were taken\), some of them at .*exhausted_test\.go:\d+ .* ago \(the oldest of 3\)`, e.Error())

		// The waiting caller gets the connection that becomes free, and holds it.
		waiting := c.start(ctx, func(ctx context.Context) error {
			tx, err := db.Begin(ctx) // taken here, too
			if err == nil {
				defer func() { require.NoError(t, tx.Rollback(ctx)) }()
				e = vain()
			}
			return err
		})
		until(t, ctx, "a caller that waits", func() bool { return db.Stats().Waiting == 1 })
		all[1].Release() // this one wasn't recorded
		require.NoError(t, waiting())
		require.Len(t, e.Holders, 4)
		require.Contains(t, e.Error(), "(the oldest of 3), at ")

		// A place is forgotten with its owner.
		for _, s := range all {
			s.Release()
		}
		all = nil
		until(t, ctx, "nothing in use", func() bool { return db.Stats().IdleSessions == most })
		db.pool.mu.Lock()
		defer db.pool.mu.Unlock()
		require.Empty(t, db.pool.holders())
	})
}

// If the sample has all, the error says so.
func TestTheOnlyHolderIsKnown(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, _ := open(t, "&pool_sessions=1")
		db.debug = false
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		defer func() { require.NoError(t, tx.Rollback(ctx)) }()
		short, cancel := soon(ctx)
		defer cancel()
		_, err = db.Begin(short)
		require.ErrorContains(t, err, "1 of 1 sessions are in use, taken at ")
		require.ErrorContains(t, err, "exhausted_test.go:")
	})
}

// In a loop in debug mode, the places of all sessions are recorded.
func TestHoldersInALoopInDebugMode(t *testing.T) {
	testserver.Postgres(t) // whose goroutine isn't a leak
	leakcheck.Test(t)
	const most = 3
	db, _ := open(t, fmt.Sprintf("&pool_sessions=%d&pool_min_sessions=%[1]d", most))
	db.debug = false
	run := func(options ...loop.Option) (holders int) {
		require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
			until(t, ctx, "the sessions", func() bool { return db.Stats().IdleSessions == most })
			for range most {
				s, err := db.Acquire(ctx)
				if err != nil {
					return err
				}
				defer s.Release()
			}
			short, cancel := soon(ctx)
			defer cancel()
			_, err := db.Begin(short)
			var e *ExhaustedError
			if !errors.As(err, &e) {
				return fmt.Errorf("not exhausted: %w", err)
			}
			holders = len(e.Holders)
			return nil
		}, options...))
		return holders
	}
	require.Equal(t, most, run(loop.Debug(time.Minute)))
	require.Less(t, run(), most)
}

func TestFullLanesAreNamed(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pipeline_depth=1")
		unlock := lock(t, ctx, target)
		wait := c.start(ctx, waits(db))
		until(t, ctx, "the lane is busy", func() bool { return db.written() == 1 })
		short, cancel := soon(ctx)
		defer cancel()
		_, err := db.Exec(short, "select 1")
		var e *StatementError
		require.ErrorAs(t, err, &e)
		require.Equal(t, StageWait, e.Stage)
		require.ErrorContains(t, err, "all 1 lanes are busy")
		require.ErrorContains(t, err, "raise pool_lanes")
		require.True(t, pgconn.Timeout(err))
		require.True(t, pgconn.SafeToRetry(err))
		require.False(t, e.MaybeApplied)
		unlock()
		require.NoError(t, wait())
	})
}

// A statement that was sent isn't safe to retry, but a deadline has ended it.
func TestTimeoutOfWhatWasSent(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "")
		unlock := lock(t, ctx, target)
		short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
		defer cancel()
		_, err := db.Exec(short, waitSQL)
		require.True(t, pgconn.Timeout(err))
		require.False(t, pgconn.SafeToRetry(err))
		ended, end := context.WithCancel(ctx)
		end()
		_, err = db.Exec(ended, "select 1")
		require.False(t, pgconn.Timeout(err), "it was cancelled")
		require.True(t, pgconn.SafeToRetry(err), "nothing was sent")
		unlock()
		_, err = db.Exec(ctx, "select 1/0")
		require.False(t, pgconn.Timeout(err))
		require.False(t, pgconn.SafeToRetry(err))
	})
}

func TestQueueFullIsSafeToRetry(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		db, target := open(t, "&pool_lanes=1&pipeline_depth=1&pool_queue=1")
		unlock := lock(t, ctx, target)
		first := c.start(ctx, waits(db))
		until(t, ctx, "the lane is busy", func() bool { return db.written() == 1 })
		second := c.start(ctx, waits(db))
		until(t, ctx, "the queue is full", func() bool { return db.Stats().Queued == 1 })
		err := waits(db)(ctx)
		require.ErrorIs(t, err, ErrQueueFull)
		require.True(t, pgconn.SafeToRetry(err))
		require.False(t, pgconn.Timeout(err))
		unlock()
		require.NoError(t, errors.Join(first(), second()))
	})
}

// A Close that may wait for ever doesn't do so in silence.
func TestCloseWithoutADeadlineSaysWhatItWaitsFor(t *testing.T) {
	defer func(patience time.Duration) { closePatience = patience }(closePatience)
	closePatience = 10 * time.Millisecond
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		var said reports
		defer slog.SetDefault(slog.Default())
		slog.SetDefault(slog.New(slog.NewTextHandler(&said, nil)))
		for _, limited := range []bool{true, false} {
			db, err := Open(databaseURL(t))
			require.NoError(t, err)
			shown(t, db)
			tx, err := db.Begin(ctx)
			require.NoError(t, err)
			_, err = tx.Exec(ctx, "select 1")
			require.NoError(t, err)
			patient := ctx
			if !limited {
				patient = context.WithoutCancel(ctx)
			}
			closing := c.start(patient, db.Close)
			until(t, ctx, "the closing", func() bool { return errors.Is(db.Ping(ctx), ErrClosed) })
			if limited {
				require.NoError(t, repaint.Sleep(ctx, 3*closePatience))
				require.Empty(t, said.String())
			} else {
				until(t, ctx, "the report", func() bool { return said.String() != "" })
				require.Contains(t, said.String(), "pg: Close has been waiting for 10ms, and its context has no deadline: 1 session or transaction is still open")
			}
			require.NoError(t, tx.Rollback(ctx))
			require.NoError(t, closing())
		}
	})
}

// reports is a log that any goroutine may write and read.
type reports struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *reports) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *reports) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

func TestCloseSaysWhatIsLeft(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context, c colour) {
		config, err := ParseConfig(databaseURL(t) + "&cancel_timeout=5s")
		require.NoError(t, err)
		db, err := OpenConfig(config)
		require.NoError(t, err)
		shown(t, db)
		db.debug = true
		tx, err := db.Begin(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "select pg_advisory_xact_lock(7)")
		require.NoError(t, err)
		wait := c.start(ctx, waits(db))
		until(t, ctx, "it is under way", func() bool { return db.written() == 1 })
		short, cancel := soon(ctx)
		defer cancel()
		err = db.Close(short)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "pg: closing: 1 session or transaction is still open, taken at ")
		require.ErrorContains(t, err, "exhausted_test.go:")
		require.ErrorContains(t, err, fmt.Sprintf("1 statement is under way: %q", waitSQL))
		require.ErrorIs(t, wait(), ErrClosed)
	})
}
