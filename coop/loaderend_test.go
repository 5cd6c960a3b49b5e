package coop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestKeyThatAllHaveGivenUpIsNotAskedFor(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var s squarer
		l := coop.NewLoader(s.square)
		load := func(key int) *repaint.Task[int] {
			return repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return l.Load(ctx, key) })
		}
		gone, again, stays, both := load(1), load(2), load(3), load(2)
		gone.Cancel(errBoom)
		again.Cancel(errBoom)
		_, err := repaint.Await(ctx, gone)
		require.ErrorIs(t, err, errBoom)
		for _, task := range []*repaint.Task[int]{stays, both} {
			_, err = repaint.Await(ctx, task)
			require.NoError(t, err)
		}
		require.Equal(t, [][]int{{2, 3}}, s.batches.read())

		// If no caller is left, there is no batch at all.
		gone = load(1)
		gone.Cancel(errBoom)
		_, err = repaint.Await(ctx, gone)
		require.ErrorIs(t, err, errBoom)
		require.NoError(t, repaint.Sleep(ctx, time.Second))
		require.Len(t, s.batches.read(), 1)
		require.Zero(t, l.Rooms())
	})
}

func TestBatchHasTheValuesOfTheFirstCallerAndEndsWithTheLast(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		cause := loop.NewPromise[error](nil)
		begun := coop.NewEvent(coop.Unbound())
		l := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) {
			if ctx.Value(contextKey{}) != "first" {
				return nil, nil
			}
			begun.Set()
			err := repaint.Sleep(ctx, time.Hour)
			cause.Resolve(context.Cause(ctx))
			return nil, err
		})
		one := loads(context.WithValue(ctx, contextKey{}, "first"), l, 1)
		until(t, ctx, func() bool { return l.Waiting(1) == 1 })
		two := loads(context.WithValue(ctx, contextKey{}, "second"), l, 1)
		until(t, ctx, func() bool { return l.Waiting(1) == 2 })
		require.NoError(t, begun.Wait(ctx))
		one.cancel(errBoom)
		require.ErrorIs(t, one.end(ctx), errBoom)
		require.False(t, cause.Future().Done())
		two.cancel(errBoom)
		require.ErrorIs(t, two.end(ctx), errBoom)
		err, _ := repaint.Await(ctx, cause.Future())
		require.ErrorContains(t, err, "no caller waits")

		// A caller that comes now neither joins the batch that was given up nor waits for it.
		_, err = l.Load(ctx, 1)
		require.ErrorIs(t, err, coop.ErrNotFound)
		require.Zero(t, l.Rooms())
	})
}

func TestLoadManyWhoseContextEnds(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		never := coop.NewEvent()
		s := squarer{before: never.Wait}
		l := coop.NewLoader(s.square)
		j := begin(ctx, func(ctx context.Context) error {
			values, err := l.LoadMany(ctx, []int{1, 2, 1})
			require.Nil(t, values)
			return err
		})
		until(t, ctx, func() bool { return l.Waiting(1) == 2 && l.Waiting(2) == 1 })
		j.cancel(errBoom)
		require.ErrorIs(t, j.end(ctx), errBoom)
		require.Zero(t, l.Waiting(1))
		require.Zero(t, l.Waiting(2))
		_, err := l.LoadMany(canceled(ctx), []int{1})
		require.ErrorIs(t, err, errBoom)
		values, err := l.LoadMany(ctx, nil)
		require.NoError(t, err)
		require.Empty(t, values)
		_, err = l.Load(canceled(ctx), 1)
		require.ErrorIs(t, err, errBoom)
	})
}

func TestKilledTaskGivesUpItsKey(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var s squarer
		l := coop.NewLoader(s.square)
		var own *greenlet.Greenlet
		killed := begin(ctx, func(ctx context.Context) error {
			own = greenlet.Current()
			_, err := l.LoadMany(ctx, []int{1, 2})
			return err
		})
		require.NoError(t, own.Kill())
		require.ErrorIs(t, killed.end(ctx), greenlet.ErrExit)
		require.NoError(t, repaint.Sleep(ctx, time.Second))
		require.Empty(t, s.batches.read())
		require.Zero(t, l.Rooms())
	})
}

func TestErrorsOfSingleKeysLeaveTheOthers(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		odd := errors.New("odd")
		l := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) {
			values, errs := make(map[int]int), make(coop.KeyErrors[int])
			for _, k := range keys {
				if k%2 == 1 {
					errs[k] = odd
				} else {
					values[k], errs[k] = k, nil // nil is no error
				}
			}
			return values, fmt.Errorf("some failed: %w", errs)
		})
		values, err := l.LoadMany(ctx, []int{4, 1, 2, 3})
		require.Equal(t, []int{4, 0, 2, 0}, values)
		require.Equal(t, coop.KeyErrors[int]{1: odd, 3: odd}, err)
		require.EqualError(t, err, "coop: key 1: odd; key 3: odd")
		_, err = l.Load(ctx, 5)
		require.Equal(t, odd, err)
	})
}

func TestOtherErrorsFailAllKeys(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		l := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) { return map[int]int{1: 1}, errBoom }, coop.Cached())
		for range 2 {
			_, err := l.Load(ctx, 1)
			require.Equal(t, errBoom, err, "and aren't cached")
		}
		_, err := l.LoadMany(ctx, []int{1, 2})
		require.Equal(t, coop.KeyErrors[int]{1: errBoom, 2: errBoom}, err)
	})
}

func TestPanicOfABatchReachesAllWaitingCallers(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		l := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) { panic(errBoom) })
		for range 3 {
			g := repaint.NewGroup(ctx)
			for i := range 3 {
				g.Go(func(ctx context.Context) error {
					p := recovered(func() { _, _ = l.LoadMany(ctx, []int{i, 10}) })
					require.ErrorIs(t, p.(*loop.PanicError), errBoom)
					return nil
				})
			}
			require.NoError(t, g.Wait())
		}
		require.Zero(t, l.Rooms())
	})
}

func TestGoexitOfABatchContinuesInTheWaitingCallers(t *testing.T) {
	leakcheck.Test(t)
	l := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) { runtime.Goexit(); return nil, nil })
	done := make(chan struct{})
	returned := false
	go func() {
		defer close(done)
		_, _ = l.Load(context.Background(), 1)
		returned = true
	}()
	<-done
	require.False(t, returned)
	require.Zero(t, l.Rooms())
}

func TestBatchWithoutWaitingCallersRaisesItsPanicInRun(t *testing.T) {
	leakcheck.Test(t)
	l := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) {
		_ = repaint.Sleep(ctx, time.Hour)
		panic(errBoom)
	})
	p := recovered(func() {
		_ = run(t.Context(), func(ctx context.Context) {
			j := loads(ctx, l, 1)
			_ = repaint.Sleep(ctx, time.Second)
			j.cancel(nil)
			_ = j.end(ctx)
			_ = repaint.Sleep(ctx, time.Second)
		})
	})
	require.ErrorIs(t, p.(error), errBoom)
}
