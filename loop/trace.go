package loop

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A TraceKind is a kind of [TraceEvent].
type TraceKind uint8

const (
	TickBegins    TraceKind = iota // the loop has something to run
	TickEnds                       // everything that was ready has run, and the tick's end, too
	SleepBegins                    // nothing is ready, and the loop waits
	SleepEnds                      // something is ready, or a timer is due
	LoopCloses                     // the loop has ended
	TaskBegins                     // a task of the loop is about to call its function; Text is its name
	TaskWaits                      // a task is about to wait; Text is what it waits for
	TaskResumes                    // a task goes on after a wait
	TaskEnds                       // a task's function has ended
	StatementSent                  // a statement was put on a connection; Text is the statement
	StatementEnds                  // its answer has come, or the connection was lost; Text is the error, or ""
	Flush                          // a connection has written; N is the number of bytes
)

// A TraceEvent is something that a [Tracer] sees.
type TraceEvent struct {
	Kind TraceKind
	// Loop is the loop in which it happens. It is nil for statements and flushes, which belong to
	// no loop.
	Loop *Loop
	// ID is the number of a task in its loop, 0 for the main function. Both events of a statement
	// have the same ID, which no other statement under way on the connection has.
	ID    uint64
	Track string // names the connection of a statement or flush; empty for other events
	Text  string // depends on the Kind
	N     int    // depends on the Kind
}

// A Tracer is called when something happens in a loop, or on a connection of a driver. It runs in
// the goroutine in which that happens; for a task that is its greenlet's. It must return soon, must
// not wait, and must not call anything that is traced. Several goroutines may call it at the same
// time.
type Tracer func(e TraceEvent)

type tracer struct{ fn Tracer }

// tracers is replaced, never changed. It is nil if there are none.
var tracers atomic.Pointer[[]*tracer]

// tracerChanges is held while tracers is changed.
var tracerChanges sync.Mutex

// AddTracer makes all loops, and what runs in them, call the tracer, until remove is called. While
// there is none, tracing costs an atomic load at each of these places. A call that is under way may
// end after remove has returned. Any goroutine may call AddTracer and remove. It is the counterpart
// of greenlet.AddTracer, which sees the transfers of control.
func AddTracer(fn Tracer) (remove func()) {
	t := &tracer{fn}
	changeTracers(func(all []*tracer) []*tracer { return append(all, t) })
	return func() {
		changeTracers(func(all []*tracer) []*tracer {
			return slices.DeleteFunc(all, func(o *tracer) bool { return o == t })
		})
	}
}

func changeTracers(change func([]*tracer) []*tracer) {
	tracerChanges.Lock()
	defer tracerChanges.Unlock()
	var all []*tracer
	if old := tracers.Load(); old != nil {
		all = slices.Clone(*old)
	}
	if all = change(all); len(all) == 0 {
		tracers.Store(nil)
		return
	}
	tracers.Store(&all)
}

// Tracing reports whether there is a tracer, so that code makes the text of an event only then. Any
// goroutine may call it.
func Tracing() bool { return tracers.Load() != nil }

// Trace tells the tracers about an event. It is meant for bridges and drivers. Any goroutine may
// call it.
func Trace(e TraceEvent) {
	if all := tracers.Load(); all != nil {
		for _, t := range *all {
			t.fn(e)
		}
	}
}

// trace is Trace for the loop itself, apart so that the functions of the loop stay small.
//
//go:noinline
func (l *Loop) trace(kind TraceKind) { Trace(TraceEvent{Kind: kind, Loop: l}) }
