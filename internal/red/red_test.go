package red_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/red"
	"github.com/seed1239206e/repaint/loop"
)

var errBroken = errors.New("broken")

// inEachPlace calls test with a call that makes red calls: in a plain goroutine, in the main
// function of a loop, and in a callback of one.
func inEachPlace(t *testing.T, test func(t *testing.T, ctx context.Context, call func(fn func(ctx context.Context) (int, error)) *loop.Future[int])) {
	t.Run("goroutine", func(t *testing.T) {
		leakcheck.Test(t)
		test(t, t.Context(), func(fn func(ctx context.Context) (int, error)) *loop.Future[int] { return red.Call(t.Context(), fn) })
	})
	t.Run("main function", func(t *testing.T) {
		leakcheck.Test(t)
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			test(t, ctx, func(fn func(ctx context.Context) (int, error)) *loop.Future[int] { return red.Call(ctx, fn) })
			return nil
		}))
	})
	t.Run("callback", func(t *testing.T) {
		leakcheck.Test(t)
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			test(t, ctx, func(fn func(ctx context.Context) (int, error)) *loop.Future[int] {
				made := loop.NewPromise[*loop.Future[int]](nil)
				repaint.CurrentLoop().CallSoon(func() { made.Resolve(red.Call(ctx, fn)) })
				future, err := repaint.Await(ctx, made.Future())
				require.NoError(t, err)
				return future
			})
			return nil
		}))
	})
}

func TestResultsAndErrorsAreTheSameEverywhere(t *testing.T) {
	inEachPlace(t, func(t *testing.T, ctx context.Context, call func(fn func(ctx context.Context) (int, error)) *loop.Future[int]) {
		n, err := repaint.Await(ctx, call(func(context.Context) (int, error) { return 7, nil }))
		require.NoError(t, err)
		require.Equal(t, 7, n)
		n, err = repaint.Await(ctx, call(func(context.Context) (int, error) { return 8, errBroken }))
		require.ErrorIs(t, err, errBroken)
		require.Equal(t, 8, n)
	})
}

func TestACancelledFutureEndsTheContextOfTheCodeEverywhere(t *testing.T) {
	inEachPlace(t, func(t *testing.T, ctx context.Context, call func(fn func(ctx context.Context) (int, error)) *loop.Future[int]) {
		never := loop.NewPromise[int](nil)
		future := call(func(ctx context.Context) (int, error) { return repaint.Await(ctx, never.Future()) })
		require.True(t, future.Cancel(errBroken))
		_, err := repaint.Await(ctx, future)
		require.ErrorIs(t, err, errBroken)
	})
}

func TestPanicsReachTheCodeThatAwaitsEverywhere(t *testing.T) {
	inEachPlace(t, func(t *testing.T, ctx context.Context, call func(fn func(ctx context.Context) (int, error)) *loop.Future[int]) {
		future := call(func(context.Context) (int, error) { panic(errBroken) })
		defer func() {
			err, _ := recover().(error)
			var p *loop.PanicError
			require.ErrorAs(t, err, &p)
			require.ErrorIs(t, err, errBroken)
		}()
		_, err := repaint.Await(ctx, future)
		t.Error("Await returned", err)
	})
}
