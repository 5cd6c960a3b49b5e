package loop_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

// epoch is when virtual clocks begin.
var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)

// virtual returns a loop with a virtual clock.
func virtual(t testing.TB, opts ...loop.Option) *loop.Loop {
	l := loop.New(append(opts, loop.VirtualClock(epoch))...)
	t.Cleanup(l.Close)
	return l
}

// open returns a loop with the real clock.
func open(t testing.TB, opts ...loop.Option) *loop.Loop {
	l := loop.New(opts...)
	t.Cleanup(l.Close)
	return l
}

func never() bool { return false }

// runDry drives the loop until nothing is left to do in it.
func runDry(t testing.TB, l *loop.Loop) {
	t.Helper()
	require.ErrorIs(t, l.Drive(never), loop.ErrDeadlock)
}

// A diary notes what happened, in order.
type diary []string

// notes returns a callback that notes the text.
func (d *diary) notes(text string) func() {
	return func() { d.note(text) }
}

func (d *diary) note(text string) { *d = append(*d, text) }

// A runnable is a Runnable of a function, which the bridge has its own of.
type runnable func()

func (fn runnable) RunInLoop() { fn() }

// elsewhere calls fn in another goroutine and waits for it.
func elsewhere(fn func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	<-done
}
