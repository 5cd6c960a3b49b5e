package loop_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

// jumble runs a program in which chains of callbacks and timers take turns, and returns the order.
func jumble(t *testing.T, opts ...loop.Option) diary {
	l := virtual(t, opts...)
	var d diary
	var chain func(name string, left int)
	chain = func(name string, left int) {
		d.note(name + strconv.Itoa(left))
		if left > 0 {
			l.CallSoon(func() { chain(name, left-1) })
		}
	}
	for _, name := range []string{"a", "b", "c", "d"} {
		l.CallSoon(func() { chain(name, 5) })
		l.CallLater(time.Second, d.notes(name+" timer"))
	}
	l.CallWhenIdle(d.notes("idle"))
	runDry(t, l)
	require.Len(t, d, 4*6+4+1)
	return d
}

func TestSameSeedGivesTheSameOrderAndOthersGiveOthers(t *testing.T) {
	fifo := jumble(t)
	require.Equal(t, fifo, jumble(t))
	different := map[string]bool{}
	for seed := range uint64(20) {
		order := jumble(t, loop.Seed(seed))
		require.Equal(t, order, jumble(t, loop.Seed(seed)))
		require.ElementsMatch(t, fifo, order, "each runs once")
		require.Equal(t, "idle", order[4*6], "only when nothing is ready")
		different[order[0]+order[1]+order[2]+order[3]] = true
	}
	require.Greater(t, len(different), 10)
}

func TestSeededLoopCanRunAChainToItsEndBeforeAnother(t *testing.T) {
	// With ticks this would never be seen: there each chain makes one step in a round.
	for seed := range uint64(1000) {
		order := jumble(t, loop.Seed(seed))
		ended := map[byte]bool{}
		begun := map[byte]bool{}
		for _, step := range order[:4*6] {
			begun[step[0]] = true
			if step[1] == '0' {
				ended[step[0]] = true
			}
			if len(ended) == 1 && len(begun) < 4 {
				return
			}
		}
	}
	t.Fatal("no seed has made a chain overtake another that hadn't begun")
}

func TestStoppedTimersDoNotRunInASeededLoop(t *testing.T) {
	for seed := range uint64(50) {
		l := virtual(t, loop.Seed(seed))
		ran := 0
		var timers [3]*loop.Timer
		for i := range timers {
			timers[i] = l.CallLater(time.Second, func() {
				ran++
				for _, other := range timers {
					other.Stop()
				}
			})
		}
		runDry(t, l)
		require.Equal(t, 1, ran)
	}
}

func TestClosingASeededLoopStopsDueTimers(t *testing.T) {
	l := virtual(t, loop.Seed(1))
	var timers [3]*loop.Timer
	for i := range timers {
		timers[i] = l.CallLater(time.Second, func() { l.Close() })
	}
	require.ErrorIs(t, l.Drive(never), loop.ErrClosed)
	for _, timer := range timers {
		require.False(t, timer.Stop())
	}
}
