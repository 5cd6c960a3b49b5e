package pg

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/laststate"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/loop"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// A colour is a way to run blue functions: in a plain goroutine, or as a task of a loop.
type colour struct{ loop bool }

// bothColours runs a test in both colours, with a time limit, and fails it if it leaves something
// behind.
func bothColours(t *testing.T, fn func(t *testing.T, ctx context.Context, c colour)) {
	t.Helper()
	testserver.Postgres(t) // whose goroutine isn't a leak
	t.Run("goroutine", func(t *testing.T) {
		leakcheck.Test(t)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
		defer cancel()
		fn(t, ctx, colour{})
	})
	t.Run("loop", func(t *testing.T) { inLoop(t, fn) })
}

// withVirtualClock runs a test in a loop with a virtual clock, as bothColours does.
func withVirtualClock(t *testing.T, fn func(t *testing.T, ctx context.Context, c colour)) {
	t.Helper()
	testserver.Postgres(t)
	t.Run("loop with a virtual clock", func(t *testing.T) { inLoop(t, fn, loop.VirtualClock(time.Unix(0, 0))) })
}

func inLoop(t *testing.T, fn func(t *testing.T, ctx context.Context, c colour), opts ...loop.Option) {
	leakcheck.Test(t)
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			fn(t, ctx, colour{loop: true})
			return 0, nil
		}))
		return err
	}, opts...))
}

// together calls fn(0) to fn(n-1) at once, in tasks or in goroutines, and returns the errors.
func (c colour) together(ctx context.Context, n int, fn func(ctx context.Context, i int) error) []error {
	errs := make([]error, n)
	if c.loop {
		g := repaint.NewGroup(ctx)
		for i := range n {
			g.Go(func(ctx context.Context) error {
				errs[i] = fn(ctx, i)
				return nil
			})
		}
		_ = g.Wait()
		return errs
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = fn(ctx, i) })
	}
	wg.Wait()
	return errs
}

// start calls fn in a task or goroutine; the result waits for its end.
func (c colour) start(ctx context.Context, fn func(ctx context.Context) error) (wait func() error) {
	if c.loop {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, fn(ctx) })
		return func() error {
			_, err := repaint.Await(context.WithoutCancel(ctx), task)
			return err
		}
	}
	done := make(chan error, 1)
	go func() {
		err := errors.New("the goroutine was ended, by FailNow or Goexit")
		defer func() { done <- err }()
		err = fn(ctx)
	}()
	return func() error { return <-done }
}

// until waits for a condition, and lets other tasks run meanwhile. If that takes two minutes, or the
// context ends first, it shows the figures of the test's DBs.
func until(t testing.TB, ctx context.Context, what string, condition func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for !condition() {
		if err := repaint.Sleep(ctx, 0); err != nil {
			require.NoError(t, err, what+laststate.Of(t))
		}
	}
}

// list returns the connections, also those that take no more statements.
func (s *line) list() []*conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.conns)
}

// shown makes until show the DB's figures.
func shown(t testing.TB, db *DB) *DB {
	laststate.Add(t, func() any { return db.Stats() })
	return db
}

// writtenOut returns how many statements on the connections aren't answered, if all their bytes
// have been written, and -1 otherwise. Only written statements can be at the server, or be lost by
// the network; Stats.InFlight also counts those that are about to be sent.
func (s *line) writtenOut() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if c.written != c.queued {
			return -1
		}
	}
	return s.inFlight()
}

// written returns writtenOut of the lanes.
func (db *DB) written() int { return db.lanes.writtenOut() }

// sessionsWritten returns writtenOut of the sessions.
func (db *DB) sessionsWritten() (n int) {
	for _, s := range db.pool.list() {
		one := s.writtenOut()
		if one < 0 {
			return -1
		}
		n += one
	}
	return n
}

// open opens a DB on a database of the test's own. It is closed when the test ends.
func open(t testing.TB, options string) (*DB, testserver.Target) {
	t.Helper()
	target := testserver.Postgres(t).Database(t)
	return openAt(t, target.URL()+options), target
}

func openAt(t testing.TB, url string) *DB {
	t.Helper()
	db, err := Open(url)
	require.NoError(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		require.NoError(t, db.Close(ctx))
	})
	return shown(t, db)
}

// waitSQL is a statement that waits while the test has locked the database.
const waitSQL = "select pg_advisory_xact_lock(7)"

// lock makes waitSQL wait until the function that it returns is called.
func lock(t testing.TB, ctx context.Context, target testserver.Target) (unlock func()) {
	t.Helper()
	s, err := openAt(t, target.URL()).Acquire(ctx)
	require.NoError(t, err)
	_, err = s.Exec(ctx, "select pg_advisory_lock(7)")
	require.NoError(t, err)
	return s.Release
}

// waits runs waitSQL.
func waits(db *DB) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		_, err := db.Exec(ctx, waitSQL)
		return err
	}
}
