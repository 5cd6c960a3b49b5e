package greenlet

import "fmt"

// send delivers the message to g, or to whom it falls to if g can't take it,
// and does what the message says that is sent back to the current greenlet.
func (f *Family) send(g *Greenlet, m message) (any, error) {
	return f.exchange(g, m).open(f.current)
}

func (f *Family) exchange(g *Greenlet, m message) message {
	if f.over || f.closed.Load() && g.is(unstarted) {
		return message{err: f.closedError(g)}
	}
	f.refresh()
	f.msg = m
	to := f.receiver(g)
	me := f.current.core
	if to.core == me {
		if f.traced {
			f.origin = f.current
		}
		return f.receive(me)
	}
	if err := f.obstacle(to); err != nil {
		f.msg = message{}
		return message{err: err}
	}
	if !to.is(active) {
		f.start(to)
	}
	if !me.watched {
		f.watchLater()
	}
	s := to.slot
	me.slot = s
	f.switchTo(to)
	s.flip()
	return f.arrive(me)
}

// obstacle returns an error if the current greenlet can't give control to another one.
func (f *Family) obstacle(to *Greenlet) error {
	switch {
	case f.over:
		return f.closedError(to)
	case to.is(active):
		return lockMismatch(to.slot, to)
	}
	return nil
}

func (f *Family) closedError(g *Greenlet) error {
	return fmt.Errorf("%w: cannot switch to %s of %s", ErrClosed, g, f)
}

// receiver finds who gets the family's message if it is addressed to g: g, or the nearest ancestor
// that can take it. There always is one, because a root lives as long as anything can switch.
func (f *Family) receiver(g *Greenlet) *Greenlet {
	for !g.is(active) {
		if g.is(unstarted) {
			// What doesn't start an unstarted greenlet kills it. While somebody traces, it is
			// transferred to all the same, to die in its own goroutine: so the log shows where the
			// error has passed.
			if (f.msg.carriesValue() || f.traced) && !f.closed.Load() {
				return g
			}
			g.run = nil
			g.become(dead)
			if f.msg.kind == kill {
				f.msg = message{err: ErrExit}
			}
			f.msg.exit()
		}
		g = g.parent
	}
	return g
}

// switchTo makes an active greenlet the current one, with the family's message for it.
// What comes next must be a flip of its slot, or the end of the goroutine.
func (f *Family) switchTo(to *Greenlet) {
	if f.traced {
		f.origin = f.current
	}
	f.current = to
	f.switches++
	f.special = f.special || f.traced || !f.msg.carriesValue()
}

// arrive is what a goroutine does first when it wakes up: it parks again until it's the current
// greenlet's, takes control, does what has been left for it to do, and returns the message for it.
func (f *Family) arrive(me *core) message {
	for f.current.core != me {
		s := f.hop()
		me.slot = s
		s.flip()
	}
	f.special = false
	if g := f.toWatch; g != nil {
		f.toWatch = nil
		watch(g)
	}
	return f.receive(me)
}

// arriveSlowly is arrive for Switch, in whose frame a message would take room on each suspended
// stack.
//
//go:noinline
func (f *Family) arriveSlowly(me *core) (any, error) { return f.arrive(me).open(f.current) }

// receive takes the family's message and control, in this order: once the family has a running
// goroutine nothing is written that another one might look at without having been switched to. See
// reaper.go.
func (f *Family) receive(me *core) message {
	m, origin := f.msg, f.origin
	f.msg, f.origin = message{}, nil
	f.running.Store(me.goid)
	if origin != nil {
		m = f.trace(origin, m)
	}
	return m
}

// hop tells a goroutine that woke up without being meant where to park instead.
// This happens when a goroutine ends: it wakes whoever is parked in its slot.
func (f *Family) hop() *slot {
	if s := f.detour; s != nil {
		f.detour = nil
		return s
	}
	return f.current.slot
}

// finish ends the worker's greenlet, which is current, and gives control to its parent, or to the
// ancestor that stands in for it. It returns the slot in which that one waits for the caller to
// park. Last says that the caller's goroutine must end, so that it can't do so in another state of
// thread locking than that in which it was made.
func (f *Family) finish(w *worker, last bool) *slot {
	f.refresh()
	c := w.job
	w.job = nil
	f.unlink(w)
	c.become(dead)
	c.run, c.slot = nil, nil
	f.msg.exit()
	to, awaited := f.heir(c)
	to = f.receiver(to)
	for to.is(active) && !fitLock(to.slot, last) && !to.isRoot {
		f.msg = message{err: lockMismatch(to.slot, to)}
		to, awaited = f.receiver(to.parent), nil
	}
	if awaited != nil {
		awaited.arrived = true
	}
	if to.is(unstarted) {
		f.start(to)
	}
	f.switchTo(to)
	return to.slot
}
