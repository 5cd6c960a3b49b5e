package coop_test

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

type contextKey struct{}

func TestCallersOfOneKeyShareARun(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var s coop.Shared[string, int]
		var gate coop.Event
		var runs atomic.Int32
		call := func(key string) *job {
			return begin(ctx, func(ctx context.Context) error {
				v, err := s.Do(ctx, key, func(ctx context.Context) (int, error) {
					runs.Add(1)
					return len(key), gate.Wait(ctx)
				})
				if v != len(key) {
					t.Errorf("%d for %s", v, key)
				}
				return err
			})
		}
		jobs := []*job{call("a"), call("a"), call("bb"), call("a")}
		until(t, ctx, func() bool { return s.Waiting("a") == 3 && s.Waiting("bb") == 1 })
		gate.Set()
		for _, j := range jobs {
			require.NoError(t, j.end(ctx))
		}
		require.EqualValues(t, 2, runs.Load())
		require.NoError(t, call("a").end(ctx))
		require.EqualValues(t, 3, runs.Load(), "it's no cache")
		require.Zero(t, s.Flights())
	})
}

func TestErrorsAndPanicsReachAllCallers(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var s coop.Shared[int, int]
		for _, panics := range []bool{false, true} {
			var gate coop.Event
			call := func(ctx context.Context) (err error) {
				defer func() {
					if p, ok := recover().(*loop.PanicError); ok {
						err = fmt.Errorf("raised: %w", p)
					}
				}()
				_, err = s.Do(ctx, 1, func(ctx context.Context) (int, error) {
					_ = gate.Wait(ctx)
					if panics {
						panic(errBoom)
					}
					return 0, errBoom
				})
				return err
			}
			jobs := []*job{begin(ctx, call), begin(ctx, call), begin(ctx, call)}
			until(t, ctx, func() bool { return s.Waiting(1) == 3 })
			gate.Set()
			for _, j := range jobs {
				require.ErrorIs(t, j.end(ctx), errBoom)
			}
		}
	})
}

func TestRunHasTheValuesOfTheFirstCallerButNotItsEnd(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		s := coop.NewShared[int, string]()
		gate := coop.NewEvent()
		call := func(name string, got *string) *job {
			return begin(context.WithValue(ctx, contextKey{}, name), func(ctx context.Context) (err error) {
				*got, err = s.Do(ctx, 1, func(ctx context.Context) (string, error) {
					return ctx.Value(contextKey{}).(string), gate.Wait(ctx)
				})
				return err
			})
		}
		var one, two string
		first := call("first", &one)
		until(t, ctx, func() bool { return s.Waiting(1) == 1 })
		second := call("second", &two)
		until(t, ctx, func() bool { return s.Waiting(1) == 2 })
		first.cancel(errBoom)
		require.ErrorIs(t, first.end(ctx), errBoom)
		require.Equal(t, 1, s.Waiting(1))
		gate.Set()
		require.NoError(t, second.end(ctx))
		require.Equal(t, "first", two)
	})
}

func TestRunEndsWhenAllHaveGivenUp(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		s := coop.NewShared[int, int]()
		ended := loop.NewPromise[error](nil)
		call := func(ctx context.Context) error {
			_, err := s.Do(ctx, 1, func(ctx context.Context) (int, error) {
				err := repaint.Sleep(ctx, time.Hour)
				ended.Resolve(context.Cause(ctx))
				return 0, err
			})
			return err
		}
		one, two := begin(ctx, call), begin(ctx, call)
		until(t, ctx, func() bool { return s.Waiting(1) == 2 })
		one.cancel(errBoom)
		two.cancel(errBoom)
		require.ErrorIs(t, one.end(ctx), errBoom)
		require.ErrorIs(t, two.end(ctx), errBoom)
		cause, err := repaint.Await(ctx, ended.Future())
		require.NoError(t, err)
		require.ErrorContains(t, cause, "no caller waits")
		require.Zero(t, s.Waiting(1))

		// A caller that comes now begins anew.
		v, err := s.Do(ctx, 1, func(context.Context) (int, error) { return 5, nil })
		require.NoError(t, err)
		require.Equal(t, 5, v)
	})
}

func TestForget(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		s := coop.NewShared[int, int]()
		var gate coop.Event
		var runs atomic.Int32
		fn := func(ctx context.Context) (int, error) { return int(runs.Add(1)), gate.Wait(ctx) }
		var old int
		j := begin(ctx, func(ctx context.Context) (err error) { old, err = s.Do(ctx, 1, fn); return err })
		until(t, ctx, func() bool { return runs.Load() == 1 })
		s.Forget(1)
		var fresh int
		k := begin(ctx, func(ctx context.Context) (err error) { fresh, err = s.Do(ctx, 1, fn); return err })
		until(t, ctx, func() bool { return runs.Load() == 2 })
		gate.Set()
		require.NoError(t, j.end(ctx))
		require.NoError(t, k.end(ctx))
		require.Equal(t, []int{1, 2}, []int{old, fresh})
		require.Zero(t, s.Flights())
	})
}

func TestGoexitInARunContinuesInTheCallers(t *testing.T) {
	leakcheck.Test(t)
	var s coop.Shared[int, int]
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = s.Do(context.Background(), 1, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
		returned = true
	}()
	<-done
	require.False(t, returned)
}

func TestPanicWithoutWaitingCallersIsRaisedByRun(t *testing.T) {
	leakcheck.Test(t)
	var s coop.Shared[int, int]
	p := recovered(func() {
		_ = run(t.Context(), func(ctx context.Context) {
			j := begin(ctx, func(ctx context.Context) error {
				_, err := s.Do(ctx, 1, func(ctx context.Context) (int, error) {
					_ = repaint.Sleep(ctx, time.Hour)
					panic(errBoom)
				})
				return err
			})
			j.cancel(nil)
			_ = j.end(ctx)
			_ = repaint.Sleep(ctx, time.Second)
		})
	})
	require.ErrorIs(t, p.(error), errBoom)
}

func TestRunWhoseLoopEndsBeginsAgainForACallerElsewhere(t *testing.T) {
	leakcheck.Test(t)
	var s coop.Shared[int, string]
	var begun coop.Event
	var elsewhere *job
	var got string
	require.NoError(t, run(t.Context(), func(ctx context.Context) {
		begin(ctx, func(ctx context.Context) error {
			_, err := s.Do(ctx, 1, func(ctx context.Context) (string, error) {
				begun.Set()
				return "in the loop", repaint.Sleep(ctx, time.Hour)
			})
			return err
		})
		started := make(chan struct{})
		go func() {
			defer close(started)
			elsewhere = begin(context.Background(), func(ctx context.Context) (err error) {
				got, err = s.Do(ctx, 1, func(context.Context) (string, error) { return "elsewhere", nil })
				return err
			})
		}()
		<-started
		for s.Waiting(1) < 2 {
			runtime.Gosched() // without giving the loop a chance to pass an hour
		}
	}))
	require.NoError(t, elsewhere.end(t.Context()))
	require.Equal(t, "elsewhere", got)
	require.Zero(t, s.Flights())
}
