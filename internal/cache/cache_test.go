package cache_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/cache"
)

func TestAnLRUKeepsTheMostRecentlyUsed(t *testing.T) {
	l := cache.NewLRU[string, int](2)
	require.Nil(t, l.Get("a"))
	for i, key := range []string{"a", "b"} {
		kept, dropped := l.Put(key, i)
		require.Nil(t, dropped)
		require.Same(t, l.Get(key), kept)
	}
	require.Equal(t, 0, *l.Get("a"))
	second := l.Get("b")
	l.Get("a")
	_, dropped := l.Put("c", 2)
	require.Same(t, second, dropped, "it was used longest ago, and isn't copied")
	require.Equal(t, []int{2, 0}, values(l))

	_, dropped = l.Put("a", 3)
	require.Nil(t, dropped, "it takes the place of the other a")
	require.Equal(t, 3, *l.Get("a"))
	require.Equal(t, 2, *l.Remove("c"))
	require.Nil(t, l.Remove("c"))
	l.Clear()
	require.Zero(t, l.Len())
	require.Empty(t, values(l))

	one := cache.NewLRU[string, int](0)
	one.Put("a", 1)
	_, dropped = one.Put("b", 2)
	require.Equal(t, 1, *dropped)
	require.Equal(t, 1, one.Len())
}

func values(l *cache.LRU[string, int]) (all []int) {
	for v := range l.Values() {
		all = append(all, *v)
	}
	return all
}

// A value that is kept or dropped belongs to the holders of a pointer to it.
func TestAnLRUDoesNotReadItsValues(t *testing.T) {
	l := cache.NewLRU[int, int](2)
	var wg sync.WaitGroup
	for i := range 1000 {
		kept, _ := l.Put(i, i)
		wg.Go(func() { *kept++ }) // the race detector sees it if Put, Get or Remove does
		l.Get(i - 1)
		if i%5 == 0 {
			l.Remove(i - 1)
		}
	}
	wg.Wait()
}

// An LRU behaves like a list whose used values move to the front.
func TestAnLRUIsLikeAList(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	l := cache.NewLRU[int, int](5)
	var model []int
	use := func(key int) bool {
		i := slices.Index(model, key)
		if i >= 0 {
			model = slices.Insert(slices.Delete(model, i, i+1), 0, key)
		}
		return i >= 0
	}
	for range 10_000 {
		key := random.IntN(9)
		switch random.IntN(3) {
		case 0:
			got := l.Get(key)
			require.Equal(t, use(key), got != nil)
		case 1:
			_, dropped := l.Put(key, key)
			if !use(key) {
				model = slices.Insert(model, 0, key)
			}
			require.Equal(t, len(model) > 5, dropped != nil)
			if dropped != nil {
				require.Equal(t, model[5], *dropped)
				model = model[:5]
			}
		case 2:
			removed := l.Remove(key)
			i := slices.Index(model, key)
			require.Equal(t, i >= 0, removed != nil)
			if removed != nil {
				model = slices.Delete(model, i, i+1)
			}
		}
		require.Equal(t, len(model), l.Len())
		all := model[:0:0]
		for v := range l.Values() {
			all = append(all, *v)
		}
		require.Equal(t, model, all)
	}
}

func TestASecondChanceKeepsWhatIsAskedFor(t *testing.T) {
	c := cache.NewSecondChance[int, string](10)
	for i := range 1000 {
		require.Equal(t, fmt.Sprint(i), c.Put(i, fmt.Sprint(i)))
		require.Equal(t, fmt.Sprint(i), c.Put(i, "another"), "the first one is kept")
		got, ok := c.Get(0)
		require.True(t, ok, "asked for between any two that come once")
		require.Equal(t, "0", got)
		require.Equal(t, min(i+1, 10), c.Len())
	}
	_, ok := c.Get(1)
	require.False(t, ok)
	var seen []string
	c.Clear(func(s string) { seen = append(seen, s) })
	require.Len(t, seen, 10)
	require.Contains(t, seen, "0")
	require.Zero(t, c.Len())
	c.Put(1, "a")
	c.Clear(nil)
	_, ok = c.Get(1)
	require.False(t, ok)

	none := cache.NewSecondChance[int, string](0)
	require.Equal(t, "a", none.Put(1, "a"))
	require.Zero(t, none.Len())
}

func TestASecondChanceServesManyAtOnce(t *testing.T) {
	c := cache.NewSecondChance[int, int](8)
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(g), 1))
			for range 2000 {
				key := random.IntN(20)
				if got, ok := c.Get(key); ok && got != key || c.Put(key, key) != key {
					t.Error("another key's value")
				}
				if random.IntN(500) == 0 {
					c.Clear(nil)
				}
			}
		})
	}
	wg.Wait()
	require.LessOrEqual(t, c.Len(), 8)
}

// A ring behaves like a slice.
func TestARingIsLikeASlice(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var r cache.Ring[int]
	var model []int
	for i := range 20_000 {
		switch n := len(model); random.IntN(9) {
		case 0, 1, 2, 3:
			r.Push(i)
			model = append(model, i)
		case 4:
			r.Unpop(i)
			model = slices.Insert(model, 0, i)
		case 5, 6:
			if n > 0 {
				require.Equal(t, model[0], r.Pop())
				model = model[1:]
			}
		case 7:
			if n > 0 {
				at := random.IntN(n)
				r.Remove(at)
				model = slices.Delete(model, at, at+1)
			}
		case 8:
			if random.IntN(100) == 0 {
				to := random.IntN(n + 1)
				r.Truncate(to)
				model = model[:to]
			}
		}
		require.Equal(t, len(model), r.Len())
		for j, want := range model {
			if got := *r.At(j); got != want {
				t.Fatalf("item %d is %d, not %d", j, got, want)
			}
		}
	}
}

func TestARingForgetsWhatItGaveAway(t *testing.T) {
	var r cache.Ring[*int]
	for range 8 {
		r.Push(new(int))
	}
	r.Pop()
	r.Remove(2)
	r.Truncate(3)
	kept := 0
	for i := range 8 { // all the memory that it has
		if *r.At(i) != nil {
			kept++
		}
	}
	require.Equal(t, 3, kept)
}

func BenchmarkRing(b *testing.B) {
	var r cache.Ring[*int]
	item := new(int)
	for b.Loop() {
		r.Push(item)
		r.Push(item)
		r.Pop()
		r.Pop()
	}
}

func BenchmarkLRU(b *testing.B) {
	l := cache.NewLRU[string, int](128)
	keys := make([]string, 16)
	for i := range keys {
		keys[i] = fmt.Sprintf("select %d from the table", i)
		l.Put(keys[i], i)
	}
	i := 0
	for b.Loop() {
		l.Get(keys[i&15])
		i++
	}
}

func BenchmarkSecondChance(b *testing.B) {
	c := cache.NewSecondChance[string, *int](128)
	keys := make([]string, 16)
	for i := range keys {
		keys[i] = fmt.Sprintf("select %d from the table", i)
		c.Put(keys[i], new(int))
	}
	i := 0
	for b.Loop() {
		c.Get(keys[i&15])
		i++
	}
}
