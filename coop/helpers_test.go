package coop_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

var errBoom = errors.New("boom")

// virtually runs main in a loop with a virtual clock, and looks for leaks.
func virtually(t *testing.T, main func(ctx context.Context)) {
	t.Helper()
	leakcheck.Test(t)
	require.NoError(t, run(context.Background(), main))
}

func run(ctx context.Context, main func(ctx context.Context)) error {
	return repaint.Run(ctx, func(ctx context.Context) error {
		main(ctx)
		return nil
	}, loop.VirtualClock(time.Unix(0, 0)))
}

// inBothColours runs a test in a plain goroutine and in a task of a loop with a virtual clock.
func inBothColours(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Run("goroutine", func(t *testing.T) {
		leakcheck.Test(t)
		test(t, t.Context())
	})
	t.Run("task", func(t *testing.T) {
		virtually(t, func(ctx context.Context) {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (any, error) {
				test(t, ctx)
				return nil, nil
			}))
			require.NoError(t, err)
		})
	})
}

// spawn starts fn in a task whose context only the loop can end.
func spawn(ctx context.Context, fn func(ctx context.Context) error) *repaint.Task[struct{}] {
	return repaint.Spawn(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) })
}

// A job is a function that runs beside the test: a task in a loop, a goroutine elsewhere.
type job struct {
	future *loop.Future[struct{}]
	cancel context.CancelCauseFunc
}

// begin starts fn.
func begin(ctx context.Context, fn func(ctx context.Context) error) *job {
	ctx, cancel := context.WithCancelCause(ctx)
	j := &job{cancel: cancel}
	call := func(ctx context.Context) (struct{}, error) {
		defer cancel(nil)
		return struct{}{}, fn(ctx)
	}
	if repaint.CurrentLoop() != nil {
		j.future = repaint.Spawn(ctx, call).AsFuture()
		return j
	}
	p := loop.NewPromise[struct{}](nil)
	j.future = p.Future()
	go p.Complete(func() (struct{}, error) { return call(ctx) })
	return j
}

// end waits for the job and returns its error.
func (j *job) end(ctx context.Context) error {
	_, err := repaint.Await(context.WithoutCancel(ctx), j.future)
	return err
}

func (j *job) done() bool { return j.future.Done() }

// until lets other tasks and goroutines run until the condition holds.
func until(t *testing.T, ctx context.Context, condition func() bool) {
	t.Helper()
	var moment time.Duration
	if repaint.CurrentLoop() != nil {
		moment = 1 // of a virtual clock, which stands still while there is anything else to do
	}
	for deadline := time.Now().Add(10 * time.Second); !condition(); {
		require.True(t, time.Now().Before(deadline), "it doesn't happen")
		require.NoError(t, repaint.Sleep(ctx, moment))
	}
}

// canceled returns a context that has ended.
func canceled(ctx context.Context) context.Context {
	ctx, cancel := context.WithCancelCause(ctx)
	cancel(errBoom)
	return ctx
}

// recovered returns the value that fn panics with.
func recovered(fn func()) (value any) {
	defer func() { value = recover() }()
	fn()
	return nil
}

// A journal records values in their order, from any goroutine.
type journal[T any] struct {
	mu    sync.Mutex
	lines []T
}

func (j *journal[T]) note(v T) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, v)
}

func (j *journal[T]) read() []T {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]T(nil), j.lines...)
}

// seeds calls test with many seeds for a random program, or with the one that REPAINT_SEED names.
func seeds(t *testing.T, n int, test func(t *testing.T, random *rand.Rand)) {
	t.Helper()
	first, last := uint64(0), uint64(n)
	if testing.Short() {
		last = min(last, 50)
	}
	if s := os.Getenv("REPAINT_SEED"); s != "" {
		seed, err := strconv.ParseUint(s, 10, 64)
		require.NoError(t, err)
		first, last = seed, seed+1
	}
	for seed := first; seed < last && !t.Failed(); seed++ {
		test(t, rand.New(rand.NewPCG(seed, 0)))
		if t.Failed() {
			t.Logf("the seed was %d: REPAINT_SEED=%d repeats it", seed, seed)
		}
	}
}
