package coop_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

func TestEventLetsAllGo(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var e coop.Event
		require.False(t, e.IsSet())
		jobs := make([]*job, 10)
		for i := range jobs {
			jobs[i] = begin(ctx, e.Wait)
		}
		e.Set()
		e.Set()
		for _, j := range jobs {
			require.NoError(t, j.end(ctx))
		}
		require.True(t, e.IsSet())
		require.NoError(t, e.Wait(ctx))
		require.ErrorIs(t, e.Wait(canceled(ctx)), errBoom)
	})
}

func TestEventThatIsClearedAtOnceStillWakesItsWaiters(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		e := coop.NewEvent()
		early := begin(ctx, e.Wait)
		e.Set()
		e.Clear()
		late := begin(ctx, e.Wait)
		require.NoError(t, early.end(ctx))
		require.NoError(t, repaint.Sleep(ctx, time.Second))
		require.False(t, late.done())
		require.False(t, e.IsSet())
		e.Set()
		require.NoError(t, late.end(ctx))
	})
}

func TestCancelOfAWaiterForAnEventLeavesTheOthers(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		e := coop.NewEvent()
		one, other := begin(ctx, e.Wait), begin(ctx, e.Wait)
		one.cancel(errBoom)
		require.ErrorIs(t, one.end(ctx), errBoom)
		require.False(t, other.done())
		e.Set()
		require.NoError(t, other.end(ctx))
	})
}

func TestEventWinsOverACancelThatComesAtTheSameMoment(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		for _, cancelFirst := range []bool{false, true} {
			e := coop.NewEvent()
			j := begin(ctx, e.Wait)
			if cancelFirst {
				j.cancel(errBoom)
			}
			e.Set()
			j.cancel(errBoom)
			require.NoError(t, j.end(ctx))
		}
	})
}

func TestEventBetweenLoopsAndGoroutines(t *testing.T) {
	leakcheck.Test(t)
	var there, back coop.Event
	j := begin(t.Context(), func(ctx context.Context) error {
		return repaint.Run(ctx, func(ctx context.Context) error {
			back.Set()
			return there.Wait(ctx)
		})
	})
	require.NoError(t, back.Wait(t.Context()))
	there.Set()
	require.NoError(t, j.end(t.Context()))
}
