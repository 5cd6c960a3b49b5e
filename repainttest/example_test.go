package repainttest_test

import (
	"context"
	"testing"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/repainttest"
)

func ExampleExplore() {
	// In a test file:
	_ = func(t *testing.T) {
		repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
			sum := 0
			g := repaint.NewGroup(ctx)
			for i := range 10 {
				g.Go(func(ctx context.Context) error {
					if err := repaint.Sleep(ctx, 0); err != nil {
						return err
					}
					sum += i // no lock: tasks of one loop take turns
					return nil
				})
			}
			if err := g.Wait(); err != nil || sum != 45 {
				t.Errorf("the sum is %d, error %v", sum, err)
			}
		})
	}
}
