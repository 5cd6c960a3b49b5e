// Package bridgetest tests what the bridge promises to programs: whole scenarios, random programs,
// and drivers that know nothing of it. It exports what these tests share with those of package
// repaint.
package bridgetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// ErrBoom is the error of functions that are meant to fail.
var ErrBoom = errors.New("boom")

// Virtually runs main in a loop with a virtual clock, and looks for leaks.
func Virtually(t *testing.T, main func(ctx context.Context)) {
	t.Helper()
	leakcheck.Test(t)
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		main(ctx)
		return nil
	}, loop.VirtualClock(time.Unix(0, 0)))
	require.NoError(t, err)
}

// InBothColours runs a test in a plain goroutine and in a task of a loop.
func InBothColours(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Run("goroutine", func(t *testing.T) {
		leakcheck.Test(t)
		test(t, t.Context())
	})
	t.Run("task", func(t *testing.T) {
		leakcheck.Test(t)
		err := repaint.Run(t.Context(), func(ctx context.Context) error {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (any, error) {
				test(t, ctx)
				return nil, nil
			}))
			return err
		})
		require.NoError(t, err)
	})
}

// Later returns an outside future that another goroutine completes.
func Later[T any](v T) *loop.Future[T] {
	p := loop.NewPromise[T](nil)
	go p.Resolve(v)
	return p.Future()
}

// Panics panics with ErrBoom.
func Panics() int { panic(ErrBoom) }

// Recovered calls fn and returns what it panicked with.
func Recovered(fn func()) (p *loop.PanicError) {
	defer func() { p, _ = recover().(*loop.PanicError) }()
	fn()
	return nil
}

// Key is the key of a context's value.
type Key struct{}

// Sleeper returns a function that returns v after some milliseconds, unless its context ends
// before.
func Sleeper(v int, ms int) func(ctx context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		return v, repaint.Sleep(ctx, time.Duration(ms)*time.Millisecond)
	}
}

// Failing is Sleeper for an error.
func Failing(err error, ms int) func(ctx context.Context) (int, error) {
	return func(ctx context.Context) (int, error) {
		return 0, errors.Join(repaint.Sleep(ctx, time.Duration(ms)*time.Millisecond), err)
	}
}

// Spawn is repaint.Spawn for a function without a result.
func Spawn(ctx context.Context, fn func(ctx context.Context) error, opts ...repaint.TaskOption) *repaint.Task[struct{}] {
	return repaint.Spawn(ctx, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }, opts...)
}
