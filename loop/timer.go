package loop

import (
	"container/heap"
	"time"
)

// A Timer is one call in the future. All its methods must be called from its loop.
type Timer struct {
	loop *Loop
	run  Runnable
	when time.Duration // on the loop's clock
	seq  uint64
	// index is the place in the heap, or notSet.
	index int
}

const notSet = -1

// CallLater has fn called once d has passed. A d that isn't positive means the next tick.
// Timers that are due at the same time are called in the order in which they were set.
func (l *Loop) CallLater(d time.Duration, fn func()) *Timer {
	return l.ScheduleLater(d, callback(fn))
}

// CallAt is [Loop.CallLater] with the moment instead of the distance.
func (l *Loop) CallAt(at time.Time, fn func()) *Timer {
	return l.ScheduleLater(at.Sub(l.Now()), callback(fn))
}

// ScheduleLater is [Loop.CallLater] for a Runnable.
func (l *Loop) ScheduleLater(d time.Duration, r Runnable) *Timer {
	t := &Timer{loop: l, run: r, index: notSet}
	t.Reset(d)
	return t
}

// Stop keeps the timer from calling. It reports whether it did: false means that the call
// has been made, is being made in this tick, or was stopped before.
func (t *Timer) Stop() bool {
	if t.index == notSet {
		return false
	}
	heap.Remove(&t.loop.timers, t.index)
	return true
}

// Reset sets the timer anew, whether or not it is set, to call once d has passed from now.
func (t *Timer) Reset(d time.Duration) {
	t.Stop()
	l := t.loop
	l.seq++
	t.when, t.seq = l.clock.elapsed()+max(d, 0), l.seq
	heap.Push(&l.timers, t)
}

// When returns the moment for which the timer is, or was, set.
func (t *Timer) When() time.Time { return t.loop.clock.base.Add(t.when) }

type timerHeap []*Timer

func (h timerHeap) Len() int { return len(h) }

func (h timerHeap) Less(i, j int) bool {
	if h[i].when != h[j].when {
		return h[i].when < h[j].when
	}
	return h[i].seq < h[j].seq
}

func (h timerHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

func (h *timerHeap) Push(x any) {
	t := x.(*Timer)
	t.index = len(*h)
	*h = append(*h, t)
}

func (h *timerHeap) Pop() any {
	last := len(*h) - 1
	t := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	t.index = notSet
	return t
}

// virtualPatience is how long a virtual clock waits, in real time, for what another goroutine may do.
const virtualPatience = 5 * time.Millisecond

// A clock measures from its base, in real time or in steps.
type clock struct {
	base    time.Time
	virtual bool
	now     time.Duration // of a virtual clock
}

func (c *clock) elapsed() time.Duration {
	if c.virtual {
		return c.now
	}
	return time.Since(c.base)
}

func (c *clock) jump(to time.Duration) { c.now = max(c.now, to) }
