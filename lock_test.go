package repaint_test

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

// locked calls fn in another state of thread locking, if greenlets can see that on this system.
func locked(t *testing.T, fn func()) {
	before := greenlet.CurrentThreadLock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if greenlet.CurrentThreadLock() == before {
		t.Skip("the state of thread locking can't be seen on this system")
	}
	fn()
}

// A task that can't start fails; the others, and Run, go on.
func TestSpawnUnderALockedThreadFailsThatTask(t *testing.T) {
	for _, carriers := range []int{0, 1} {
		leakcheck.Test(t)
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			other := spawn(ctx, func(ctx context.Context) error { return repaint.Sleep(ctx, 1) })
			for range carriers {
				require.True(t, spawn(ctx, func(context.Context) error { return nil }).Done())
			}
			refuse := func(ctx context.Context) {
				locked(t, func() {
					refused := spawn(ctx, func(context.Context) error { t.Error("must not run"); return nil })
					require.True(t, refused.Done())
					_, err := refused.Result()
					require.ErrorIs(t, err, greenlet.ErrThreadLock)
					require.ErrorContains(t, err, "Spawn was called by a goroutine locked to")
					g := repaint.NewGroup(ctx)
					g.Go(func(context.Context) error { t.Error("must not run"); return nil })
					require.ErrorIs(t, g.Wait(), greenlet.ErrThreadLock)
					require.NotContains(t, g.Wait().Error(), "Await", "it has nothing to wait for")
				})
			}
			refuse(ctx)
			inside := spawn(ctx, func(ctx context.Context) error { refuse(ctx); return repaint.Sleep(ctx, 1) })
			for _, task := range []*repaint.Task[struct{}]{other, inside} {
				_, err := repaint.Await(ctx, task)
				require.NoError(t, err)
			}
			return nil
		}))
	}
}

func TestAwaitUnderALockedThreadIsRefusedAndHarmsNothing(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		task := spawn(ctx, func(ctx context.Context) error { return repaint.Sleep(ctx, 1) })
		locked(t, func() {
			_, err := repaint.Await(ctx, task)
			require.ErrorIs(t, err, greenlet.ErrThreadLock)
			require.ErrorIs(t, repaint.Sleep(ctx, 1), greenlet.ErrThreadLock)
		})
		_, err := repaint.Await(ctx, task)
		return err
	}))
}

func TestRunMayBeLockedAllTheTime(t *testing.T) {
	leakcheck.Test(t)
	locked(t, func() {
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			_, err := repaint.Gather(ctx, failsNot, failsNot)
			return err
		}))
	})
}

func failsNot(ctx context.Context) (int, error) { return 1, repaint.Sleep(ctx, 1) }
