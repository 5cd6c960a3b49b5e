package repaint_test

import (
	"context"
	"errors"
	"runtime"
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
