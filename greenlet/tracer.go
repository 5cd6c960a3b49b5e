package greenlet

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
)

// An Event is the kind of transfer that a [Tracer] sees.
type Event uint8

const (
	// Switched means that the target gets a value, from a Switch or from a child that returned one.
	Switched Event = iota
	// Thrown means that the target gets an error, a panic, a Goexit or a kill, from a Throw or Kill
	// or from a child that ended so.
	Thrown
)

// String returns the event's name: switch, or throw.
func (e Event) String() string {
	if e == Switched {
		return "switch"
	}
	return "throw"
}

// A Tracer is called on every transfer of control. It runs in the target, after the transfer and
// before the target receives what was sent to it. A Switch to the current greenlet is a transfer
// too. An end with [ErrExit] counts as Switched, because the error arrives as a value. It is the
// counterpart of Python's greenlet.settrace.
//
// A tracer may use greenlets, and its own transfers are traced in turn; the target's message waits
// meanwhile. A tracer that panics is removed, and the target gets the panic as a thrown error, a
// [*PanicError]. A target that was about to start then ends with the error instead.
//
// While there are tracers, control is transferred even to an unstarted greenlet that dies of an
// error, so that tracers see this.
type Tracer func(event Event, origin, target *Greenlet)

type tracer struct {
	fn      Tracer
	removed atomic.Bool
}

// globalTracers is replaced, never changed. It is nil if there are none.
var globalTracers atomic.Pointer[[]*tracer]

// tracerVersion counts all changes, of global tracers and of families' own.
var tracerVersion atomic.Uint64

// tracerChanges is held while globalTracers is changed.
var tracerChanges sync.Mutex

// AddTracer makes all families call the tracer on every transfer of control, until remove is
// called. Each family notices a change at its next transfer. Tracers are called in the order in
// which they were added, global ones first. While there are none, tracing costs nothing. Any
// goroutine may call AddTracer and remove.
func AddTracer(fn Tracer) (remove func()) {
	t := &tracer{fn: fn}
	changeTracers(func(all []*tracer) []*tracer { return append(all, t) })
	return t.remove
}

// AddTracer makes the family call the tracer on every transfer of control, until remove is called.
// Any goroutine may call AddTracer and remove.
func (f *Family) AddTracer(fn Tracer) (remove func()) {
	t := &tracer{fn: fn}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.own = append(slices.Clone(f.own), t)
	tracerVersion.Add(1)
	f.attention.Store(true)
	return t.remove
}

// remove marks the tracer. Each family drops marked tracers later.
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
		if f := o.pool.family.Value(); f != nil {
			f.notice()
		}
	})
}

// living returns the tracers that aren't removed, in the same array.
func living(all []*tracer) []*tracer {
	return slices.DeleteFunc(all, func(t *tracer) bool { return t.removed.Load() })
}

// findTracers notices tracers that have come or gone. The caller holds f.mu.
func (f *Family) findTracers() {
	version := tracerVersion.Load()
	if version == f.tracerVersion {
		return
	}
	f.tracerVersion = version
	global := globalTracers.Load()
	f.own = living(slices.Clone(f.own))
	// A new slice, because a trace may be iterating over the old one.
	var all []*tracer
	if global != nil {
		all = living(slices.Clone(*global))
	}
	f.tracers = append(all, f.own...)
	f.traced = len(f.tracers) > 0
}

// trace calls the tracers in the greenlet that has just got control, and returns the message that
// it is to receive.
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
				// A message that ends the target anyway isn't replaced.
				report(fmt.Errorf("greenlet: a tracer failed while %s was being unwound: %w", target, err))
				continue
			}
			m = message{err: err}
		}
	}
	return m
}

// call calls the tracer and returns the value that it panicked with, or nil.
func (t *tracer) call(event Event, origin, target *Greenlet) (panicked any) {
	defer func() { panicked = recover() }()
	t.fn(event, origin, target)
	return nil
}
