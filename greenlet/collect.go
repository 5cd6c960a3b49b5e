package greenlet

import (
	"fmt"
	"runtime"
	"unsafe"
	"weak"
)

// watchLater has the current greenlet, which is about to be suspended, watched. It is done by the
// one that gets control, because it needs more stack than a suspended greenlet should have.
func (f *Family) watchLater() {
	f.current.watched = true
	f.toWatch = f.current
	f.special = true
}

// watch has the collector tell the family when the handle of a suspended greenlet becomes
// unreachable.
func watch(g *Greenlet) {
	g.self = weak.Make(g)
	// What is given to a cleanup is reachable. So it must not lead to the handle, not even for the
	// moment in which the family's current greenlet is this one. As long as it lives, its stack
	// keeps the core.
	runtime.AddCleanup(g, func(w weak.Pointer[core]) {
		if c := w.Value(); c != nil && !c.is(dead) {
			c.fam.forget(c)
		}
	}, weak.Make(g.core))
}

// forget notes that the collector has found the greenlet's handle unreachable.
func (f *Family) forget(c *core) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed.Load() {
		return
	}
	f.unreachable = append(f.unreachable, c)
	f.attention.Store(true)
	if !f.entered && !f.reaping { // who has entered a family closes it, for others the reaper must see to it
		f.reaping = true
		reaper.add(f)
	}
}

// handle returns the handle of a suspended greenlet. If that is gone it makes a new one, which is
// watched in turn, so that a deferred function of the greenlet can save it from being killed.
func (c *core) handle() *Greenlet {
	if c.held {
		return (*Greenlet)(unsafe.Add(unsafe.Pointer(c), -int(unsafe.Offsetof(held{}.core))))
	}
	if g := c.self.Value(); g != nil {
		return g
	}
	c.watched = false
	return &Greenlet{core: c}
}

// refresh takes note of what others have left for the family, apart from the unreachable greenlets:
// those are killed at the beginning of the family's calls only, not in the midst of a transfer.
func (f *Family) refresh() {
	if !f.attention.Load() {
		return
	}
	f.mu.Lock()
	f.findTracers()
	f.settle()
	f.mu.Unlock()
}

// settle takes the flag down if there is no reason for it any more. The caller holds f.mu.
func (f *Family) settle() {
	f.attention.Store(len(f.unreachable) > 0 || f.traced || f.locked || f.over)
}

// notice has the family's next call look at what others have left for it. Refresh may be looking
// right now: it holds the mutex until it has taken the flag down, so that what it has overlooked
// isn't forgotten.
func (f *Family) notice() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attention.Store(true)
}

// killUnreachable does what the collector asked for. One that is being killed may switch away, and
// control may come back with something else, for the current greenlet: if ok is false then that is
// m, which must be opened. What is left to kill is left to the family's next call, whichever
// greenlet makes it.
func (f *Family) killUnreachable() (m message, ok bool) {
	if !f.attention.Load() {
		return message{}, true
	}
	for c := f.takeUnreachable(); c != nil; c = f.takeUnreachable() {
		m, ok, err := f.killQuietly(c)
		if err != nil {
			report(fmt.Errorf("greenlet: while killing %s, which had become unreachable: %w", c, err))
		}
		if !ok {
			return m, false
		}
	}
	f.refresh()
	return message{}, true
}

func (f *Family) takeUnreachable() *core {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.unreachable) > 0 {
		c := f.unreachable[0]
		f.unreachable[0] = nil
		f.unreachable = f.unreachable[1:]
		switch {
		case f.over || c.is(dead):
		case c == f.current.core:
			c.watched = false // what runs is known to somebody, who has copied the handle
		default:
			return c
		}
	}
	f.unreachable = nil
	return nil
}
