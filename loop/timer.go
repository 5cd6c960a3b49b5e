package loop

import (
	"math"
	"time"
)

// A Timer is one call in the future. All its methods must be called from its loop.
type Timer struct {
	loop  *Loop
	run   Runnable
	when  time.Duration // on the loop's clock
	seq   uint64        // of its entry in the loop's timers
	state timerState
}

type timerState uint8

const (
	notSet timerState = iota
	isSet             // it is in the loop's timers
	isDue             // it is in the loop's batch, and hasn't been called yet
)

// CallLater calls fn once d has passed. A d that isn't positive means the next tick.
//
// Timers are called in the order of their moments, and for equal moments in the order in which they
// were set; in each tick they come after what was scheduled by then.
func (l *Loop) CallLater(d time.Duration, fn func()) *Timer {
	return l.ScheduleLater(d, callback(fn))
}

// CallAt is [Loop.CallLater] with the moment instead of the distance. A moment that has passed
// means the next tick.
func (l *Loop) CallAt(at time.Time, fn func()) *Timer {
	t := &Timer{loop: l, run: callback(fn)}
	t.set(at.Sub(l.clock.base))
	return t
}

// ScheduleLater is [Loop.CallLater] for a Runnable.
func (l *Loop) ScheduleLater(d time.Duration, r Runnable) *Timer {
	t := &Timer{loop: l, run: r}
	t.Reset(d)
	return t
}

// Stop keeps the timer from calling, even if its time has come but its turn hasn't. It reports
// whether it did: false means that the call has been made, or is being made, or was stopped before.
func (t *Timer) Stop() bool {
	before := t.state
	t.state = notSet
	if before == isSet {
		t.loop.timers.dropped()
	}
	return before != notSet
}

// Reset sets the timer anew, whether or not it is set, to call once d has passed from now.
func (t *Timer) Reset(d time.Duration) {
	t.Stop()
	now := t.loop.clock.elapsed()
	when := now + max(d, 0)
	if when < now { // the sum has overflowed
		when = math.MaxInt64
	}
	t.set(when)
}

// When returns the moment for which the timer is, or was, set.
func (t *Timer) When() time.Time { return t.loop.clock.base.Add(t.when) }

// set puts a timer that isn't set among the loop's timers.
func (t *Timer) set(when time.Duration) {
	l := t.loop
	l.seq++
	t.when, t.seq, t.state = when, l.seq, isSet
	l.timers.push(timerEntry{when, l.seq, t})
	if l.post != nil && !l.driving {
		l.setAlarm()
	}
}

// takeDueTimers moves the timers whose time has come to the batch.
func (l *Loop) takeDueTimers() {
	now := l.clock.elapsed()
	for {
		t := l.timers.first()
		if t == nil || t.when > now {
			return
		}
		l.timers.pop()
		t.state = isDue
		l.batch = append(l.batch, (*dueTimer)(t))
	}
}

// A dueTimer is a timer in the batch.
type dueTimer Timer

// RunInLoop makes the call, unless another callback of the same tick has stopped or reset the
// timer.
func (t *dueTimer) RunInLoop() {
	if t.state != isDue {
		t.loop.stats.Callbacks-- // it has called nothing
		return
	}
	t.state = notSet
	t.run.RunInLoop()
}
