package coop_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

func TestEachTaskHasItsOwnValue(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var l coop.Local[int]
		l.Set(-1)
		g := repaint.NewGroup(ctx)
		for i := range 10 {
			g.Go(func(ctx context.Context) error {
				_, ok := l.Get()
				require.False(t, ok, "nothing is inherited")
				l.Set(i)
				for range 3 {
					if err := repaint.Sleep(ctx, time.Second); err != nil {
						return err
					}
					v, ok := l.Get()
					require.True(t, ok)
					require.Equal(t, i, v)
				}
				l.Set(i + 1)
				v, _ := l.Get()
				require.Equal(t, i+1, v)
				return nil
			})
		}
		require.NoError(t, g.Wait())
		v, ok := l.Get()
		require.True(t, ok)
		require.Equal(t, -1, v)
		l.Unset()
		_, ok = l.Get()
		require.False(t, ok)
		l.Unset()
	})
}

func TestGreenletOfATaskHasItsOwnValue(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var l coop.Local[string]
		l.Set("outer")
		inner := greenlet.New(func(any) (any, error) {
			_, ok := l.Get()
			require.False(t, ok)
			l.Set("inner")
			v, _ := l.Get()
			return v, nil
		})
		v, err := inner.Switch(nil)
		require.NoError(t, err)
		require.Equal(t, "inner", v)
		outer, _ := l.Get()
		require.Equal(t, "outer", outer)
	})
}

func TestWithSetsAValueForTheTimeOfACall(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		var l coop.Local[int]
		get := func() int { v, _ := l.Get(); return v }
		require.Equal(t, errBoom, recovered(func() {
			l.With(1, func() {
				require.Equal(t, 1, get())
				l.With(2, func() {
					require.NoError(t, repaint.Sleep(ctx, 0))
					require.Equal(t, 2, get())
				})
				require.Equal(t, 1, get())
				panic(errBoom)
			})
		}))
		_, ok := l.Get()
		require.False(t, ok)
		require.Zero(t, l.Len())
		if !repaint.InGreenlet() {
			return
		}
		l.Set(5)
		l.With(6, func() { l.Set(7) })
		require.Equal(t, 5, get(), "what was there comes back")
		l.With(6, l.Unset)
		require.Equal(t, 5, get())
		l.Unset()
		l.With(6, func() { l.Unset(); l.Set(7) })
		require.Zero(t, l.Len())
	})
}

func TestSetInAPlainGoroutinePanics(t *testing.T) {
	leakcheck.Test(t)
	var l coop.Local[int]
	require.Contains(t, recovered(func() { l.Set(1) }), "use With")
	_, ok := l.Get()
	require.False(t, ok)
	l.Unset()
	require.Zero(t, l.Len())
}

func TestValuesGoWithTheirTasks(t *testing.T) {
	var l coop.Local[*[1 << 10]byte]
	leakcheck.Repeat(t, func() {
		_ = run(t.Context(), func(ctx context.Context) {
			l.Set(new([1 << 10]byte))
			for range 20 {
				begin(ctx, func(ctx context.Context) error { l.Set(new([1 << 10]byte)); return repaint.Sleep(ctx, 0) })
			}
			_ = repaint.Sleep(ctx, time.Second)
		})
	})
}

// The collector can't free a value that leads to its own greenlet. Such a value goes when others
// are set.
func TestValuesOfEndedTasksGoEvenIfTheyLeadToTheTask(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var l coop.Local[*greenlet.Greenlet]
		for range 1000 {
			require.NoError(t, begin(ctx, func(ctx context.Context) error { l.Set(greenlet.Current()); return nil }).end(ctx))
			require.Less(t, l.Len(), 50)
		}
	})
}

func TestLocalOfATaskIsNotSeenByTheNextOne(t *testing.T) {
	leakcheck.Test(t)
	var local coop.Local[int]
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		for range 10 { // one after the other, so that they could share a greenlet
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				_, ok := local.Get()
				require.False(t, ok)
				local.Set(7)
				v, ok := local.Get()
				require.True(t, ok)
				return v, nil
			}))
			require.NoError(t, err)
			_, err = repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				local.With(8, func() {})
				_, ok := local.Get()
				require.False(t, ok)
				return 0, nil
			}))
			require.NoError(t, err)
		}
		return nil
	}))
}
