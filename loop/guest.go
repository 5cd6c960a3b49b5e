package loop

import "time"

// NewGuest returns a loop that runs on a foreign event loop, its host. No code drives it:
// [Loop.Drive] returns [ErrReentrant]. Instead, whenever there is something to run, the loop calls
// post, in any goroutine. It passes a function that the host has to call soon, in the one goroutine
// that runs the host's own callbacks. Each such call is one tick. It is trio's guest mode.
//
// Everything that must be called "from the loop" must be called from that goroutine. The loop can't
// know what its host still expects, so there is no [ErrDeadlock]. post must return without waiting
// for the host. After [Loop.Close] the posted functions do nothing. A guest can't have a virtual
// clock, because the clock couldn't tell when the host is idle: NewGuest panics.
func NewGuest(post func(fn func()), opts ...Option) *Loop {
	l := New(opts...)
	if l.clock.virtual {
		panic("loop: a guest can't have a virtual clock")
	}
	l.post = post
	l.asleep = true
	return l
}

// pump is the function that the host calls.
func (l *Loop) pump() {
	if l.driving {
		panic("loop: a guest's host has called it within one of its own callbacks; it must call one function after the other")
	}
	l.driving, l.entered = true, true
	if l.watchdog != nil {
		l.watchdog.turn()
	}
	defer func() { // even when a callback panics; the host must deal with that
		l.driving = false
		if l.watchdog != nil {
			l.watchdog.rest()
		}
		l.park()
	}()
	_ = l.tick() // an error only says that it is closed, or has nothing to do
}

// park makes the host call again if there is more to run. Otherwise the host goes on until
// something is scheduled or a timer is due.
func (l *Loop) park() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	again := len(l.ready)+len(l.lottery.left())+len(l.idle)+len(l.due)+len(l.ends) > 0 || l.next < len(l.batch)
	next := l.timers.first()
	if !again && next != nil {
		again = next.when <= l.clock.elapsed()
	}
	l.asleep = !again
	l.mu.Unlock()
	switch {
	case again:
		l.post(l.pump)
	case next != nil:
		l.setAlarm()
	}
}

// setAlarm wakes a guest when its next timer is due.
func (l *Loop) setAlarm() {
	wait := l.timers.first().when - l.clock.elapsed()
	if l.sleeper == nil {
		l.sleeper = time.AfterFunc(wait, func() { l.Schedule(callback(func() {})) })
		return
	}
	l.sleeper.Reset(wait)
}
