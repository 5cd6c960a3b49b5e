package coop_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/coop"
)

func TestCacheAndPrimeAndClear(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		for _, cached := range []bool{false, true} {
			var s squarer
			opts := []coop.LoaderOption{}
			if cached {
				opts = append(opts, coop.Cached())
			}
			l := coop.NewLoader(s.square, opts...)
			batches := func(n int) {
				t.Helper()
				require.Len(t, s.batches.read(), n)
			}
			load := func(key, want int) {
				t.Helper()
				v, err := l.Load(ctx, key)
				require.NoError(t, err)
				require.Equal(t, want, v)
			}
			load(2, 4)
			load(2, 4)
			once := map[bool]int{false: 2, true: 1}[cached]
			batches(once)
			l.Prime(2, 5)
			load(2, 5)
			require.Equal(t, 5, must(l.LoadFuture(ctx, 2).Result()))
			values, err := l.LoadMany(ctx, []int{2, 3})
			require.NoError(t, err)
			require.Equal(t, []int{5, 9}, values)
			batches(once + 1)
			l.Clear(2)
			load(2, 4)
			batches(once + 2)
			l.Prime(7, 0)
			l.ClearAll()
			load(7, 49)
			load(2, 4)
			batches(once + 4)
		}
	})
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestClearWhileAKeyIsLoadedLoadsItAnew(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		for name, change := range map[string]func(l *coop.Loader[int, int]){
			"clear":     func(l *coop.Loader[int, int]) { l.Clear(1) },
			"clear all": func(l *coop.Loader[int, int]) { l.ClearAll() },
			"prime":     func(l *coop.Loader[int, int]) { l.Prime(1, 100) },
		} {
			version := 1
			var gate coop.Event
			begun := coop.NewEvent(coop.Unbound())
			l := coop.NewLoader(func(ctx context.Context, keys []int) (map[int]int, error) {
				v := version
				begun.Set()
				return map[int]int{1: v}, gate.Wait(ctx)
			}, coop.Cached())
			var old int
			j := begin(ctx, func(ctx context.Context) (err error) { old, err = l.Load(ctx, 1); return err })
			require.NoError(t, begun.Wait(ctx))
			version = 2
			change(l)
			gate.Set()
			require.NoError(t, j.end(ctx))
			require.Equal(t, 1, old, name)
			want := 2
			if name == "prime" {
				want = 100
			}
			v, err := l.Load(ctx, 1)
			require.NoError(t, err)
			require.Equal(t, want, v, "what was loaded before isn't kept: %s", name)
		}
	})
}
