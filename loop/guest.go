package loop

import "time"

// NewGuest returns a loop that lives on an event loop of somebody else's, its host: nobody calls [Loop.Drive], which returns [ErrReentrant].
// Instead, whenever there is something to run, post is called, by any goroutine, with a function
// that the host has to call soon, in the one goroutine that runs the host's own callbacks. Each such call is one tick.
// It is trio's guest mode.
//
// Everything that must be called "from the loop" must be called from that goroutine.
// As the loop can't know what its host still expects, there is no [ErrDeadlock].
// post must return without waiting for the host. After [Loop.Close] what it posted does nothing.
// A virtual clock is not for guests: it could not tell when the host is idle. NewGuest panics then.
func NewGuest(post func(fn func()), opts ...Option) *Loop {
	l := New(opts...)
	if l.clock.virtual {
		panic("loop: a guest can't have a virtual clock")
	}
	l.post = post
	l.asleep = true
	return l
}

// pump is what the host calls.
func (l *Loop) pump() {
	if l.driving {
		panic("loop: a guest's host has called it within one of its own callbacks; it must call one function after the other")
	}
	l.driving, l.entered = true, true
	if l.watchdog != nil {
		l.watchdog.turn()
	}
	defer func() { // also when a callback panics, which is the host's to deal with
		l.driving = false
		if l.watchdog != nil {
			l.watchdog.rest()
		}
		l.park()
	}()
	_ = l.tick() // that it is closed, or has nothing to do, is no news
}

// park has the host call again if there is more to run, and lets it go on otherwise, until something is scheduled or a timer is due.
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

// setAlarm has a guest woken when its next timer is due.
func (l *Loop) setAlarm() {
	wait := l.timers.first().when - l.clock.elapsed()
	if l.sleeper == nil {
		l.sleeper = time.AfterFunc(wait, func() { l.Schedule(callback(func() {})) })
		return
	}
	l.sleeper.Reset(wait)
}
