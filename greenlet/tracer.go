package greenlet

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// An Event is what a tracer is told of.
type Event uint8

const (
	// Switched says that the target gets a value: by Switch, or because a child of the target
	// returned one.
	Switched Event = iota
	// Thrown says that the target gets an error, a panic, a Goexit or a kill:
	// by Throw or Kill, or because a child of the target ended so.
	Thrown
)

func (e Event) String() string {
	if e == Switched {
		return "switch"
	}
	return "throw"
}

// A Tracer is called on every transfer of control, after it and in the target, before the target
// receives what was sent to it. A Switch to the current greenlet is a transfer, too.
// An end that [ErrExit] makes a value counts as Switched.
//
// A tracer may use greenlets, which is traced in turn; what its target is to receive waits.
// If it panics it is removed, and the target gets the panic as a thrown error, a [*PanicError];
// a greenlet that was about to start doesn't run then, but ends with the error.
//
// While there are tracers, an unstarted greenlet that dies of an error is transferred to all the
// same, so that this is seen.
type Tracer func(event Event, origin, target *Greenlet)

type tracer struct {
	fn      Tracer
	removed atomic.Bool
}

// globalTracers is replaced, never changed. It is nil if there are none.
var globalTracers atomic.Pointer[[]*tracer]

// tracerVersion counts all changes of anybody's tracers.
var tracerVersion atomic.Uint64

// tracerChanges is held while globalTracers is changed.
var tracerChanges sync.Mutex

// AddTracer has the tracer called on every transfer of control in all families, until it is
// removed. Each family takes notice at its next transfer. Both functions may be called from any
// goroutine. Tracers are called in the order in which they were added, the global ones first.
// Without any they cost nothing.
func AddTracer(fn Tracer) (remove func()) {
	t := &tracer{fn: fn}
	changeTracers(func(all []*tracer) []*tracer { return append(all, t) })
	return t.remove
}

// AddTracer has the tracer called on every transfer of control in the family, until it is removed.
// It may be called from any goroutine, as may the function that it returns.
func (f *Family) AddTracer(fn Tracer) (remove func()) {
	t := &tracer{fn: fn}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.own = append(slices.Clone(f.own), t)
	tracerVersion.Add(1)
	f.attention.Store(true)
	return t.remove
}

// remove marks the tracer. Families forget marked ones by and by.
func (t *tracer) remove() {
	if !t.removed.Swap(true) {
		changeTracers(func(all []*tracer) []*tracer { return all })
	}
}

func changeTracers(change func([]*tracer) []*tracer) {
	tracerChanges.Lock()
	defer tracerChanges.Unlock()
	var all []*tracer
	if old := globalTracers.Load(); old != nil {
		all = slices.Clone(*old)
	}
	if all = change(living(all)); len(all) > 0 {
		globalTracers.Store(&all)
	} else {
		globalTracers.Store(nil)
	}
	tracerVersion.Add(1)
	owners.each(func(o *owner) {
		// The owner's other field belongs to the family's goroutines.
		if f := o.lazy.Value(); f != nil {
			f.notice()
		}
	})
}

// living returns those that are not removed, in the same array.
func living(all []*tracer) []*tracer {
	return slices.DeleteFunc(all, func(t *tracer) bool { return t.removed.Load() })
}

// findTracers takes note of tracers that have come or gone. The caller holds f.mu.
func (f *Family) findTracers() {
	version := tracerVersion.Load()
	if version == f.tracerVersion {
		return
	}
	f.tracerVersion = version
	global := globalTracers.Load()
	f.own = living(slices.Clone(f.own))
	// A new slice, because a tracer may be in the midst of the old one.
	var all []*tracer
	if global != nil {
		all = living(slices.Clone(*global))
	}
	f.tracers = append(all, f.own...)
	f.traced = len(f.tracers) > 0
}

// trace calls the tracers in the greenlet that has just got control, and returns what it is to
// receive.
func (f *Family) trace(origin *Greenlet, m message) message {
	event, target := Switched, f.current
	origin.known, target.known = true, true
	if !m.carriesValue() {
		event = Thrown
	}
	for _, t := range f.tracers {
		if t.removed.Load() {
			continue
		}
		switch r := t.call(event, origin, target); {
		case r == nil:
		case r == killed: // the tracer had switched, and the target was killed meanwhile
			m = message{kind: kill}
		default:
			t.remove()
			err := carry(target.core, r)
			if m.kind != result {
				// What ends the target anyway isn't replaced.
				report(fmt.Errorf("greenlet: a tracer failed while %s was being unwound: %w", target, err))
				continue
			}
			m = message{err: err}
		}
	}
	return m
}

// call returns what the tracer panicked with, or nil.
func (t *tracer) call(event Event, origin, target *Greenlet) (panicked any) {
	defer func() { panicked = recover() }()
	t.fn(event, origin, target)
	return nil
}
