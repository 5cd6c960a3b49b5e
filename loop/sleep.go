package loop

import (
	"math"
	"time"
)

// sleep waits until something is scheduled or the next timer is due. A virtual clock jumps to that
// timer instead.
func (l *Loop) sleep() error {
	l.layDown()
	l.mu.Lock()
	if l.anyNews() {
		l.mu.Unlock()
		return nil
	}
	wait, err := l.patience()
	l.asleep = wait > 0
	stands := l.minds && l.clock.virtual && l.timers.first() != nil
	l.mu.Unlock()
	switch {
	case err != nil:
		return l.hope(err)
	case stands && !l.standStill():
		return nil
	case !stands && wait > 0 && l.wokenWithin(wait):
		return nil
	case l.clock.virtual:
		l.clock.jump(l.timers.first().when)
	}
	return nil
}

// anyNews reports whether there is a reason not to sleep. It needs mu.
func (l *Loop) anyNews() bool {
	return len(l.ready) > 0 || len(l.requests.answers) > 0 || l.closed || l.nudged
}

// layDown makes the loop sleep in its poller, if the loop has descriptors.
func (l *Loop) layDown() {
	if l.poller.len() > 0 && l.bed != l.poller {
		l.rise()
		l.bed = l.poller
	}
}

// An Expecter knows about events outside that may still happen, though the loop can't see them.
type Expecter interface {
	// LoopExpects is called from the loop when nothing can happen any more, as far as the loop
	// knows. It returns how long the loop is to sleep until it asks again, unless it is woken; if
	// that isn't positive, [Loop.Drive] returns [ErrDeadlock]. It may schedule something.
	LoopExpects() time.Duration
}

// Expect makes the loop ask e before [Loop.Drive] returns [ErrDeadlock]: a bridge knows the
// contexts with which its tasks wait. There is one such Expecter, the last that was set.
func (b *Bridge) Expect(e Expecter) { b.expects = e }

// hope sleeps as long as the Expecter says. It returns the error if the Expecter expects nothing.
func (l *Loop) hope(err error) error {
	if l.expects == nil {
		return err
	}
	wait := l.expects.LoopExpects()
	l.mu.Lock()
	if l.anyNews() {
		l.mu.Unlock()
		return nil
	}
	l.asleep = wait > 0
	l.mu.Unlock()
	if wait <= 0 {
		return err
	}
	l.wokenWithin(wait)
	return nil
}

const (
	// untilWoken is how long a loop sleeps that has no timer.
	untilWoken = time.Duration(math.MaxInt64)

	// virtualPatience is how long a virtual clock waits, in real time, for what another goroutine
	// may do.
	virtualPatience = 5 * time.Millisecond
)

// patience returns how long a loop in which nothing is ready waits to be woken before it turns to
// its next timer. The caller must hold mu. So a goroutine that wakes the loop either changes what
// patience sees, or finds the loop asleep.
func (l *Loop) patience() (time.Duration, error) {
	l.minds = false
	next := l.timers.first()
	switch {
	case next == nil && l.holds > 0:
		return untilWoken, nil
	case next != nil && !l.clock.virtual:
		return next.when - l.clock.elapsed(), nil
	case l.busyOutside():
		l.minds = true
		return untilWoken, nil
	case next == nil:
		return 0, ErrDeadlock
	case l.holds > 0:
		return virtualPatience, nil
	}
	return 0, nil
}

// wokenWithin waits for the signal that wakes a sleeping loop, and reports whether it came in time.
func (l *Loop) wokenWithin(wait time.Duration) bool {
	l.stats.Sleeps++
	if Tracing() {
		l.trace(SleepBegins)
		defer l.trace(SleepEnds)
	}
	if l.watchdog != nil {
		l.watchdog.rest()
		defer l.watchdog.turn()
	}
	if l.bed != nil {
		l.bed.Sleep(wait)
		woken := l.wakened()
		if l.bed == l.poller {
			woken = l.poller.awake() || woken
		}
		l.bed = nil
		return woken
	}
	if wait == untilWoken {
		<-l.wake
		return true
	}
	if l.sleeper == nil {
		l.sleeper = time.NewTimer(wait)
	} else {
		l.sleeper.Reset(wait)
	}
	select {
	case <-l.wake:
		l.sleeper.Stop()
		return true
	case <-l.sleeper.C:
	}
	return l.wakened()
}

// wakened ends a sleep, and reports whether the loop was woken.
func (l *Loop) wakened() bool {
	l.mu.Lock()
	woken := !l.asleep
	l.asleep = false
	l.mu.Unlock()
	if woken {
		<-l.wake // the signal is on its way, and must not stay for the next sleep
	}
	return woken
}

// offloadIdle wakes the loop if it sleeps only because something offloaded might have called in.
// Any goroutine may call it.
func (l *Loop) offloadIdle() {
	l.mu.Lock()
	l.wakeIfQuiet()
}

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
