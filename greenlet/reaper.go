package greenlet

import (
	"runtime"
	"sync"
	"time"
)

// A family that was not entered explicitly ends by itself. As long as its root goroutine uses
// greenlets, the unreachable ones are killed then. When the root goroutine has ended nobody calls,
// and nobody may: so once the collector has found something to kill in such a family, the reaper
// looks after it from time to time, and if the root goroutine has ended then another goroutine
// stands in for it and closes the family. That kills all its greenlets, also the reachable ones, to
// which nobody can switch: they would wait for ever.
//
// How to know that a goroutine has ended? Its status and its number in its descriptor tell at once
// (see descriptor_fast.go: a descriptor is never freed, and used again under another number). Where
// descriptors can't be read, goroutines are looked for in a dump of all of them, which stops the
// program for a moment. It serves for all families that are waiting to be looked at.
//
// A root goroutine that lives may not call for hours. So the reaper looks a few times by the clock,
// and then only after collections. A timer that is always there would keep the runtime from
// noticing a deadlock of the program.
type reaperState struct {
	mu       sync.Mutex // held for moments; a family's mu may be held, no other is taken inside
	families []*Family  // to look at
	// delay is how long to wait from one look by the clock to the next; beyond lastLook there are
	// no more.
	delay     time.Duration
	scheduled bool // a look is under way, or will be by the clock
	listening bool // the next collection will wake the reaper
}

const (
	firstLook = 10 * time.Millisecond
	lastLook  = 500 * time.Millisecond
	// share is how much more time there must be from one look to the next than it takes.
	share = 4
)

var reaper reaperState

// add has the reaper look after the family.
func (r *reaperState) add(f *Family) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.families = append(r.families, f)
	r.delay = firstLook
	r.schedule()
}

// schedule has the reaper look now, if it isn't about to. The caller holds r.mu.
func (r *reaperState) schedule() {
	if !r.scheduled {
		r.scheduled = true
		go r.look()
	}
}

// look closes the families whose roots have ended, and forgets those that have helped themselves.
func (r *reaperState) look() {
	r.mu.Lock()
	families := r.families
	r.families = nil
	r.mu.Unlock()

	start := time.Now()
	var roots []descriptor
	var unsettled []*Family
	for _, f := range families {
		if !f.settled() {
			unsettled = append(unsettled, f)
			roots = append(roots, f.rootRoutine)
		}
	}
	var living []*Family
	for i, ended := range endedAmong(roots) {
		if ended {
			go unsettled[i].reap()
		} else {
			living = append(living, unsettled[i])
		}
	}
	took := time.Since(start)

	r.mu.Lock()
	defer r.mu.Unlock()
	r.families = append(r.families, living...)
	switch {
	case len(r.families) == 0:
		r.scheduled = false
	case r.delay <= lastLook:
		time.AfterFunc(max(r.delay, share*took), r.look)
		r.delay *= 2
	default:
		r.scheduled = false
		r.listen()
	}
}

// listen has the next collection wake the reaper. The caller holds r.mu.
func (r *reaperState) listen() {
	if r.listening {
		return
	}
	r.listening = true
	garbage := new(struct{ _ *Family }) // a pointer, so that it has memory of its own
	runtime.AddCleanup(garbage, func(r *reaperState) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.listening = false
		if len(r.families) > 0 {
			r.schedule()
		}
	}, r)
}

// settled reports whether nothing is left to kill, because the family has seen to it itself. Then
// the reaper lets it go.
func (f *Family) settled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reaping = len(f.unreachable) > 0 && !f.closed.Load()
	return !f.reaping
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
