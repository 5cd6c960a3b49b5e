package coop_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/greenlet"
)

func TestSemaphoreLetsSoManyIn(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		s := coop.NewSemaphore(3)
		require.Equal(t, 3, s.Size())
		var inside, most atomic.Int32
		g := repaint.NewGroup(ctx)
		for i := range 30 {
			n := 1 + i%3
			g.Go(func(ctx context.Context) error {
				if err := s.Acquire(ctx, n); err != nil {
					return err
				}
				defer s.Release(n)
				now := inside.Add(int32(n))
				defer inside.Add(-int32(n))
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				return repaint.Sleep(ctx, 0)
			})
		}
		require.NoError(t, g.Wait())
		require.EqualValues(t, 3, most.Load())
		require.Equal(t, 3, s.Free())
	})
}

func TestSmallDemandsDoNotOvertakeALargeOne(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		s := coop.NewSemaphore(4)
		require.NoError(t, s.Acquire(ctx, 3))
		large := begin(ctx, func(ctx context.Context) error { return s.Acquire(ctx, 4) })
		until(t, ctx, func() bool { return s.Waiting() == 1 })
		require.False(t, s.TryAcquire(1), "though one is free")
		small := begin(ctx, func(ctx context.Context) error { return s.Acquire(ctx, 1) })
		until(t, ctx, func() bool { return s.Waiting() == 2 })
		s.Release(3)
		require.NoError(t, large.end(ctx))
		require.False(t, small.done())
		s.Release(4)
		require.NoError(t, small.end(ctx))
		require.Equal(t, 3, s.Free())
	})
}

func TestCancelOfALargeDemandLetsLaterSmallOnesIn(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		s := coop.NewSemaphore(4)
		require.NoError(t, s.Acquire(ctx, 2))
		large := begin(ctx, func(ctx context.Context) error { return s.Acquire(ctx, 3) })
		until(t, ctx, func() bool { return s.Waiting() == 1 })
		one := begin(ctx, func(ctx context.Context) error { return s.Acquire(ctx, 1) })
		until(t, ctx, func() bool { return s.Waiting() == 2 })
		two := begin(ctx, func(ctx context.Context) error { return s.Acquire(ctx, 1) })
		until(t, ctx, func() bool { return s.Waiting() == 3 })
		large.cancel(errBoom)
		require.ErrorIs(t, large.end(ctx), errBoom)
		require.NoError(t, one.end(ctx))
		require.NoError(t, two.end(ctx))
		require.Zero(t, s.Free())
		require.Zero(t, s.Waiting())
	})
}

func TestReleaseServesSeveralAtOnce(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		s := coop.NewSemaphore(4)
		require.NoError(t, s.Acquire(ctx, 4))
		jobs := make([]*job, 6)
		for i := range jobs {
			jobs[i] = begin(ctx, func(ctx context.Context) error { return s.Acquire(ctx, 1) })
		}
		s.Release(4)
		require.Equal(t, 2, s.Waiting())
		for _, j := range jobs[:4] {
			require.NoError(t, j.end(ctx))
		}
		require.False(t, jobs[4].done())
		s.Release(2)
		require.NoError(t, jobs[4].end(ctx))
		require.NoError(t, jobs[5].end(ctx))
	})
}

func TestPermitsOfAWaiterThatIsCancelledAtThatMomentAreKept(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		s := coop.NewSemaphore(2)
		require.NoError(t, s.Acquire(ctx, 2))
		j := begin(ctx, func(ctx context.Context) error { return s.Acquire(ctx, 2) })
		s.Release(2)
		j.cancel(errBoom)
		require.NoError(t, j.end(ctx))
		require.Zero(t, s.Free())
	})
}

func TestWhatASemaphoreRefuses(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		s := coop.NewSemaphore(2)
		require.ErrorIs(t, s.Acquire(ctx, 3), coop.ErrTooLarge)
		require.False(t, s.TryAcquire(3))
		require.NoError(t, s.Acquire(ctx, 0))
		s.Release(0)
		require.ErrorIs(t, s.Acquire(canceled(ctx), 1), errBoom)
		require.Contains(t, recovered(func() { _ = s.Acquire(ctx, -1) }), "weight of -1")
		require.Contains(t, recovered(func() { s.TryAcquire(-1) }), "weight of -1")
		require.Contains(t, recovered(func() { s.Release(-1) }), "weight of -1")
		require.Contains(t, recovered(func() { s.Release(1) }), "more than was acquired")
		require.True(t, s.TryAcquire(1))
		require.Contains(t, recovered(func() { s.Release(2) }), "more than was acquired")
		require.Contains(t, recovered(func() { coop.NewSemaphore(0) }), "size of 0")
		require.Equal(t, 1, s.Free())
	})
}

func TestPermitsOfAKilledWaiterGoToTheNext(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		s := coop.NewSemaphore(2)
		require.NoError(t, s.Acquire(ctx, 2))
		var own *greenlet.Greenlet
		killed := begin(ctx, func(ctx context.Context) error {
			own = greenlet.Current()
			return s.Acquire(ctx, 2)
		})
		next := begin(ctx, func(ctx context.Context) error { return s.Acquire(ctx, 1) })
		s.Release(2)
		require.NoError(t, own.Kill())
		require.ErrorIs(t, killed.end(ctx), greenlet.ErrExit)
		require.NoError(t, next.end(ctx))
		require.Equal(t, 1, s.Free())
	})
}
