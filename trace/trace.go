// Package trace records what greenlets, tasks, loops and database connections do, as a timeline to
// look at.
//
//	t := trace.Start()
//	defer t.Stop()
//	…
//	err := t.WriteHTML(file)
//
// A trace has every greenlet of the program: when it ran, which greenlet gave it control, and what
// it waited for. It has the ticks and sleeps of every loop, and every connection of package pg with
// its statements, from the moment when each was put into the connection's buffer until its answer
// had come, and with its writes. Names of tasks are those of the program; see repaint.Named.
//
// [Trace.WriteHTML] writes one HTML file that needs nothing else: it can be zoomed, panned and
// searched. [Trace.WritePerfetto] writes a file for ui.perfetto.dev. While a trace is recorded
// together with one of runtime/trace, `go tool trace` shows each task by its name, and its waits as
// regions.
//
// While no trace is recorded, all this costs a load and a branch at each place. A trace costs time
// at each switch, see docs/performance.md. While it lasts, a greenlet isn't used for a second task,
// and a task that waits gives control to the loop and not to the next task.
//
// A trace has the texts of statements, without their arguments. Of an error of the server it has
// the SQLSTATE.
package trace

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/loop"
)

// DefaultLimit is how many events a trace keeps, unless [Limit] says otherwise.
const DefaultLimit = 100_000

// An Option of [Start].
type Option func(*Trace)

// Limit sets how many events the trace keeps. When there are more, it drops the oldest, and counts
// them. A transfer of control, the beginning or end of a wait, of a tick or of a statement is an
// event each. An event takes about 80 bytes. A limit below 1 means [DefaultLimit].
func Limit(events int) Option {
	return func(t *Trace) {
		if events > 0 {
			t.limit = events
		}
	}
}

// A Trace is a recording. Any goroutine may call its methods.
type Trace struct {
	limit  int // set before use
	began  time.Time
	stop   func()
	native native

	mu      sync.Mutex // held for moments, by whatever goroutine something happens in
	stopped bool
	ended   time.Duration // from began, once it is stopped
	ring    []event       // in the order in which they were recorded; from next on when it is full
	next    int           // the oldest, once the ring is full
	dropped uint64
	actors  map[key]*actor
	last    uint32 // number of the newest actor
	loops   int    // how many there have been
	// all has the actors by numbers, also those that nothing can name any more but events do.
	all map[uint32]*actor
}

// Start begins to record, in all loops and goroutines, those that are running already included. A
// program can have several traces at a time. Any goroutine may call it.
func Start(opts ...Option) *Trace {
	t := &Trace{limit: DefaultLimit, began: time.Now(), actors: map[key]*actor{}, all: map[uint32]*actor{}}
	for _, o := range opts {
		o(t)
	}
	t.native.init()
	removeSwitches := greenlet.AddTracer(t.switched)
	removeEvents := loop.AddTracer(t.happened)
	t.stop = sync.OnceFunc(func() {
		removeSwitches()
		removeEvents()
		t.mu.Lock()
		t.stopped, t.ended = true, time.Since(t.began)
		t.mu.Unlock()
		t.native.end()
	})
	return t
}

// Stop ends the recording. What was recorded stays. To stop a trace again does nothing.
func (t *Trace) Stop() { t.stop() }

// Events returns how many events the trace has, without those that were dropped.
func (t *Trace) Events() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.ring)
}

// Dropped returns how many events were dropped, because there were more than the limit.
func (t *Trace) Dropped() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropped
}

// A key is what events name an actor by.
type key struct {
	kind actorKind
	id   uint64 // of a greenlet
	loop *loop.Loop
	name string // of a connection
}

type actorKind uint8

const (
	aGreenlet actorKind = iota
	aLoop
	aConnection
)

// An actor is what has a track in the timeline: a greenlet, a loop or a connection. It is guarded
// by the trace's mutex.
type actor struct {
	number uint32
	kind   actorKind
	key    key
	name   string
	loop   uint32 // that it belongs to; 0 if that isn't known
	main   bool   // runs the main function of the loop
	named  bool   // as a task
	mainOf *actor // of a loop: what runs its main function; nil if that isn't known
	events int    // in the ring
	over   bool   // nothing will name it any more
}

// An event is what is recorded. Its text and numbers mean what its kind says.
type event struct {
	at   time.Duration // from the trace's beginning
	kind eventKind
	of   uint32 // an actor
	to   uint32 // the greenlet that gets control
	id   uint64 // of a statement
	n    int    // bytes
	text string
}

type eventKind uint8

const (
	switches eventKind = iota // of gives control to another greenlet
	dies                      // as switches, and of has ended
	waits
	resumes
	over // of a main function
	tickBegins
	tickEnds
	sleepBegins
	sleepEnds
	sent
	answered
	flushed
)

// switched is the trace's greenlet.Tracer.
func (t *Trace) switched(_ greenlet.Event, origin, target *greenlet.Greenlet) {
	dead := origin.Dead()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped || origin == target {
		return
	}
	from, to := t.greenlet(origin), t.greenlet(target)
	if to.loop == 0 && !to.main {
		to.loop = from.loop
	}
	e := event{kind: switches, of: from.number, to: to.number}
	if dead {
		e.kind = dies
	}
	t.record(e, from, to)
	if dead {
		t.retire(from)
	}
}

// happened is the trace's loop.Tracer.
func (t *Trace) happened(e loop.TraceEvent) {
	var own *greenlet.Greenlet
	switch e.Kind {
	case loop.TaskBegins, loop.TaskWaits, loop.TaskResumes, loop.TaskEnds:
		own = greenlet.Lookup()
		t.native.see(e)
	case loop.LoopCloses:
		t.native.closed(e.Loop)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.stopped {
		return
	}
	switch e.Kind {
	case loop.TickBegins:
		t.ofLoop(e, tickBegins)
	case loop.TickEnds:
		t.ofLoop(e, tickEnds)
	case loop.SleepBegins:
		t.ofLoop(e, sleepBegins)
	case loop.SleepEnds:
		t.ofLoop(e, sleepEnds)
	case loop.LoopCloses:
		t.closed(e.Loop)
	case loop.StatementSent:
		t.ofConnection(e, sent)
	case loop.StatementEnds:
		t.ofConnection(e, answered)
	case loop.Flush:
		t.ofConnection(e, flushed)
	case loop.TaskBegins:
		t.task(e, own)
	case loop.TaskWaits:
		t.ofTask(e, own, waits)
	case loop.TaskResumes:
		t.ofTask(e, own, resumes)
	}
}

func (t *Trace) ofLoop(e loop.TraceEvent, kind eventKind) {
	a := t.loop(e.Loop)
	t.record(event{kind: kind, of: a.number}, a)
}

func (t *Trace) ofConnection(e loop.TraceEvent, kind eventKind) {
	a := t.actor(key{kind: aConnection, name: e.Track})
	a.name = e.Track
	t.record(event{kind: kind, of: a.number, id: e.ID, n: e.N, text: e.Text}, a)
}

func (t *Trace) ofTask(e loop.TraceEvent, own *greenlet.Greenlet, kind eventKind) {
	if a := t.task(e, own); a != nil {
		t.record(event{kind: kind, of: a.number, text: e.Text}, a)
	}
}

// task returns the actor of a task, or of a main function, whose greenlet is own.
func (t *Trace) task(e loop.TraceEvent, own *greenlet.Greenlet) *actor {
	if own == nil {
		return nil // its family has ended
	}
	l := t.loop(e.Loop)
	a := t.greenlet(own)
	if a.main != (e.ID == 0) && a.named || a.main && a.loop != l.number {
		// The goroutine has done something else before, such as another Run.
		t.retire(a)
		a = t.greenlet(own)
	}
	a.loop = l.number
	switch {
	case e.ID == 0:
		a.name, a.main, a.named, l.mainOf = "main function", true, true, a
	case e.Kind == loop.TaskBegins:
		a.name, a.named = e.Text, true
	case !a.named: // it began before the trace, or it is a greenlet that the task has made
		a.name, a.named = fmt.Sprintf("task %d, %s", e.ID, own), true
	}
	return a
}

// closed notes that a loop has ended, and with it its main function.
func (t *Trace) closed(l *loop.Loop) {
	a, known := t.actors[key{kind: aLoop, loop: l}]
	if !known {
		return
	}
	if main := a.mainOf; main != nil && !main.over {
		t.record(event{kind: over, of: main.number}, main)
		t.retire(main)
	}
	t.retire(a)
}

func (t *Trace) greenlet(g *greenlet.Greenlet) *actor {
	a := t.actor(key{kind: aGreenlet, id: g.ID()})
	if a.name == "" {
		a.name = g.String()
	}
	return a
}

func (t *Trace) loop(l *loop.Loop) *actor {
	a := t.actor(key{kind: aLoop, loop: l})
	if a.name == "" {
		t.loops++
		a.name = fmt.Sprintf("loop %d", t.loops)
		a.loop = a.number
	}
	return a
}

func (t *Trace) actor(k key) *actor {
	a := t.actors[k]
	if a == nil {
		t.last++
		a = &actor{number: t.last, kind: k.kind, key: k}
		t.actors[k], t.all[a.number] = a, a
	}
	return a
}

// retire notes that nothing will name an actor any more.
func (t *Trace) retire(a *actor) {
	a.over = true
	delete(t.actors, a.key)
	a.key = key{} // it may hold a loop
	t.forget(a)
}

// forget drops an actor of which nothing is left.
func (t *Trace) forget(a *actor) {
	if a.over && a.events == 0 {
		delete(t.all, a.number)
	}
}

// record adds an event, which names the actors, and drops the oldest if there are too many.
func (t *Trace) record(e event, of ...*actor) {
	e.at = time.Since(t.began)
	for _, a := range of {
		a.events++
	}
	if len(t.ring) < t.limit {
		t.ring = append(t.ring, e)
		return
	}
	old := t.ring[t.next]
	t.ring[t.next] = e
	t.next = (t.next + 1) % t.limit
	t.dropped++
	for _, n := range []uint32{old.of, old.to} {
		if a := t.all[n]; a != nil {
			a.events--
			t.forget(a)
		}
	}
}

// snapshot returns what has been recorded so far.
func (t *Trace) snapshot() *recording {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := &recording{
		began:   t.began,
		lasted:  t.ended,
		dropped: t.dropped,
		events:  slices.Concat(t.ring[t.next:], t.ring[:t.next]),
		actors:  make(map[uint32]actor, len(t.all)),
	}
	if !t.stopped {
		r.lasted = time.Since(t.began)
	}
	for n, a := range t.all {
		r.actors[n] = *a
	}
	return r
}

// A recording is what a trace has at a moment.
type recording struct {
	began   time.Time
	lasted  time.Duration
	dropped uint64
	events  []event
	actors  map[uint32]actor
}
