package repaint_test

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

var errBoom = errors.New("boom")

// virtually runs main in a loop with a virtual clock, and looks for leaks.
func virtually(t *testing.T, main func(ctx context.Context)) {
	t.Helper()
	leakcheck.Test(t)
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		main(ctx)
		return nil
	}, loop.WithVirtualClock(time.Unix(0, 0)))
	require.NoError(t, err)
}

// inBothColours runs a test in a plain goroutine and in a task of a loop.
func inBothColours(t *testing.T, test func(t *testing.T, ctx context.Context)) {
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

// later returns an outside future that another goroutine completes.
func later[T any](v T) *loop.Future[T] {
	p := loop.NewPromise[T](nil)
	go p.Resolve(v)
	return p.Future()
}

func panics() int { panic(errBoom) }

func recovered(fn func()) (p *loop.PanicError) {
	defer func() { p, _ = recover().(*loop.PanicError) }()
	fn()
	return nil
}
