package coop_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
)

func TestBarrierLetsAllGoTogether(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		b := coop.NewBarrier(5)
		require.Equal(t, 5, b.Parties())
		var indexes journal[int]
		g := repaint.NewGroup(ctx)
		for range 5 {
			g.Go(func(ctx context.Context) error {
				for range 10 {
					i, err := b.Wait(ctx)
					if err != nil {
						return err
					}
					indexes.note(i)
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		all := indexes.read()
		slices.Sort(all)
		for i, index := range all {
			require.Equal(t, i/10, index, "each index once in each round")
		}
		require.Zero(t, b.Waiting())
	})
}

func TestIndexIsTheOrderOfArrival(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		b := coop.NewBarrier(4)
		got := make([]int, 4)
		var jobs []*job
		for i := range 3 {
			jobs = append(jobs, begin(ctx, func(ctx context.Context) (err error) { got[i], err = b.Wait(ctx); return err }))
			until(t, ctx, func() bool { return b.Waiting() == i+1 })
		}
		// A caller that leaves makes the others move up, so that each number is given once.
		gone := begin(ctx, func(ctx context.Context) error { _, err := b.Wait(ctx); return err })
		require.NoError(t, gone.end(ctx), "the fourth doesn't wait")
		for _, j := range jobs {
			require.NoError(t, j.end(ctx))
		}
		require.Equal(t, []int{0, 1, 2, 0}, got)
	})
}

func TestCancelledPartyDoesNotCount(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		b := coop.NewBarrier(3)
		got := make([]int, 3)
		wait := func(i int) *job {
			n := b.Waiting()
			j := begin(ctx, func(ctx context.Context) (err error) { got[i], err = b.Wait(ctx); return err })
			until(t, ctx, func() bool { return b.Waiting() == n+1 })
			return j
		}
		gone, stays := wait(0), wait(1)
		gone.cancel(errBoom)
		require.ErrorIs(t, gone.end(ctx), errBoom)
		require.Equal(t, 1, b.Waiting())
		require.False(t, b.Broken())
		other := wait(2)
		i, err := b.Wait(ctx)
		require.NoError(t, err)
		require.Equal(t, 2, i)
		require.NoError(t, stays.end(ctx))
		require.NoError(t, other.end(ctx))
		require.Equal(t, []int{0, 0, 1}, got)
	})
}

func TestBrokenBarrier(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		b := coop.NewBarrier(3)
		wait := func(ctx context.Context) error { _, err := b.Wait(ctx); return err }
		two := []*job{begin(ctx, wait), begin(ctx, wait)}
		until(t, ctx, func() bool { return b.Waiting() == 2 })
		b.Reset()
		for _, j := range two {
			require.ErrorIs(t, j.end(ctx), coop.ErrBarrierBroken)
		}
		require.False(t, b.Broken(), "after a reset it's as new")

		one := begin(ctx, wait)
		until(t, ctx, func() bool { return b.Waiting() == 1 })
		b.Abort()
		require.ErrorIs(t, one.end(ctx), coop.ErrBarrierBroken)
		require.True(t, b.Broken())
		require.ErrorIs(t, wait(ctx), coop.ErrBarrierBroken)
		b.Reset()
		two = []*job{begin(ctx, wait), begin(ctx, wait)}
		require.NoError(t, wait(ctx))
		require.NoError(t, two[0].end(ctx))
		require.NoError(t, two[1].end(ctx))
		require.ErrorIs(t, wait(canceled(ctx)), errBoom)
	})
}

func TestBarrierForOneNeverWaits(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		b := coop.NewBarrier(1)
		i, err := b.Wait(ctx)
		require.NoError(t, err)
		require.Zero(t, i)
		require.Contains(t, recovered(func() { coop.NewBarrier(0) }), "for 0 parties")
	})
}

func TestCompleteBarrierWinsOverALaterCancelAndAbort(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		b := coop.NewBarrier(2)
		j := begin(ctx, func(ctx context.Context) error { _, err := b.Wait(ctx); return err })
		_, err := b.Wait(ctx)
		require.NoError(t, err)
		j.cancel(errBoom)
		b.Abort()
		require.NoError(t, j.end(ctx))
		require.NoError(t, repaint.Sleep(ctx, time.Second))
		require.True(t, b.Broken())
	})
}
