package repaint_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestTimeoutEndsAWaitOnTheLoopsClock(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		l := repaint.CurrentLoop()
		begun := l.Now()
		check := func(parent context.Context) {
			ctx, cancel := repaint.WithTimeout(parent, time.Hour)
			defer cancel()
			require.NoError(t, ctx.Err())
			err := repaint.Sleep(ctx, 2*time.Hour)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
			require.ErrorIs(t, context.Cause(ctx), context.DeadlineExceeded)
			require.NoError(t, parent.Err())
			_, err = repaint.Await(ctx, loop.NewPromise[int](nil).Future())
			require.ErrorIs(t, err, context.DeadlineExceeded, "so does each further wait")
		}
		check(ctx)
		require.Equal(t, time.Hour, l.Now().Sub(begun))
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			check(ctx)
			check(context.WithValue(ctx, keyOfTest{}, 1))
			return 0, nil
		}))
		require.NoError(t, err)
		require.Equal(t, 3*time.Hour, l.Now().Sub(begun))
	})
}

func TestTimeoutReachesDerivedContextsAndTasks(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		ctx, cancel := repaint.WithTimeout(ctx, time.Minute)
		defer cancel()
		ordinary, stop := context.WithCancel(context.WithValue(ctx, keyOfTest{}, 1))
		defer stop()
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			_, own := context.WithCancel(ctx)
			defer own()
			return 0, repaint.Sleep(ctx, time.Hour)
		})
		derived := repaint.Spawn(ordinary, func(ctx context.Context) (int, error) {
			return 0, repaint.Sleep(ctx, time.Hour)
		})
		for _, task := range []*repaint.Task[int]{task, derived} {
			_, err := repaint.Await(context.WithoutCancel(ctx), task)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		<-ordinary.Done()
		require.ErrorIs(t, ordinary.Err(), context.DeadlineExceeded)
		require.ErrorIs(t, context.Cause(ordinary), context.DeadlineExceeded)
		_, has := ctx.Deadline()
		require.False(t, has, "a virtual moment means nothing to others")
	})
}

func TestCancelledTimeoutIsNoDeadlineExceeded(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		for _, look := range []bool{false, true} {
			ctx, cancel := repaint.WithTimeout(ctx, time.Minute)
			if look {
				_ = ctx.Done()
			}
			cancel()
			require.ErrorIs(t, ctx.Err(), context.Canceled)
			<-ctx.Done()
			require.Equal(t, context.Canceled, context.Cause(ctx))
			cancel()
		}
		require.Zero(t, repaint.CurrentStats().Timers)
	})
}

func TestTimeoutKeepsTheCauseOfItsParent(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		for _, look := range []bool{false, true} {
			parent, cancel := context.WithCancelCause(ctx)
			ctx, stop := repaint.WithTimeout(parent, time.Minute)
			defer stop()
			if look {
				_ = ctx.Done()
			}
			cancel(errBoom)
			err := repaint.Sleep(ctx, time.Hour)
			require.ErrorIs(t, err, errBoom)
			require.ErrorIs(t, err, context.Canceled)
			<-ctx.Done()
			require.Equal(t, errBoom, context.Cause(ctx))
		}
	})
}

func TestTimeoutThatHasPassedEndsAtOnce(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		ctx, cancel := repaint.WithDeadline(ctx, repaint.CurrentLoop().Now())
		defer cancel()
		require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
	})
}

func TestTheNearerOfTwoTimeoutsCounts(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		begun := repaint.CurrentLoop().Now()
		outer, stop := repaint.WithTimeout(ctx, time.Minute)
		defer stop()
		inner, cancel := repaint.WithTimeout(outer, time.Hour)
		defer cancel()
		require.ErrorIs(t, repaint.Sleep(inner, 2*time.Hour), context.DeadlineExceeded)
		require.Equal(t, time.Minute, repaint.CurrentLoop().Now().Sub(begun))
	})
}

func TestTimeoutWorksInBothColoursAndForThoseWhoWaitForTheChannel(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := repaint.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		at, ok := ctx.Deadline()
		require.True(t, ok)
		require.WithinDuration(t, time.Now(), at, time.Minute)
		<-ctx.Done() // this holds the loop up, so that it can't attend to its timer
		require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
		require.ErrorIs(t, repaint.Sleep(ctx, time.Hour), context.DeadlineExceeded)
	})
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := repaint.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		for ctx.Err() == nil { // it can't now, either, and no code has asked for the channel
		}
		require.ErrorIs(t, ctx.Err(), context.DeadlineExceeded)
	})
}

func TestTimeoutMayBeCancelledAnywhere(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		ctx, cancel := repaint.WithTimeout(ctx, time.Hour)
		done := make(chan struct{})
		go func() {
			defer close(done)
			cancel()
		}()
		<-done
		require.ErrorIs(t, ctx.Err(), context.Canceled)
		require.NoError(t, repaint.Sleep(context.WithoutCancel(ctx), 0))
		require.Zero(t, repaint.CurrentStats().Timers)
		return nil
	}))
}

func TestManyTimeoutsLeaveNothingBehind(t *testing.T) {
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		leakcheck.Repeat(t, func() {
			for range 10 {
				inner, cancel := repaint.WithTimeout(ctx, time.Hour)
				_ = inner.Done()
				cancel()
			}
		})
		return nil
	}))
}
