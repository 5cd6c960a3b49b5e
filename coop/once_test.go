package coop_test

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestOnceIsDoneOnceForAll(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var o coop.Once
		var n atomic.Int32
		g := repaint.NewGroup(ctx)
		for range 20 {
			g.Go(func(ctx context.Context) error {
				err := o.Do(ctx, func(ctx context.Context) error {
					n.Add(1)
					return repaint.Sleep(ctx, 0)
				})
				if !o.Done() {
					t.Error("not done yet")
				}
				return err
			})
		}
		require.NoError(t, g.Wait())
		require.EqualValues(t, 1, n.Load())
		require.NoError(t, o.Do(ctx, nil))
		require.ErrorIs(t, o.Do(canceled(ctx), nil), errBoom)
	})
}

func TestOnceTriesAgainAfterAFailure(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		o := coop.NewOnce()
		require.Equal(t, errBoom, o.Do(ctx, func(context.Context) error { return errBoom }))
		require.False(t, o.Done())
		p := recovered(func() { _ = o.Do(ctx, func(context.Context) error { panic(errBoom) }) })
		require.ErrorIs(t, p.(*loop.PanicError), errBoom)
		require.NoError(t, o.Do(ctx, func(context.Context) error { return nil }))
		require.True(t, o.Done())
	})
}

func TestCallerThatGivesUpDoesNotEndTheCallForOthers(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		o := coop.NewOnce()
		gate := coop.NewEvent()
		do := func(ctx context.Context) error { return o.Do(ctx, gate.Wait) }
		one := begin(ctx, do)
		until(t, ctx, func() bool { return o.Waiting() == 1 })
		two := begin(ctx, do)
		until(t, ctx, func() bool { return o.Waiting() == 2 })
		one.cancel(errBoom)
		require.ErrorIs(t, one.end(ctx), errBoom)
		gate.Set()
		require.NoError(t, two.end(ctx))
		require.True(t, o.Done())
	})
}

func TestOnceThatAllCallersGaveUpBeginsAgain(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		o := coop.NewOnce()
		never := coop.NewEvent()
		one := begin(ctx, func(ctx context.Context) error { return o.Do(ctx, never.Wait) })
		until(t, ctx, func() bool { return o.Waiting() == 1 })
		one.cancel(errBoom)
		require.ErrorIs(t, one.end(ctx), errBoom)
		require.False(t, o.Done())
		require.NoError(t, o.Do(ctx, func(context.Context) error { return nil }))
	})
}

func TestOnceValueKeepsValuesErrorsAndPanics(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var n atomic.Int32
		count := coop.OnceValue(func(ctx context.Context) (int32, error) { return n.Add(1), repaint.Sleep(ctx, 0) })
		values, err := repaint.Gather(ctx, count, count, count)
		require.NoError(t, err)
		require.Equal(t, []int32{1, 1, 1}, values)
		v, err := count(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 1, v)
		_, err = count(canceled(ctx))
		require.ErrorIs(t, err, errBoom)

		fails := coop.OnceValue(func(ctx context.Context) (int32, error) { return n.Add(1), errBoom })
		for range 3 {
			v, err = fails(ctx)
			require.Equal(t, errBoom, err)
			require.EqualValues(t, 2, v)
		}
		panics := coop.OnceValue(func(ctx context.Context) (int32, error) { n.Add(1); panic(errBoom) })
		for range 3 {
			p := recovered(func() { _, _ = panics(ctx) })
			require.ErrorIs(t, p.(*loop.PanicError), errBoom)
		}
		require.EqualValues(t, 3, n.Load())
	})
}

func TestOnceValueKeepsNothingIfAllCallersGiveUp(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		gate := coop.NewEvent()
		var begun atomic.Int32
		f := coop.OnceValue(func(ctx context.Context) (int, error) { begun.Add(1); return 7, gate.Wait(ctx) })
		j := begin(ctx, func(ctx context.Context) error { _, err := f(ctx); return err })
		until(t, ctx, func() bool { return begun.Load() == 1 })
		j.cancel(errBoom)
		require.ErrorIs(t, j.end(ctx), errBoom)
		gate.Set()
		v, err := f(ctx)
		require.NoError(t, err)
		require.Equal(t, 7, v)
	})
}

func TestOnceValueDoesNotKeepGoexit(t *testing.T) {
	leakcheck.Test(t)
	var exits atomic.Bool
	exits.Store(true)
	f := coop.OnceValue(func(ctx context.Context) (int, error) {
		if exits.Load() {
			runtime.Goexit()
		}
		return 7, nil
	})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = f(context.Background())
		t.Error("it returned")
	}()
	<-done
	exits.Store(false)
	v, err := f(t.Context())
	require.NoError(t, err)
	require.Equal(t, 7, v)
}
