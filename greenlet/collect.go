package greenlet

import (
	"fmt"
	"runtime"
)

// watchLater has the current greenlet, which is about to be suspended, watched. It is done by the one that
// gets control, because it needs more stack than a suspended greenlet should have.
func (f *Family) watchLater() {
	f.current.watched = true
	f.toWatch = f.current
	f.special = true
}

// watch has the collector tell the family when the handle of a suspended greenlet becomes unreachable.
func watch(g *Greenlet) {
	runtime.AddCleanup(g, func(c *core) {
		if c.is(dead) {
			return
		}
		f := c.fam
		f.mu.Lock()
		f.unreachable = append(f.unreachable, c)
		f.attention.Store(true)
		// Who has entered a family explicitly closes it. For others somebody must see to it.
		watchRoot := !f.entered && !f.reaping
		f.reaping = f.reaping || watchRoot
		f.mu.Unlock()
		if watchRoot {
			f.reapLater(firstLook)
		}
	}, g.core)
}

// refresh takes note of what others have left for the family, apart from the unreachable greenlets:
// those are killed at the beginning of the family's calls only, not in the midst of a transfer.
func (f *Family) refresh() {
	if !f.attention.Load() {
		return
	}
	f.mu.Lock()
	f.findTracers()
	f.attention.Store(len(f.unreachable) > 0 || f.traced || f.locked)
	f.mu.Unlock()
}

// killUnreachable does what the collector asked for.
func (f *Family) killUnreachable() {
	if !f.attention.Load() {
		return
	}
	f.mu.Lock()
	cores := f.unreachable
	f.unreachable = nil
	f.mu.Unlock()
	f.refresh()
	for _, c := range cores {
		if c.is(dead) {
			continue
		}
		if err := f.killQuietly(c); err != nil {
			report(fmt.Errorf("greenlet: while killing %s, which had become unreachable: %w", c, err))
		}
	}
}
