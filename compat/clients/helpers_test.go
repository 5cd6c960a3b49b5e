package clients

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

// work is functions that need each other's progress.
type work []func(ctx context.Context) error

// atOnce runs work in goroutines, or in a loop as tasks.
func atOnce(ctx context.Context, all work) error {
	if repaint.CurrentLoop() == nil {
		g, ctx := errgroup.WithContext(ctx)
		for _, f := range all {
			g.Go(func() error { return f(ctx) })
		}
		return g.Wait()
	}
	g := repaint.NewGroup(ctx)
	for _, f := range all {
		g.Go(f)
	}
	return g.Wait()
}

// inBothColours runs a test in a plain goroutine and in a loop.
func inBothColours(t *testing.T, test func(ctx context.Context, t *testing.T)) {
	t.Run("goroutine", func(t *testing.T) {
		leakcheck.Test(t)
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		test(ctx, t)
	})
	t.Run("loop", func(t *testing.T) {
		leakcheck.Test(t)
		ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
		defer cancel()
		require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
			test(ctx, t)
			return nil
		}))
	})
}
