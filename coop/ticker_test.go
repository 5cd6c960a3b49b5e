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

func TestTickerDoesNotDrift(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		l := repaint.CurrentLoop()
		start := l.Now()
		tick := coop.NewTicker(10 * time.Second)
		for i := range 5 {
			at, err := tick.Wait(ctx)
			require.NoError(t, err)
			require.Equal(t, time.Duration(10*(i+1))*time.Second, at.Sub(start))
			require.Equal(t, at, l.Now())
			require.NoError(t, repaint.Sleep(ctx, time.Duration(i)*time.Second)) // work
		}
		require.Zero(t, tick.Missed())
	})
}

func TestSlowConsumerGetsOneTickAndTheRestIsCounted(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		l := repaint.CurrentLoop()
		start := l.Now()
		tick := coop.NewTicker(time.Second)
		require.NoError(t, repaint.Sleep(ctx, 3500*time.Millisecond))
		at, err := tick.Wait(ctx)
		require.NoError(t, err)
		require.Equal(t, 3*time.Second, at.Sub(start))
		require.Equal(t, 3500*time.Millisecond, l.Now().Sub(start), "at once")
		require.Equal(t, 2, tick.Missed())
		at, err = tick.Wait(ctx)
		require.NoError(t, err)
		require.Equal(t, 4*time.Second, at.Sub(start))
		require.Equal(t, at, l.Now())
	})
}

func TestTickGoesToTheCallerThatHasWaitedLongest(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		tick := coop.NewTicker(time.Second)
		var order journal[int]
		var jobs []*job
		for i := range 4 {
			jobs = append(jobs, begin(ctx, func(ctx context.Context) error {
				_, err := tick.Wait(ctx)
				order.note(i)
				return err
			}))
		}
		jobs[0].cancel(errBoom)
		jobs[2].cancel(errBoom)
		require.ErrorIs(t, jobs[0].end(ctx), errBoom)
		require.ErrorIs(t, jobs[2].end(ctx), errBoom)
		require.NoError(t, jobs[1].end(ctx))
		require.False(t, jobs[3].done())
		require.NoError(t, jobs[3].end(ctx))
		require.Equal(t, []int{0, 2, 1, 3}, order.read())
		require.Equal(t, 2*time.Second, repaint.CurrentLoop().Now().Sub(time.Unix(0, 0)), "no tick was lost to those who gave up")
	})
}

func TestStopEndsAllWaits(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		tick := coop.NewTicker(time.Hour)
		wait := func(ctx context.Context) error { _, err := tick.Wait(ctx); return err }
		one, two := begin(ctx, wait), begin(ctx, func(ctx context.Context) error {
			for _, err := range tick.All(ctx) {
				return err
			}
			return errBoom
		})
		if repaint.CurrentLoop() == nil {
			until(t, ctx, func() bool { return tick.Waiting() == 1 }) // after the first one
		}
		tick.Stop()
		tick.Stop()
		require.ErrorIs(t, one.end(ctx), coop.ErrStopped)
		require.ErrorIs(t, two.end(ctx), errBoom, "the loop has ended without an error")
		require.ErrorIs(t, wait(ctx), coop.ErrStopped)
		require.ErrorIs(t, wait(canceled(ctx)), errBoom)
	})
}

func TestLoopOverATicker(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		tick := coop.NewTicker(time.Millisecond)
		n := 0
		last := time.Time{}
		for at, err := range tick.All(ctx) {
			require.NoError(t, err)
			require.True(t, at.After(last))
			last = at
			if n++; n == 3 {
				tick.Stop()
			}
		}
		require.Equal(t, 3, n)
		for _, err := range coop.NewTicker(time.Hour).All(canceled(ctx)) {
			require.ErrorIs(t, err, errBoom)
			n++
		}
		require.Equal(t, 4, n)
	})
}

func TestTickerOfALoopIsRefusedElsewhere(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		own, free := coop.NewTicker(time.Millisecond), coop.NewTicker(time.Millisecond, coop.Unbound())
		elsewhere := make(chan error)
		go func() {
			_, err := own.Wait(context.Background())
			elsewhere <- err
			_, err = free.Wait(context.Background())
			elsewhere <- err
		}()
		require.ErrorIs(t, <-elsewhere, repaint.ErrOtherLoop)
		require.NoError(t, <-elsewhere)
		_, err := free.Wait(ctx)
		require.NoError(t, err)
	})
}

func TestTickerThatIsNotStoppedLeavesNothingBehind(t *testing.T) {
	leakcheck.Repeat(t, func() {
		coop.NewTicker(time.Hour)
		_ = run(t.Context(), func(ctx context.Context) {
			begin(ctx, func(ctx context.Context) error { _, err := coop.NewTicker(time.Hour).Wait(ctx); return err })
		})
	})
	require.Contains(t, recovered(func() { coop.NewTicker(0) }), "every 0s")
}
