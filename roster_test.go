package repaint

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

// Each sleeping task takes a task and a worker of package greenlet, and a goroutine with the smallest
// stack. The next larger size class has 32 bytes more.
func TestATaskFitsIntoItsSizeClass(t *testing.T) {
	if strconv.IntSize == 32 {
		t.Skip("pointers are smaller here")
	}
	require.LessOrEqual(t, unsafe.Sizeof(Task[struct{}]{}), uintptr(288), "of a Group")
	require.LessOrEqual(t, unsafe.Sizeof(Task[string]{}), uintptr(320))
}

// A roster behaves like a slice from which tasks that end are deleted.
func TestARosterKeepsTheOrderInWhichTasksBegan(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 50 {
		var r roster
		var model []*task
		for range 2000 {
			if begins := 1 + round%7; len(model) == 0 || random.IntN(8) < begins {
				added := new(task)
				r.add(added)
				model = append(model, added)
			} else {
				i := random.IntN(len(model))
				if round%3 == 0 {
					i = 0 // the oldest ends first, as tasks do that sleep for the same time
				}
				r.remove(model[i])
				model = slices.Delete(model, i, i+1)
			}
			require.Equal(t, len(model), r.len())
			if len(model) > 0 {
				require.Same(t, model[len(model)-1], r.last())
			}
			require.LessOrEqual(t, r.free, max(len(model), fewPlaces), "at most half of the places are free, or few")
		}
		require.True(t, slices.Equal(model, slices.Collect(r.all())))
		for _, ended := range model {
			r.remove(ended)
		}
		require.Zero(t, r.len())
		require.Empty(t, r.places)
	}
}

// A runner lives long, and may have had very many tasks once.
func TestARosterGivesMemoryBack(t *testing.T) {
	var r roster
	var all []*task
	for range 100_000 {
		all = append(all, new(task))
		r.add(all[len(all)-1])
	}
	for _, ended := range all[1:] {
		r.remove(ended)
	}
	require.LessOrEqual(t, cap(r.places), 1000, "one task is left, in the first place")
	r.remove(all[0])
	for _, again := range all {
		r.add(again)
	}
	for _, ended := range all {
		r.remove(ended)
	}
	require.LessOrEqual(t, cap(r.places), 1000, "none is left")
}
