package laststate_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/laststate"
)

func TestATestShowsWhatItAndThoseAroundItHaveAdded(t *testing.T) {
	n := 1
	laststate.Add(t, func() any { return struct{ Outer int }{n} })
	t.Run("one", func(t *testing.T) {
		laststate.Add(t, func() any { return "of one" })
		n = 2
		require.Equal(t, "\nof one\n{Outer:2}", laststate.Of(t))
	})
	t.Run("two", func(t *testing.T) {
		require.Equal(t, "\n{Outer:2}", laststate.Of(t))
	})
	require.Equal(t, "\n{Outer:2}", laststate.Of(t))
}
