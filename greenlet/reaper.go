package greenlet

import (
	"runtime"
	"sync"
	"time"
)

// A family that began without Enter ends by itself. Whenever its root goroutine uses greenlets, the
// unreachable ones are killed. Once the root goroutine has ended, no call comes any more. So when
// the collector finds a greenlet to kill in such a family, the reaper checks the family from time
// to time. If the root goroutine has ended, another goroutine stands in for it and closes the
// family. That also kills the family's reachable greenlets, which would otherwise wait forever.
//
// How does the reaper know that a goroutine has ended? The status and the number in its descriptor
// tell at once (see descriptor_fast.go: the runtime never frees a descriptor, and reuses it under
// another number). Where descriptors can't be read, the reaper looks for the goroutines in a dump
// of all stacks, which stops the program for a moment. One dump serves all families that wait to be
// checked.
//
// A living root goroutine may not use greenlets for hours. So the reaper checks a few times by the
// clock, and then only after collections. A timer that always ran would keep the runtime from
// noticing that the program is deadlocked.
type reaperState struct {
	mu       sync.Mutex // held for moments; a family's mu may be held, no other is taken inside
	families []*Family  // to check
	// delay is the time until the next look by the clock. Once it exceeds lastLook, there are no
	// more.
	delay     time.Duration
	scheduled bool // a look is under way or has a timer
	listening bool // the next collection will wake the reaper
}

const (
	firstLook = 10 * time.Millisecond
	lastLook  = 500 * time.Millisecond
	// share is the least ratio of the time between two looks to the time that a look takes.
	share = 4
)

var reaper reaperState

// add makes the reaper check the family.
func (r *reaperState) add(f *Family) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.families = append(r.families, f)
	r.delay = firstLook
	r.schedule()
}

// schedule starts a look now, unless one is scheduled. The caller holds r.mu.
func (r *reaperState) schedule() {
	if !r.scheduled {
		r.scheduled = true
		go r.look()
	}
}

// look closes the families whose root goroutines have ended, and drops the families that have
// settled.
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

// listen makes the next collection wake the reaper. The caller holds r.mu.
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

// settled reports whether nothing is left to kill, because the family has done it itself. The
// reaper then drops the family.
func (f *Family) settled() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reaping = len(f.unreachable) > 0 && !f.closed.Load()
	return !f.reaping
}

// reap closes the family in place of its root. A goroutine is running when it ends, so the root had
// control and all other goroutines of the family are parked. reap reads running first, because the
// root goroutine stored it after everything else that it did.
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
