package backend

import (
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
