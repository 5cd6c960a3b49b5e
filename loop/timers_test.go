package loop_test

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

func TestManyTimersRunInOrderHoweverTheyAreStoppedAndReset(t *testing.T) {
	type entry struct {
		timer *loop.Timer
		when  time.Duration
		set   int // when it was last set
		on    bool
	}
	for seed := range uint64(50) {
		l := virtual(t)
		chance := rand.New(rand.NewPCG(seed, 1))
		n := chance.IntN(500)
		all := make([]entry, n)
		var ran []int
		set := 0
		for i := range all {
			all[i].when = time.Duration(chance.IntN(100))
			set++
			all[i].set, all[i].on = set, true
			all[i].timer = l.CallLater(all[i].when, func() { ran = append(ran, i) })
		}
		share := chance.IntN(100) // of the timers that are stopped, or reset
		for i := range all {
			if chance.IntN(100) >= share {
				continue
			}
			if chance.IntN(3) == 0 {
				all[i].when = time.Duration(chance.IntN(100))
				set++
				all[i].set = set
				all[i].timer.Reset(all[i].when)
				continue
			}
			require.True(t, all[i].timer.Stop())
			require.False(t, all[i].timer.Stop())
			all[i].on = false
		}
		var expected []int
		for i := range all {
			if all[i].on {
				expected = append(expected, i)
			}
		}
		slices.SortFunc(expected, func(a, b int) int {
			return cmp.Or(cmp.Compare(all[a].when, all[b].when), cmp.Compare(all[a].set, all[b].set))
		})
		require.Equal(t, len(expected), l.Stats().Timers)
		runDry(t, l)
		require.Equal(t, expected, ran, "seed %d", seed)
		require.Zero(t, l.Stats().Timers)
	}
}

func TestStoppedTimersTakeNoMemory(t *testing.T) {
	l := virtual(t)
	for range 10 {
		l.CallLater(time.Hour, func() {})
	}
	allocated := testing.AllocsPerRun(100, func() {
		for range 1000 {
			l.CallLater(time.Minute, func() {}).Stop()
		}
	})
	require.Less(t, allocated, 2100.0, "a timer and its function for each, and the queue doesn't grow")
	require.Equal(t, 10, l.Stats().Timers)
}
