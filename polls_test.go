package repaint

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

// The loop checks none of many contexts as long as the program has started no goroutine, in which
// package context reports an end.
func TestManyContextsAreLookedAtOnlyIfThereMayBeSomethingToSee(t *testing.T) {
	l := loop.New()
	defer l.Close()
	var p polls
	told := 0
	ended := make(chan struct{})
	close(ended)
	for range crowd {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		defer p.add(ctx, func() { told++ }, l)()
	}
	require.True(t, p.crowded())
	for quiet := false; !quiet; { // other tests may start goroutines at any time
		p.look()
		before := p.usual.all[7].done
		p.usual.all[7].done = ended
		made := p.made
		p.look()
		quiet = made == p.made
		if quiet {
			require.Zero(t, told)
			done := make(chan struct{})
			go close(done)
			<-done
			p.look()
			require.Equal(t, 1, told)
			break
		}
		told = 0
		p.usual.all[7].done = before
		p.usual.all[7].who.over.Store(false)
	}
	require.Len(t, p.usual.all, crowd-1, "it is let go of")
}

// A context that package context doesn't know of ends without a new goroutine.
func TestContextsOfOthersAreAlwaysLookedAt(t *testing.T) {
	l := loop.New()
	defer l.Close()
	var p polls
	told := 0
	foreign := &doneContext{Context: t.Context(), done: make(chan struct{})}
	defer p.add(foreign, func() { told++ }, l)()
	require.Len(t, p.foreign.all, 1)
	p.look()
	close(foreign.done)
	p.look()
	p.look()
	require.Equal(t, 1, told)
	require.Empty(t, p.foreign.all)
}

// A doneContext is a context of another package.
type doneContext struct {
	context.Context
	done chan struct{}
}

func (c *doneContext) Done() <-chan struct{} { return c.done }

func (c *doneContext) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

func TestContextsThatAreNoLongerWatchedAreLetGoOf(t *testing.T) {
	l := loop.New()
	defer l.Close()
	var p polls
	for range 10 * crowd {
		ctx, cancel := context.WithCancel(t.Context())
		stop := p.add(ctx, func() { t.Error("it was stopped") }, l)
		require.True(t, stop())
		require.False(t, stop())
		cancel()
		p.look()
	}
	require.LessOrEqual(t, len(p.usual.all), crowd)
}
