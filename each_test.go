package repaint_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestEachYieldsInTheOrderOfTheValuesAndKeepsToTheLimit(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		for _, limit := range []int{0, 1, 3, 100} {
			var running, most atomic.Int32
			var got []int
			for v, err := range repaint.Each(ctx, limit, slices.Values([]int{9, 8, 7, 6, 5, 4, 3, 2, 1}), func(ctx context.Context, v int) (int, error) {
				most.Store(max(most.Load(), running.Add(1)))
				defer running.Add(-1)
				return v * v, repaint.Sleep(ctx, time.Duration(v)*100*time.Microsecond)
			}) {
				require.NoError(t, err)
				got = append(got, v)
			}
			require.Equal(t, []int{81, 64, 49, 36, 25, 16, 9, 4, 1}, got)
			if limit > 0 {
				require.LessOrEqual(t, int(most.Load()), limit)
			}
		}
	})
}

func TestEachTakesNoMoreValuesThanItHasRoomFor(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		taken, yielded := 0, 0
		endless := func(yield func(int) bool) {
			for yield(taken) {
				taken++
				require.LessOrEqual(t, taken-yielded, 5)
			}
		}
		for v, err := range repaint.Each(ctx, 4, endless, func(ctx context.Context, v int) (int, error) {
			return v, repaint.Sleep(ctx, 0)
		}) {
			require.NoError(t, err)
			require.Equal(t, yielded, v)
			if yielded++; yielded == 1000 {
				break
			}
		}
	})
}

func TestLeavingTheLoopCancelsAndJoinsTheRest(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var started, ended atomic.Int32
		slow := func(ctx context.Context, v int) (int, error) {
			started.Add(1)
			defer ended.Add(1)
			if v > 0 {
				return v, repaint.Sleep(ctx, time.Hour)
			}
			return v, nil
		}
		for v, err := range repaint.Each(ctx, 3, slices.Values([]int{0, 1, 2, 3}), slow) {
			require.NoError(t, err)
			require.Zero(t, v)
			break
		}
		require.LessOrEqual(t, int(ended.Load()), 3, "the fourth was never started")
		require.Equal(t, started.Load(), ended.Load())
		ended.Store(0)
		var fns []func(context.Context) (int, error)
		for i := range 4 {
			fns = append(fns, func(ctx context.Context) (int, error) { return slow(ctx, i) })
		}
		for v, err := range repaint.AsCompleted(ctx, fns...) {
			require.NoError(t, err)
			require.Zero(t, v)
			break
		}
		require.EqualValues(t, 4, ended.Load())
		require.NoError(t, ctx.Err())
	})
}

func TestEachYieldsErrorsAndGoesOn(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var text string
		for v, err := range repaint.Each(ctx, 2, slices.Values([]int{1, 2, 3}), func(ctx context.Context, v int) (int, error) {
			if v == 2 {
				return 0, errBoom
			}
			return v, nil
		}) {
			text += fmt.Sprint(v, " ", err, "; ")
		}
		require.Equal(t, "1 <nil>; 0 boom; 3 <nil>; ", text)
	})
}

func TestEachEndsWithItsContext(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		var errs []error
		var started atomic.Int32
		for _, err := range repaint.Each(ctx, 2, slices.Values([]int{1, 2, 3, 4, 5}), func(ctx context.Context, v int) (int, error) {
			if started.Add(1) == 2 {
				cancel(errBoom)
			}
			return v, repaint.Sleep(context.WithoutCancel(ctx), time.Millisecond)
		}) {
			errs = append(errs, err)
		}
		last := len(errs) - 1
		require.EqualValues(t, started.Load(), last, "all that ran, and the cause")
		for _, err := range errs[:last] {
			require.NoError(t, err)
		}
		require.ErrorIs(t, errs[last], errBoom)
	})
}

func TestAsCompletedYieldsTheFirstOneFirst(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var got []int
		for v, err := range repaint.AsCompleted(ctx, sleeper(3, 30), sleeper(1, 10), sleeper(2, 20), sleeper(0, 0)) {
			require.NoError(t, err)
			got = append(got, v)
		}
		require.Equal(t, []int{0, 1, 2, 3}, got)
	})
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var got []int
		for v, err := range repaint.AsCompleted(ctx, sleeper(1, 1), failing(errBoom, 1), sleeper(3, 1)) {
			if err != nil {
				require.ErrorIs(t, err, errBoom)
			}
			got = append(got, v)
		}
		require.ElementsMatch(t, []int{0, 1, 3}, got)
		for range repaint.AsCompleted[int](ctx) {
			t.Fatal("there is none")
		}
	})
}

func TestFirstReturnsTheFirstResultWithoutAnError(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		v, err := repaint.First(ctx, failing(errBoom, 0), sleeper(7, 1), sleeper(8, int(time.Hour/time.Millisecond)))
		require.NoError(t, err)
		require.Equal(t, 7, v)

		other := errors.New("other")
		_, err = repaint.First(ctx, failing(errBoom, 0), failing(other, 1))
		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, err, other)

		_, err = repaint.First[int](ctx)
		require.ErrorContains(t, err, "without functions")

		ctx, cancel := context.WithCancelCause(ctx)
		cancel(errBoom)
		_, err = repaint.First(ctx, sleeper(1, 1), sleeper(2, 1))
		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestPanicInOneOfManyReachesTheLoopAfterTheOthersHaveEnded(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var started, ended atomic.Int32
		slow := func(ctx context.Context) (int, error) {
			started.Add(1)
			defer ended.Add(1)
			return 0, repaint.Sleep(ctx, time.Hour)
		}
		bad := func(ctx context.Context) (int, error) { return panics(), nil }
		p := recovered(func() {
			for range repaint.AsCompleted(ctx, slow, bad, slow) {
				t.Error("nothing comes before the panic")
			}
		})
		require.ErrorIs(t, p, errBoom)
		require.EqualValues(t, 2, ended.Load())
		p = recovered(func() { _, _ = repaint.First(ctx, slow, bad) })
		require.ErrorIs(t, p, errBoom)
		p = recovered(func() {
			for range repaint.Each(ctx, 2, slices.Values([]func(context.Context) (int, error){sleeper(1, 0), slow}), func(ctx context.Context, fn func(context.Context) (int, error)) (int, error) {
				return fn(ctx)
			}) {
				panics()
			}
		})
		require.Nil(t, p, "the loop's own panic is what it was")
		require.Equal(t, started.Load(), ended.Load())
		// A panic of a function that is only being cancelled isn't lost either.
		p = recovered(func() {
			_, _ = repaint.First(ctx, func(ctx context.Context) (int, error) {
				_ = repaint.Sleep(ctx, time.Hour)
				return panics(), nil
			}, sleeper(1, 0))
		})
		require.ErrorIs(t, p, errBoom)
	})
}

func TestGoexitInOneOfManyGoesOnInTheLoop(t *testing.T) {
	for _, many := range []func(ctx context.Context, fn func(context.Context) (int, error)){
		func(ctx context.Context, fn func(context.Context) (int, error)) { _, _ = repaint.First(ctx, fn) },
		func(ctx context.Context, fn func(context.Context) (int, error)) {
			for range repaint.Each(ctx, 1, slices.Values([]int{1}), func(ctx context.Context, _ int) (int, error) { return fn(ctx) }) {
			}
		},
	} {
		after := false
		done := make(chan struct{})
		go func() {
			defer close(done)
			many(t.Context(), func(context.Context) (int, error) {
				runtime.Goexit()
				return 0, nil
			})
			after = true
		}()
		<-done
		require.False(t, after)
	}
}

func TestDeadlockOfManyEndsTheLoopWithAnError(t *testing.T) {
	leakcheck.Test(t)
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		never := func(ctx context.Context) (int, error) {
			return repaint.Await(ctx, loop.NewPromise[int](repaint.CurrentLoop()).Future())
		}
		n := 0
		for _, err := range repaint.AsCompleted(ctx, never, never) {
			require.ErrorIs(t, err, loop.ErrDeadlock)
			n++
		}
		for _, err := range repaint.Each(ctx, 1, slices.Values([]int{1, 2}), func(ctx context.Context, _ int) (int, error) { return never(ctx) }) {
			require.ErrorIs(t, err, loop.ErrDeadlock)
			n++
		}
		_, err := repaint.First(ctx, never)
		require.Equal(t, 2, n)
		return err
	})
	require.ErrorIs(t, err, loop.ErrDeadlock)
}
