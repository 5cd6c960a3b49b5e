package greenlet

import (
	"time"
)

// A family that was not entered explicitly ends by itself. As long as its root goroutine uses greenlets,
// the unreachable ones are killed then. When the root goroutine has ended nobody calls,
// and nobody may: so once the collector has found something to kill in such a family, it is looked after
// from time to time, and if the root goroutine has ended then another goroutine stands in for it and closes the family.
// That kills all its greenlets, also the reachable ones, to which nobody can switch: they would wait for ever.
//
// How to know that a goroutine has ended? Its status and its number in its descriptor tell at once
// (see descriptor_fast.go: a descriptor is never freed, and used again under another number). Where the descriptor
// can't be read the goroutine is looked for in a dump of all goroutines, which stops the program for a moment.
// That is why a family with a living root, which may not call for hours, is looked at less and less often.
const (
	firstLook  = 10 * time.Millisecond
	seldomLook = time.Minute
)

func (f *Family) reapLater(delay time.Duration) {
	time.AfterFunc(delay, func() {
		f.mu.Lock()
		settled := len(f.unreachable) == 0 // the family has seen to it itself
		f.reaping = !settled
		f.mu.Unlock()
		switch {
		case settled:
		case f.rootRoutine.ended():
			f.reap()
		default:
			f.reapLater(min(2*delay, seldomLook))
		}
	})
}

// reap closes the family in the name of its root. When a goroutine ends it is running,
// so control was at the root, and everything else is parked.
// The running number is read first: it was stored after all that the root goroutine did.
func (f *Family) reap() {
	if f.running.Load() != f.goid || f.closed.Load() {
		return
	}
	id := goid()
	owners.remove(f.root)
	f.root.id = id
	owners.add(f.root)
	f.current.goid = id
	f.running.Store(id)
	f.reaped.Store(true)
	stray, err := f.close()
	if err != nil {
		report(err)
	}
	if stray.kind != result {
		report(stray.whileClosing(f))
	}
}
