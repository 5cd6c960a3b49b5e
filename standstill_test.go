package repaint_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestTheEndOfRunsOwnContextIsNoDeadlock(t *testing.T) {
	for clock, opts := range clocks {
		for name, makeContext := range endable {
			t.Run(name+", "+clock+" clock", func(t *testing.T) {
				leakcheck.Test(t)
				ctx, end := makeContext(t.Context())
				time.AfterFunc(time.Millisecond, end)
				require.ErrorIs(t, repaint.Run(ctx, func(ctx context.Context) error { return coop.NewEvent().Wait(ctx) }, opts...), context.Canceled)
			})
		}
		for name, makeContext := range ending {
			t.Run(name+", "+clock+" clock", func(t *testing.T) {
				leakcheck.Test(t)
				err := repaint.Run(makeContext(t.Context()), func(ctx context.Context) error { return coop.NewEvent().Wait(ctx) }, opts...)
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
	}
}

// A program that can only be told to stop is in a deadlock nevertheless. Its main function learns
// of it after a while.
func TestOnlyTheEndOfRunsOwnContextIsWaitedForNotForEver(t *testing.T) {
	repaint.SetRunPatience(t, 10*time.Millisecond)
	for clock, opts := range clocks {
		t.Run(clock+" clock", func(t *testing.T) {
			leakcheck.Test(t)
			require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
				began := time.Now()
				for n := range 3 {
					var dead *repaint.DeadlockError
					require.ErrorAs(t, coop.NewEvent().Wait(ctx), &dead)
					require.GreaterOrEqual(t, time.Since(began), 10*time.Millisecond)
					require.NoError(t, repaint.Sleep(ctx, 1), "round %d", n)
					began = time.Now()
				}
				return nil
			}, opts...))
		})
	}
}

// The loop can't tell a deadlock from a wait for an end that code outside brings about. So that is
// no error, but it isn't silent either.
func TestAStandstillThatOthersCanEndIsReportedOnce(t *testing.T) {
	repaint.SetSuspicion(t, 5*time.Millisecond)
	for clock, opts := range clocks {
		t.Run(clock+" clock", func(t *testing.T) {
			leakcheck.Test(t)
			reports := make(chan error, 10)
			reported := make(chan struct{}, 10)
			require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
				for _, wait := range []func(){func() { <-reported }, func() { time.Sleep(30 * time.Millisecond) }} {
					c, cancel := context.WithCancel(ctx)
					task := repaint.Spawn(c, forever[int], repaint.Named("forgotten"))
					go func() { wait(); cancel() }()
					_, err := repaint.Await(ctx, task)
					require.ErrorIs(t, err, context.Canceled)
				}
				return nil
			}, append(opts, loop.ReportTo(func(err error) { reports <- err; reported <- struct{}{} }))...))
			err := <-reports
			require.Empty(t, reports)
			var still *repaint.StandstillError
			require.ErrorAs(t, err, &still)
			require.ErrorIs(t, err, loop.ErrDeadlock)
			require.Equal(t, 5*time.Millisecond, still.For)
			require.Len(t, still.Waiting, 2)
			require.ErrorContains(t, err, "the main function waits for task 1 (forgotten)")
			require.Regexp(t, `\(forgotten\) .* waits for a future of the loop`, still.Waiting[1])
		})
	}
}

// An event that will certainly come is no reason for a report.
func TestAWaitForADeadlineIsNoStandstill(t *testing.T) {
	repaint.SetSuspicion(t, time.Millisecond)
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		c, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, coop.NewEvent().Wait(c), context.DeadlineExceeded)
		return nil
	}, loop.ReportTo(func(err error) { t.Error(err) })))
}

// A task that still has work to do when Run ends may wait with a context of its own.
func TestTheEndOfRunWaitsForContextsThatEnd(t *testing.T) {
	leakcheck.Test(t)
	var last error
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		spawn(ctx, func(ctx context.Context) error {
			_, err := forever[int](ctx)
			require.ErrorIs(t, err, context.Canceled)
			last = coop.NewEvent().Wait(soon(context.WithoutCancel(ctx)))
			return last
		})
		return nil
	}))
	require.ErrorIs(t, last, context.DeadlineExceeded)
}
