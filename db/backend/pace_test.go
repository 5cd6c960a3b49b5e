package backend

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const limit = 50 * time.Microsecond

func TestACallIsShortAfterSeveralShortRuns(t *testing.T) {
	var p Pace
	require.True(t, p.Begin().IsZero(), "it isn't timed until a loop asks")
	require.False(t, p.Short())
	require.False(t, p.Begin().IsZero())
	for range fewestRuns {
		require.False(t, p.Short())
		p.took(0, limit)
	}
	require.True(t, p.Short())
	p.took(limit-1, limit)
	require.True(t, p.Short())
}

func TestALongRunIsEarnedBack(t *testing.T) {
	for _, c := range []struct {
		long time.Duration
		due  int
	}{{limit, fewestRuns}, {8 * limit, 8}, {1000 * limit, 1000}, {time.Hour, mostDue}} {
		var p Pace
		p.Short()
		for range fewestRuns {
			p.took(0, limit)
		}
		require.True(t, p.Short())
		p.took(c.long, limit)
		for range c.due {
			require.False(t, p.Short())
			p.took(0, limit)
		}
		require.True(t, p.Short())
	}
}

// known returns the Pace of a call that is known to be short, after so many more short runs.
func known(more int) *Pace {
	p := &Pace{}
	p.Short()
	for range fewestRuns + more {
		p.took(0, limit)
	}
	return p
}

// due returns how many short runs it takes until the call is known to be short.
func due(p *Pace) (n int) {
	for ; !p.Short(); n++ {
		p.took(0, limit)
	}
	return n
}

func TestShortRunsPayForALongOneInAdvance(t *testing.T) {
	for _, c := range []struct {
		more int
		long time.Duration
		due  int
	}{
		{0, limit, 8}, {5, limit, 3}, {7, limit, 1}, {100, limit, 1},
		{100, 100 * limit, 1}, {100, 110 * limit, 10}, {1000, 200 * limit, 200 - mostCredit},
	} {
		p := known(c.more)
		p.took(c.long, limit)
		require.False(t, p.Short(), "one long run is enough")
		require.Equal(t, c.due, due(p), "%+v", c)
		p.took(limit, limit)
		require.Equal(t, fewestRuns, due(p), "what was paid is spent")
	}
}

func TestOfSeveralLongRunsTheLongestCounts(t *testing.T) {
	for _, c := range []struct {
		long []time.Duration
		due  int
	}{
		{[]time.Duration{limit, 3 * limit}, fewestRuns},
		{[]time.Duration{20*limit + 1, limit, 19 * limit}, 20},
		{[]time.Duration{time.Hour, time.Hour}, mostDue},
	} {
		var p Pace
		p.Short()
		for _, d := range c.long {
			p.took(d, limit)
		}
		require.Equal(t, c.due, due(&p), "%v", c.long)
	}
}

func TestACallThatHasAlwaysBeenLongCanBecomeShort(t *testing.T) {
	var p Pace
	p.Short()
	for range 1000 {
		p.took(100*limit, limit)
		require.False(t, p.Short())
	}
	require.Equal(t, 100, due(&p))
}

func TestALongRunElsewhereIsNoProgress(t *testing.T) {
	p := known(0)
	p.took(limit, limit)
	for range fewestRuns - 1 {
		p.took(0, limit)
	}
	for range 1000 {
		p.took(limit, limit)
		require.False(t, p.Short())
	}
	require.Equal(t, 1, due(p))
}

func TestACallHoldsALoopForTwiceTheLimitOnAverage(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		p := known(0)
		held, runs := time.Duration(0), 0
		for longs := 0; longs < 200 || !p.Short(); runs++ { // until the last long run is paid for
			d := time.Duration(rnd.Int64N(int64(limit)))
			if longs < 200 && rnd.IntN(1+int(seed)) == 0 {
				d = limit + time.Duration(rnd.ExpFloat64()*float64(20*limit))
				longs++
			}
			if p.Short() {
				held += d
			}
			p.took(d, limit)
		}
		require.LessOrEqual(t, held/time.Duration(runs), 2*limit, "seed %d", seed)
	}
}
