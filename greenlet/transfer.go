package greenlet

import "fmt"

// send delivers the message to g, or to the ancestor that gets it if g can't take it. It then does
// what the message says that comes back to the current greenlet.
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

// obstacle returns an error if the current greenlet can't give control to the other one.
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

// receiver returns the greenlet that gets the family's message if it is addressed to g: g, or the
// nearest ancestor that can take it. There is always one, because a root lives as long as anything
// can switch.
func (f *Family) receiver(g *Greenlet) *Greenlet {
	for !g.is(active) {
		if g.is(unstarted) {
			// A message that doesn't start an unstarted greenlet kills it. While there are tracers,
			// control is transferred to it nevertheless and it dies in its own goroutine, so that a
			// trace shows where the error has passed.
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

// switchTo makes an active greenlet the current one, with the family's message for it. The caller
// must then flip its slot, or end the goroutine.
func (f *Family) switchTo(to *Greenlet) {
	if f.traced {
		f.origin = f.current
	}
	f.current = to
	f.switches++
	f.special = f.special || f.traced || !f.msg.carriesValue()
}

// arrive is the first thing that a goroutine does when it wakes up. It parks again until its
// greenlet is the current one, takes control, does the work that was left for it, and returns the
// message for it.
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

// arriveSlowly is arrive for Switch. In Switch's own frame a message would take room on each
// suspended stack.
//
//go:noinline
func (f *Family) arriveSlowly(me *core) (any, error) { return f.arrive(me).open(f.current) }

// receive takes the family's message and then control, in this order. Once running is stored, it
// writes nothing that another goroutine may read without having been switched to. See reaper.go.
func (f *Family) receive(me *core) message {
	m, origin := f.msg, f.origin
	f.msg, f.origin = message{}, nil
	f.running.Store(me.goid)
	if origin != nil {
		m = f.trace(origin, m)
	}
	return m
}

// hop returns the slot in which a goroutine must park that woke up but isn't current's. That
// happens when a goroutine ends: its end wakes the one that is parked in its slot.
func (f *Family) hop() *slot {
	if s := f.detour; s != nil {
		f.detour = nil
		return s
	}
	return f.current.slot
}

// finish ends the worker's greenlet, which is current, and gives control to its heir, or to the
// nearest ancestor that can take it. It returns the slot in which that greenlet waits for the
// caller to park. If last is true, the caller's goroutine is about to end, and must end in the
// state of thread locking in which it was made.
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
