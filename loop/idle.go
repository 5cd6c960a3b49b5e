package loop

import (
	"slices"
	"time"
)

// An idleCall is a call to make when nothing is ready.
type idleCall struct {
	run Runnable
	// The loop makes the call although something is ready, at the beginning of this tick (0 for
	// never), or at this time of its clock.
	tick uint64
	at   time.Duration
}

// A loop that is never idle makes the calls of CallWhenIdleSoon after so many ticks, or after so
// much time.
const (
	lateTicks = 256
	lateTime  = time.Millisecond
)

// CallWhenIdleSoon is [Loop.CallWhenIdle] for a fn that other code waits for. If the loop isn't
// idle within 256 ticks or a millisecond, whichever ends first, it calls fn nevertheless, after the
// callbacks that are ready then. With a virtual clock, which stands still meanwhile, only the ticks
// count. In a loop with a seed, which runs one callback in each tick, the limit is higher, in
// proportion to the ready callbacks.
func (l *Loop) CallWhenIdleSoon(fn func()) {
	c := idleCall{callback(fn), l.stats.Ticks + lateTicks, l.clock.elapsed() + lateTime}
	if l.lottery != nil {
		l.mu.Lock()
		c.tick += lateTicks * uint64(len(l.ready)+len(l.lottery.pool))
		l.mu.Unlock()
	}
	l.idle = append(l.idle, c)
}

// takeIdle moves the calls to the batch.
func (l *Loop) takeIdle() {
	for _, c := range l.idle {
		l.batch = append(l.batch, c.run)
	}
	clear(l.idle)
	l.idle = l.idle[:0]
}

// takeLateIdle moves the calls that can't wait any longer to the batch, after the callbacks that
// are ready.
func (l *Loop) takeLateIdle() {
	var now time.Duration // read when needed
	l.idle = slices.DeleteFunc(l.idle, func(c idleCall) bool {
		if c.tick == 0 {
			return false
		}
		if now == 0 {
			now = l.clock.elapsed()
		}
		if c.tick > l.stats.Ticks && c.at > now {
			return false
		}
		l.batch = append(l.batch, c.run)
		return true
	})
}
