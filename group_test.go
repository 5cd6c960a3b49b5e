package repaint_test

import (
	"context"
	"errors"
	"log/slog"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestGroupJoinsAll(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var n atomic.Int32
		g := repaint.NewGroup(ctx)
		for range 10 {
			g.Go(func(ctx context.Context) error {
				g.Go(func(ctx context.Context) error { n.Add(1); return repaint.Sleep(ctx, time.Millisecond) })
				return repaint.Sleep(ctx, time.Millisecond)
			})
		}
		require.NoError(t, g.Wait())
		require.EqualValues(t, 10, n.Load())
		require.Panics(t, func() { g.Go(func(context.Context) error { return nil }) })
	})
}

func TestFirstErrorCancelsTheRest(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		late := errors.New("while cleaning up")
		var seen atomic.Int32
		g := repaint.NewGroup(ctx)
		for i := range 5 {
			g.Go(func(ctx context.Context) error {
				err := repaint.Sleep(ctx, time.Hour)
				if errors.Is(err, errBoom) {
					seen.Add(1)
				}
				if i == 3 {
					return late
				}
				return err
			})
		}
		g.Go(func(ctx context.Context) error { return errBoom })
		err := g.Wait()
		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, err, late)
		require.EqualValues(t, 5, seen.Load())
		require.NotContains(t, err.Error(), "canceled", "who was only cancelled isn't listed")
		require.NoError(t, ctx.Err())
	})
}

func TestOneErrorIsReturnedAsItIs(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
		g.Go(func(ctx context.Context) error { return errBoom })
		require.Equal(t, errBoom, g.Wait())
	})
}

func TestCancelOfAGroupsContextCancelsAndWaits(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		var ended atomic.Int32
		g := repaint.NewGroup(ctx)
		for range 3 {
			g.Go(func(ctx context.Context) error {
				err := repaint.Sleep(ctx, time.Hour)
				_ = repaint.Sleep(context.WithoutCancel(ctx), time.Millisecond)
				ended.Add(1)
				return err
			})
		}
		go cancel(errBoom)
		require.ErrorIs(t, g.Wait(), errBoom)
		require.EqualValues(t, 3, ended.Load())
	})
}

func TestPanicInAGroupIsRaisedByWait(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var ended atomic.Bool
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error { defer ended.Store(true); return repaint.Sleep(ctx, time.Hour) })
		g.Go(func(ctx context.Context) error { panics(); return nil })
		p := recovered(func() { _ = g.Wait() })
		require.ErrorIs(t, p, errBoom)
		require.True(t, ended.Load())
	})
}

func TestGoexitInAGroupOfGoroutinesGoesOnInWait(t *testing.T) {
	leakcheck.Test(t)
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		g := repaint.NewGroup(context.Background())
		g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
		g.Go(func(ctx context.Context) error { runtime.Goexit(); return nil })
		_ = g.Wait()
		returned = true
	}()
	<-done
	require.False(t, returned)
}

func TestGroupOfALoopIsRefusedElsewhere(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		g := repaint.NewGroup(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			g.Go(func(context.Context) error { t.Error("must not run"); return nil })
		}()
		<-done
		require.ErrorIs(t, g.Wait(), repaint.ErrOtherLoop)
	})
}

func TestGather(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		value := func(v int, d time.Duration) func(context.Context) (int, error) {
			return func(ctx context.Context) (int, error) { return v, repaint.Sleep(ctx, d) }
		}
		got, err := repaint.Gather(ctx, value(1, 2*time.Millisecond), value(2, 0), value(3, time.Millisecond))
		require.NoError(t, err)
		require.Equal(t, []int{1, 2, 3}, got)
		got, err = repaint.Gather[int](ctx)
		require.NoError(t, err)
		require.Empty(t, got)
		got, err = repaint.Gather(ctx, value(1, 0), func(ctx context.Context) (int, error) { return 0, errBoom }, value(3, time.Hour))
		require.Equal(t, errBoom, err)
		require.Len(t, got, 3)
	})
}

func TestDeadlockInAGroupEndsItsFunctions(t *testing.T) {
	ended := 0
	virtually(t, func(ctx context.Context) {
		gate := loop.NewPromise[int](repaint.CurrentLoop())
		gate.OnCancel(func(error) {})
		g := repaint.NewGroup(ctx)
		for range 3 {
			g.Go(func(ctx context.Context) error {
				defer func() { ended++ }()
				_, err := repaint.Await(ctx, gate.Future())
				return err
			})
		}
		require.ErrorIs(t, g.Wait(), loop.ErrDeadlock)
		require.Equal(t, 3, ended)
	})
}

func TestLimitedGroupRunsNoMoreThanItsLimitAtOnceAndKeepsOrder(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var running, most atomic.Int32
		g := repaint.NewGroup(ctx)
		g.SetLimit(3)
		var started []int
		for i := range 20 {
			g.Go(func(ctx context.Context) error {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				return repaint.Sleep(ctx, time.Millisecond)
			})
			started = append(started, i)
		}
		require.Len(t, started, 20)
		require.NoError(t, g.Wait())
		require.EqualValues(t, 3, most.Load())
	})
}

func TestPlacesInALimitedGroupAreGivenInTheOrderOfAsking(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		g := repaint.NewGroup(ctx)
		g.SetLimit(1)
		g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, time.Second) })
		var order []int
		askers := repaint.NewGroup(ctx)
		for i := range 5 {
			askers.Go(func(ctx context.Context) error {
				g.Go(func(ctx context.Context) error {
					order = append(order, i)
					return repaint.Sleep(ctx, time.Second)
				})
				return nil
			})
		}
		require.NoError(t, askers.Wait())
		require.NoError(t, g.Wait())
		require.Equal(t, []int{0, 1, 2, 3, 4}, order)
	})
}

func TestTryGoStartsOnlyWhereThereIsAPlace(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		release := loop.NewPromise[int](nil)
		wait := func(ctx context.Context) error {
			_, err := repaint.Await(ctx, release.Future())
			return err
		}
		g := repaint.NewGroup(ctx)
		g.SetLimit(2)
		require.True(t, g.TryGo(wait))
		require.True(t, g.TryGo(wait))
		require.False(t, g.TryGo(wait))
		release.Resolve(1)
		require.NoError(t, g.Wait())
		require.Panics(t, func() { g.SetLimit(3) })
		require.Panics(t, func() { g.TryGo(wait) })
	})
}

func TestLimitedGroupThatIsCancelledStillStartsWhatWaits(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		g := repaint.NewGroup(ctx)
		g.SetLimit(1)
		ran := 0
		g.Go(func(ctx context.Context) error { return errors.Join(repaint.Sleep(ctx, time.Second), errBoom) })
		for range 3 {
			g.Go(func(ctx context.Context) error { // its context has ended before it begins
				ran++
				return ctx.Err()
			})
		}
		require.ErrorIs(t, g.Wait(), errBoom)
		require.Equal(t, 3, ran)
	})
}

func TestDeadlockInALimitedGroupIsAnError(t *testing.T) {
	leakcheck.Test(t)
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		g.SetLimit(1)
		g.Go(func(ctx context.Context) error {
			_, err := repaint.Await(ctx, loop.NewPromise[int](repaint.CurrentLoop()).Future())
			return err
		})
		g.Go(func(ctx context.Context) error { t.Error("there was no place"); return nil })
		return g.Wait()
	})
	require.ErrorIs(t, err, loop.ErrDeadlock)
	require.ErrorContains(t, err, "a place in a group", "it says what main waited for")
}

func TestGroupThatCanNotEndIsReported(t *testing.T) {
	repaint.SetJoinPatience(t, 10*time.Millisecond)
	leakcheck.Test(t)
	release := loop.NewPromise[int](nil)
	reported := make(chan error, 1)
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error { // it ignores its context
			_, err := repaint.Await(context.WithoutCancel(ctx), release.Future())
			return err
		})
		g.Go(func(ctx context.Context) error { return errBoom })
		return g.Wait()
	}, loop.ReportTo(func(err error) {
		reported <- err
		release.Resolve(1)
	}))
	require.ErrorIs(t, err, errBoom)
	var stubborn *repaint.StubbornError
	require.ErrorAs(t, <-reported, &stubborn)
	require.ErrorIs(t, stubborn, repaint.ErrNotJoined)
	require.Len(t, stubborn.Tasks, 1)
	require.ErrorContains(t, stubborn, "TestGroupThatCanNotEndIsReported")
}

func TestGroupOfGoroutinesThatCanNotEndIsLogged(t *testing.T) {
	repaint.SetJoinPatience(t, 10*time.Millisecond)
	leakcheck.Test(t)
	release := make(chan struct{})
	before := slog.Default()
	defer slog.SetDefault(before)
	slog.SetDefault(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		if strings.Contains(string(p), "didn't end when it was cancelled") {
			close(release)
		}
		return len(p), nil
	}), nil)))
	ctx, cancel := context.WithCancel(t.Context())
	g := repaint.NewGroup(ctx)
	g.Go(func(context.Context) error { <-release; return nil })
	cancel()
	require.NoError(t, g.Wait())
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestWaitMayBeCalledAgain(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		g := repaint.NewGroup(ctx)
		g.Go(func(context.Context) error { return errBoom })
		require.Equal(t, errBoom, g.Wait())
		require.Equal(t, errBoom, g.Wait())
	})
}

// As with trio's nursery.start, the wait for a function to be ready ends if that function, or
// another one, fails before.
func TestWaitForAFunctionToBeReadyEndsWhenItsGroupFails(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		for name, fails := range map[string]func(context.Context) error{
			"at once":      func(context.Context) error { return errBoom },
			"after a wait": func(ctx context.Context) error { return errors.Join(repaint.Sleep(ctx, time.Millisecond), errBoom) },
		} {
			g := repaint.NewGroup(ctx)
			ready := loop.NewPromise[string](repaint.CurrentLoop())
			g.Go(fails)
			_, err := repaint.Await(g.Context(), ready.Future())
			require.ErrorIs(t, err, errBoom, name)
			require.ErrorIs(t, err, context.Canceled, name)
			require.False(t, ready.Resolve("too late"), name)
			require.ErrorIs(t, g.Wait(), errBoom, name)
		}
		g := repaint.NewGroup(ctx)
		ready := loop.NewPromise[string](repaint.CurrentLoop())
		g.Go(func(ctx context.Context) error {
			ready.Resolve("address")
			return repaint.Sleep(ctx, time.Millisecond)
		})
		address, err := repaint.Await(g.Context(), ready.Future())
		require.NoError(t, err)
		require.Equal(t, "address", address)
		require.NoError(t, g.Context().Err())
		require.NoError(t, g.Wait())
		require.ErrorIs(t, g.Context().Err(), context.Canceled, "it ends with the group")
	})
}

func TestGroupKeepsNothingOfFunctionsThatHaveEnded(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		const n = 10_000
		g := repaint.NewGroup(ctx)
		g.SetLimit(10)
		before := leakcheck.LiveHeap()
		for range n {
			kept := make([]byte, 1024)
			g.Go(func(ctx context.Context) error {
				defer runtime.KeepAlive(kept)
				return repaint.Sleep(ctx, 0)
			})
		}
		require.Less(t, leakcheck.LiveHeap(), before+100*n/8, "bytes, for %d functions", n)
		require.NoError(t, g.Wait())
	})
}

// A group loses nothing if its user forgets Wait.
func TestFailureOfAGroupThatNothingWaitsForIsReported(t *testing.T) {
	leakcheck.Test(t)
	var r reports
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for range 3 {
			g.Go(func(context.Context) error { return errBoom })
		}
		return nil
	}, loop.ReportTo(r.add)))
	require.Len(t, r.all(), 1)
	require.ErrorIs(t, r.all()[0], errBoom)
}
