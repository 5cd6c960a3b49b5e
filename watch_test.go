package repaint_test

import (
	"context"
	"runtime/metrics"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// goroutinesMade returns how many goroutines the program has made.
func goroutinesMade(t *testing.T) uint64 {
	t.Helper()
	sample := []metrics.Sample{{Name: "/sched/goroutines-created:goroutines"}}
	metrics.Read(sample)
	require.Equal(t, metrics.KindUint64, sample[0].Value.Kind())
	return sample[0].Value.Uint64()
}

// waitOnce waits with a context of its own, and then ends that, like code that gives one call a
// limit.
func waitOnce(ctx context.Context, waits int) error {
	limited, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	for range waits {
		p := loop.NewPromise[int](repaint.CurrentLoop())
		repaint.CurrentLoop().CallSoon(func() { p.Resolve(1) })
		if _, err := repaint.Await(limited, p.Future()); err != nil {
			return err
		}
	}
	return nil
}

// Package context reports an end in a goroutine, which would wake the loop for nothing.
func TestTheEndOfAContextOfOneWaitMakesNoGoroutine(t *testing.T) {
	const times = 200
	for _, where := range []struct {
		name string
		main func(ctx context.Context, fn func(ctx context.Context) error) error
	}{
		{"in a task", func(ctx context.Context, fn func(ctx context.Context) error) error {
			_, err := repaint.Await(ctx, spawn(ctx, fn))
			return err
		}},
		{"in the main function", func(ctx context.Context, fn func(ctx context.Context) error) error { return fn(ctx) }},
	} {
		t.Run(where.name, func(t *testing.T) {
			require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
				return where.main(ctx, func(ctx context.Context) error {
					before := goroutinesMade(t)
					for range times {
						if err := waitOnce(ctx, 1); err != nil {
							return err
						}
					}
					require.Less(t, goroutinesMade(t)-before, uint64(times/2))
					return nil
				})
			}))
		})
	}
}

// A context with several waits ends each of them, whether or not the loop still watches it for the
// wait before.
func TestAContextEndsEachOfItsWaits(t *testing.T) {
	for _, make := range []struct {
		name string
		fn   func(ctx context.Context) (context.Context, context.CancelFunc)
	}{
		{"an ordinary context", context.WithCancel},
		{"a scope", func(ctx context.Context) (context.Context, context.CancelFunc) {
			return repaint.WithTimeout(ctx, time.Hour)
		}},
	} {
		t.Run(make.name, func(t *testing.T) {
			inBothColours(t, func(t *testing.T, ctx context.Context) {
				other, cancel := make.fn(ctx)
				defer cancel()
				for waits := range 4 { // that end by themselves, before the one that the context ends
					limited, cancel := make.fn(ctx)
					for range waits {
						require.NoError(t, repaint.Sleep(limited, time.Microsecond))
					}
					if waits == 3 { // and then again, after a wait with another
						require.NoError(t, repaint.Sleep(other, time.Microsecond))
					}
					go cancel()
					require.ErrorIs(t, repaint.Sleep(limited, time.Hour), context.Canceled)
					cancel()
				}
			})
		})
	}
}
