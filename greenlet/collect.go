package greenlet

import (
	"fmt"
	"runtime"
	"unsafe"
	"weak"
)

// watchLater arranges for the current greenlet, which is about to be suspended, to be watched. The
// greenlet that gets control calls watch, because watch needs more stack than a suspended greenlet
// should have.
func (f *Family) watchLater() {
	f.current.watched = true
	f.toWatch = f.current
	f.special = true
}

// watch makes the collector tell the family when the handle of a suspended greenlet becomes
// unreachable.
func watch(g *Greenlet) {
	g.self = weak.Make(g)
	// The argument of a cleanup is reachable. So it must not lead to the handle, not even while g
	// is the family's current greenlet. As long as g lives, its stack keeps the core.
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
	if !f.entered && !f.reaping { // the caller of Enter closes its family; the reaper sees to the others
		f.reaping = true
		reaper.add(f)
	}
}

// handle returns the handle of a suspended greenlet. If the handle is gone, it makes a new one,
// which is watched in turn, so that a deferred function of the greenlet can save it from being
// killed.
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

// refresh attends to what other goroutines have left for the family, apart from the unreachable
// greenlets: those are killed only at the beginning of the family's calls, not in the middle of a
// transfer.
func (f *Family) refresh() {
	if !f.attention.Load() {
		return
	}
	f.mu.Lock()
	f.findTracers()
	f.settle()
	f.mu.Unlock()
}

// settle clears attention if there is no reason for it any more. The caller holds f.mu.
func (f *Family) settle() {
	f.attention.Store(len(f.unreachable) > 0 || f.traced || f.locked || f.over)
}

// notice makes the family's next call look at what other goroutines have left for it. A refresh may
// be under way: it holds the mutex until it has cleared attention, so what it overlooked isn't
// lost.
func (f *Family) notice() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.attention.Store(true)
}

// killUnreachable kills the greenlets that the collector found. One of them may switch away while
// it is being killed, and control may come back with some other message for the current greenlet.
// If ok is false, m is that message and the caller must open it. The family's next call, from
// whichever greenlet, kills the rest.
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
			c.watched = false // it runs, so some code knows it by a copy of the handle
		default:
			return c
		}
	}
	f.unreachable = nil
	return nil
}
