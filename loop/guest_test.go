package loop_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// A hostLoop is an event loop that knows nothing of ours: a channel of functions.
type hostLoop struct {
	calls chan func()
	posts atomic.Int32
}

func newHostLoop() *hostLoop { return &hostLoop{calls: make(chan func(), 100)} }

func (h *hostLoop) post(fn func()) {
	h.posts.Add(1)
	h.calls <- fn
}

// run calls what is posted until the condition holds.
func (h *hostLoop) run(t *testing.T, until func() bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for !until() {
		select {
		case fn := <-h.calls:
			fn()
		case <-deadline:
			t.Fatal("the host waited in vain")
		}
	}
}

func TestGuestRunsInItsHostsTurns(t *testing.T) {
	leakcheck.Test(t)
	h := newHostLoop()
	l := loop.NewGuest(h.post)
	defer l.Close()
	require.Zero(t, h.posts.Load())
	var d diary
	l.OnTickEnd(d.notes("tick end"))
	l.CallSoon(func() {
		d.note("first")
		l.CallSoon(d.notes("second"))
	})
	l.CallSoon(d.notes("beside it"))
	require.EqualValues(t, 1, h.posts.Load(), "one call for what comes until then")
	h.post(d.notes("the host's own"))
	h.run(t, func() bool { return len(d) == 6 })
	require.Equal(t, diary{"first", "beside it", "tick end", "the host's own", "second", "tick end"}, d)
	require.Empty(t, h.calls)
	require.ErrorIs(t, l.Drive(never), loop.ErrReentrant)
}

func TestGuestsTimersOffloadsAndIdleCallsComeThroughItsHost(t *testing.T) {
	leakcheck.Test(t)
	h := newHostLoop()
	l := loop.NewGuest(h.post)
	defer l.Close()
	var d diary
	l.CallLater(time.Hour, d.notes("later"))
	l.CallLater(time.Millisecond, func() { // host code sets it, for a time before the other
		d.note("timer")
		l.CallWhenIdle(d.notes("idle"))
	})
	h.run(t, func() bool { return len(d) == 2 })
	require.Equal(t, diary{"timer", "idle"}, d)

	f := loop.Offload(l, func() (int, error) { return 7, nil })
	f.OnDone(l, d.notes("offloaded"))
	h.run(t, func() bool { return len(d) == 3 })
	elsewhere(func() { l.Post(d.notes("posted")) })
	h.run(t, func() bool { return len(d) == 4 })
}

func TestPanicInAGuestsCallbackIsItsHostsAndLosesNothing(t *testing.T) {
	h := newHostLoop()
	l := loop.NewGuest(h.post)
	defer l.Close()
	var d diary
	l.CallSoon(func() { panic("boom") })
	l.CallSoon(d.notes("behind it"))
	require.PanicsWithValue(t, "boom", func() { h.run(t, never) })
	h.run(t, func() bool { return len(d) == 1 })
}

func TestClosedGuestDoesNothing(t *testing.T) {
	leakcheck.Test(t)
	h := newHostLoop()
	l := loop.NewGuest(h.post)
	ran := false
	l.CallLater(time.Millisecond, func() { ran = true })
	l.CallSoon(func() { ran = true })
	l.Close()
	(<-h.calls)()
	require.False(t, ran)
}

func TestGuestRefusesAHostThatCallsItWithinACallback(t *testing.T) {
	h := newHostLoop()
	l := loop.NewGuest(h.post)
	defer l.Close()
	l.CallSoon(func() {
		l.CallSoon(func() {})
		h.post(nil)
	})
	pump := <-h.calls
	var inner any
	l.CallSoon(func() {
		defer func() { inner = recover() }()
		pump()
	})
	pump()
	require.Contains(t, inner, "one function after the other")
}

func TestGuestHasNoVirtualClock(t *testing.T) {
	require.Panics(t, func() { loop.NewGuest(func(func()) {}, loop.VirtualClock(epoch)) })
}

func TestDebugModeWatchesAGuestsTicksOnly(t *testing.T) {
	leakcheck.Test(t)
	h := newHostLoop()
	r := newReports()
	l := loop.NewGuest(h.post, loop.Debug(time.Millisecond), loop.ReportTo(r.add))
	l.Bridge().Watch(namedHolder{"task 7", "its stack"})
	time.Sleep(20 * time.Millisecond) // while no tick runs, time may pass unreported
	require.Empty(t, r.all())
	until := make(chan struct{})
	l.CallSoon(func() { stuckOnChannel(until) })
	go func() {
		<-r.came
		close(until)
	}()
	(<-h.calls)()
	require.ErrorContains(t, r.all()[0], "task 7")
	time.Sleep(20 * time.Millisecond)
	require.Len(t, r.all(), 1)
	l.Close()
}
