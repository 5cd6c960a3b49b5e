package loop

import (
	"container/heap"
	"math"
	"time"
)

// A Timer is one call in the future. All its methods must be called from its loop.
type Timer struct {
	loop *Loop
	run  Runnable
	when time.Duration // on the loop's clock
	seq  uint64
	// index is the place in the heap, or one of the states below.
	index int
}

const (
	notSet = -1
	isDue  = -2 // in the loop's batch, and not called yet
)

// CallLater has fn called once d has passed. A d that isn't positive means the next tick.
//
// Timers are called in the order of their moments, and for equal moments in the order in which they were set;
// in each tick they come after what was scheduled by then.
func (l *Loop) CallLater(d time.Duration, fn func()) *Timer {
	return l.ScheduleLater(d, callback(fn))
}

// CallAt is [Loop.CallLater] with the moment instead of the distance. A moment that has passed means the next tick.
func (l *Loop) CallAt(at time.Time, fn func()) *Timer {
	t := &Timer{loop: l, run: callback(fn), index: notSet}
	t.set(at.Sub(l.clock.base))
	return t
}

// ScheduleLater is [Loop.CallLater] for a Runnable.
func (l *Loop) ScheduleLater(d time.Duration, r Runnable) *Timer {
	t := &Timer{loop: l, run: r, index: notSet}
	t.Reset(d)
	return t
}

// Stop keeps the timer from calling, also if its time has come but not its turn.
// It reports whether it did: false means that the call has been made, or is being made, or was stopped before.
func (t *Timer) Stop() bool {
	switch t.index {
	case notSet:
		return false
	case isDue:
		t.index = notSet
	default:
		heap.Remove(&t.loop.timers, t.index)
	}
	return true
}

// Reset sets the timer anew, whether or not it is set, to call once d has passed from now.
func (t *Timer) Reset(d time.Duration) {
	t.Stop()
	now := t.loop.clock.elapsed()
	when := now + max(d, 0)
	if when < now { // too far for the clock
		when = math.MaxInt64
	}
	t.set(when)
}

// When returns the moment for which the timer is, or was, set.
func (t *Timer) When() time.Time { return t.loop.clock.base.Add(t.when) }

// set puts a timer that isn't set into the heap.
func (t *Timer) set(when time.Duration) {
	t.loop.seq++
	t.when, t.seq = when, t.loop.seq
	heap.Push(&t.loop.timers, t)
	if t.index == 0 && t.loop.post != nil && !t.loop.driving {
		t.loop.setAlarm()
	}
}

// takeDueTimers moves the timers whose time has come to the batch.
func (l *Loop) takeDueTimers() {
	now := l.clock.elapsed()
	for len(l.timers) > 0 && l.timers[0].when <= now {
		t := heap.Pop(&l.timers).(*Timer)
		t.index = isDue
		l.batch = append(l.batch, (*dueTimer)(t))
	}
}

// A dueTimer is a timer in the batch.
type dueTimer Timer

// RunInLoop makes the call, unless another callback of the same tick has stopped or reset the timer.
func (t *dueTimer) RunInLoop() {
	if t.index != isDue {
		t.loop.stats.Callbacks-- // it was none
		return
	}
	t.index = notSet
	t.run.RunInLoop()
}

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
