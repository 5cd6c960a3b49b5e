package coop_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/coop"
)

type ticket struct{ urgency, number int }

func lessUrgent(a, b ticket) bool { return a.urgency < b.urgency }

func drain[T any](q *coop.Queue[T]) (all []T) {
	for item, ok := q.TryGet(); ok; item, ok = q.TryGet() {
		all = append(all, item)
	}
	return all
}

func TestOrderOfQueues(t *testing.T) {
	tickets := []ticket{{2, 0}, {1, 1}, {2, 2}, {0, 3}, {1, 4}, {2, 5}, {1, 6}}
	for name, test := range map[string]struct {
		queue *coop.Queue[ticket]
		want  []int
	}{
		"first in, first out": {coop.NewQueue[ticket](0), []int{0, 1, 2, 3, 4, 5, 6}},
		"last in, first out":  {coop.NewLIFO[ticket](7), []int{6, 5, 4, 3, 2, 1, 0}},
		"by priority":         {coop.NewPriority(0, lessUrgent), []int{3, 1, 4, 6, 0, 2, 5}},
	} {
		t.Run(name, func(t *testing.T) {
			for _, item := range tickets {
				require.NoError(t, test.queue.Put(t.Context(), item))
			}
			require.Equal(t, 7, test.queue.Len())
			var got []int
			for _, item := range drain(test.queue) {
				got = append(got, item.number)
			}
			require.Equal(t, test.want, got)
			require.Zero(t, test.queue.Len())
		})
	}
}

func TestLargePriorityQueueIsSortedAndStable(t *testing.T) {
	seeds(t, 20, func(t *testing.T, random *rand.Rand) {
		q := coop.NewPriority(0, lessUrgent)
		for i := range 3000 {
			require.True(t, q.TryPut(ticket{random.IntN(50), i}))
			if random.IntN(10) == 0 {
				q.TryGet()
			}
		}
		last := ticket{-1, -1}
		for _, item := range drain(q) {
			require.True(t, last.urgency < item.urgency || last.urgency == item.urgency && last.number < item.number)
			last = item
		}
	})
}

func TestRingKeepsItsOrderWhenItGrowsAndWraps(t *testing.T) {
	q := coop.NewQueue[int](0)
	in, out := 0, 0
	for round := range 12 {
		for range 700 * (round % 4) {
			require.True(t, q.TryPut(in))
			in++
		}
		for range 600 * (round % 3) {
			if v, ok := q.TryGet(); ok {
				require.Equal(t, out, v)
				out++
			}
		}
		require.Equal(t, in-out, q.Len())
	}
	for _, v := range drain(q) {
		require.Equal(t, out, v)
		out++
	}
	require.Equal(t, in, out)
}

func TestPanicInLessLeavesTheQueueUnlocked(t *testing.T) {
	q := coop.NewPriority(0, func(a, b int) bool {
		if a == 13 || b == 13 {
			panic(errBoom)
		}
		return a < b
	})
	q.TryPut(1)
	require.Equal(t, errBoom, recovered(func() { q.TryPut(13) }))
	require.Equal(t, 2, q.Len())
}
