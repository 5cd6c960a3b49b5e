package repainttest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// fairness is how many steps a task may make in a row while others could go on, so that a task that
// waits for others by yielding again and again doesn't hold the schedule.
const fairness = 200

// A recorder runs one schedule: it asks the strategy for each step, and records what happens. It
// belongs to the loop.
type recorder struct {
	strategy strategy
	tree     *tree // of what has been explored; nil if that doesn't matter
	deviated bool  // the strategy alone would have chosen otherwise at some step

	current string
	streak  int // steps of current in a row
	steps   []step
	tasks   []explore.Task // in the order of their beginning; the main function isn't one
	ids     []string       // of those that are ready; used again and again

	inControl []string // the task that has control, and those that wait for it because they spawned it

	// Of statements, see statement.go.
	loop       *loop.Loop
	news       chan struct{} // has room for one signal: there is an answer
	calls      []*call       // that aren't answered, in the order in which they were sent
	urgent     []string      // tasks that go on before the next choice
	users      map[user]string
	turned     map[string]bool  // tasks whose next statement has its turn
	blockers   map[user][]int64 // when the servers were last asked
	statements int              // how many have been executed
	turnFor    string           // the statement for which the task that has control is about to wait for its turn, or ""
	doubting   sync.Mutex       // for doubts, which a statement's goroutine may have, too
	doubts     []string
	asking     map[string]bool // tasks that wait for the turn of a statement
	cancels    map[string]func(cause error)
	followed   []explore.Followed // that aren't over

	// Of faults, see fault.go. The first two are set before use.
	faults     []Fault
	faultLimit int
	faulty     int              // how many there have been
	fault      map[string]Fault // that the next statement of a task meets with
	detailed   bool             // servers are asked also what takes time, because this is to be shown

	progress atomic.Int64 // steps made, for the watch over a loop that is held
	took     time.Duration

	resetTook time.Duration

	touch     touch
	mainWaits string // for what the main function has waited last
}

// A step is what happened from one choice to the next. The first step is the program's beginning,
// and belongs to no task.
type step struct {
	task   string
	choice string   // the task, or with a fault
	ready  []string // among which it was chosen
	events []event
}

// An event is what a task did at the end of a part of its step, or the statement that it sent.
type event struct {
	task  string
	kind  eventKind
	what  string // it waits for; or the statement
	place string // where it waits, or sends it

	failed bool // the result of the statement, or of the task, is an error

	// Of a statement.
	args, result, fault string
	session             user     // that executes it
	holders             []string // the tasks for whose locks it waits, if it does
}

type eventKind byte

const (
	begins eventKind = iota
	waits
	ends
	asks  // for its turn to send a statement
	sends // a statement
)

func (e event) String() string {
	switch e.kind {
	case begins:
		return "begins"
	case ends:
		return "ends"
	case asks:
		return "is to send " + e.what
	case sends:
		text := e.what
		if e.args != "" {
			text += " [" + e.args + "]"
		}
		return e.fault + text + " → " + e.result
	}
	return strings.TrimSpace(fmt.Sprintf("%s: waits for %s", e.place, e.what))
}

// begin prepares the recorder for a schedule.
func (r *recorder) begin(seed uint64, steps int) {
	r.strategy.begin(seed, steps)
	if r.tree != nil {
		r.tree.begin()
		if r.tree.reduction != nil {
			r.touch = touch{schema: r.tree.schema, sessions: map[user]*session{}}
		}
	}
	r.steps = []step{{}}
	r.current = explore.Main
	r.inControl = []string{explore.Main}
	r.users, r.turned, r.asking = map[user]string{}, map[string]bool{}, map[string]bool{}
	r.cancels, r.fault, r.faulty, r.followed = map[string]func(error){}, map[string]Fault{}, 0, nil
}

// end is called when the program has ended.
func (r *recorder) end() {
	if r.tree == nil {
		return
	}
	if r.tree.reduction != nil {
		r.tree.learn(r.effect(nil))
	}
	r.tree.end()
}

// Choose implements [loop.Chooser].
func (r *recorder) Choose(ready []loop.Runnable) int {
	all := r.alternatives(ready)
	if i := r.first(); i >= 0 {
		return i
	}
	if r.touch.schema != nil {
		r.tree.learn(r.effect(all))
		r.touch.step, r.touch.before = r.touch.step[:0], slices.Clone(all)
	}
	p := point{step: len(r.steps) - 1, current: r.current, ready: all, status: r.status}
	p.ready = r.withFaults(p.ready)
	choice := p.ready[r.choose(p)]
	task := r.takeFault(choice)
	if task == r.current {
		r.streak++
	} else {
		r.streak = 1
	}
	r.current = task
	r.inControl = append(r.inControl[:0], task)
	r.steps = append(r.steps, step{task: task, choice: choice, ready: slices.Clone(p.ready)})
	delete(r.asking, task)
	r.progress.Add(1)
	return slices.Index(r.ids, task)
}

// first returns the callback that goes on without a choice, as part of the present step, or -1 if
// there is none.
func (r *recorder) first() int {
	if i := slices.Index(r.ids, answersOwner); i >= 0 {
		return i
	}
	for n, task := range r.urgent {
		if i := slices.Index(r.ids, task); i >= 0 {
			r.urgent = slices.Delete(r.urgent, n, n+1)
			r.inControl = append(r.inControl[:0], task)
			return i
		}
	}
	return -1
}

// control returns the task that has control.
func (r *recorder) control() string {
	if n := len(r.inControl); n > 0 {
		return r.inControl[n-1]
	}
	return r.current
}

// yields notes that a task gives up control.
func (r *recorder) yields(task string) {
	if n := len(r.inControl); n > 0 && r.inControl[n-1] == task {
		r.inControl = r.inControl[:n-1]
	}
}

// hasEnded is the status of a task whose function has returned.
const hasEnded = "that has ended"

// status says what a task does that isn't ready.
func (r *recorder) status(task string) string {
	for _, s := range slices.Backward(r.steps) {
		for _, e := range slices.Backward(s.events) {
			if e.task != task {
				continue
			}
			switch e.kind {
			case ends:
				return hasEnded
			case asks:
				return "that is to send " + e.what
			case sends:
				return "that waits for the answer to " + e.what
			case waits:
				return fmt.Sprintf("that waits for %s (%s)", e.what, e.place)
			}
		}
	}
	return "there is none at that time"
}

// alternatives returns the tasks whose steps can be chosen. It records in ids which task each
// callback belongs to. Callbacks of no task are called c1, c2, … in their order.
func (r *recorder) alternatives(ready []loop.Runnable) []string {
	r.ids = r.ids[:0]
	callbacks := 0
	for _, c := range ready {
		id := ""
		if o, ok := c.(loop.Owned); ok {
			id = o.LoopOwner()
		}
		if id == "" {
			callbacks++
			id = fmt.Sprintf("c%d", callbacks)
		}
		r.ids = append(r.ids, id)
	}
	var all []string
	for _, id := range r.ids {
		if !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	if i := slices.Index(all, r.current); i >= 0 && len(all) > 1 && r.streak >= fairness {
		all = slices.Delete(all, i, i+1)
		if r.touch.schema != nil {
			r.tree.breaks(fmt.Sprintf("task %s made %d steps in a row, and had to give way", r.current, fairness))
		}
	}
	return all
}

// choose asks the strategy, and asks again if the choice would lead to an explored schedule.
func (r *recorder) choose(p point) int {
	first := r.strategy.choose(p)
	if r.tree == nil || len(p.ready) == 1 && r.tree.reduction == nil {
		return first
	}
	open := r.tree.open(p)
	task := p.ready[first]
	if !slices.Contains(open, task) {
		r.deviated = true
		rest := p
		rest.ready = open
		task = open[r.strategy.choose(rest)]
	}
	i := slices.Index(p.ready, task)
	r.tree.take(i)
	return i
}

// TaskBegins implements [explore.Explorer].
func (r *recorder) TaskBegins(t explore.Task) {
	r.tasks = append(r.tasks, t)
	r.cancels[t.ID] = t.Cancel
	r.note(event{task: t.ID, kind: begins})
	r.inControl = append(r.inControl, t.ID)
}

// TaskWaits implements [explore.Explorer].
func (r *recorder) TaskWaits(id, waitsFor, place string) {
	e := event{task: id, kind: waits, what: waitsFor, place: place}
	if id == mainTask {
		r.mainWaits = waitsFor
	}
	if r.turnFor != "" {
		e.kind, e.what, r.turnFor = asks, r.turnFor, ""
		r.asking[id] = true
	}
	r.note(e)
	r.follow()
	r.yields(id)
}

// TaskEnds implements [explore.Explorer].
func (r *recorder) TaskEnds(id string, failed bool) {
	r.note(event{task: id, kind: ends, failed: failed})
	r.follow()
	r.yields(id)
}

func (r *recorder) note(e event) {
	last := &r.steps[len(r.steps)-1]
	last.events = append(last.events, e)
}

// schedule returns the whole schedule.
func (r *recorder) schedule() schedule {
	var s schedule
	for _, step := range r.steps[1:] {
		s = s.then(step.choice, 1)
	}
	return s
}

// needed returns the schedule without the part that is settled anyway.
func (r *recorder) needed() schedule {
	n := len(r.steps)
	for ; n > 1; n-- {
		before, last := explore.Main, r.steps[n-1]
		if n > 2 {
			before = r.steps[n-2].task
		}
		p := point{current: before, ready: last.ready}
		if last.ready[p.settled()] != last.choice {
			break
		}
	}
	var s schedule
	for _, step := range r.steps[1:n] {
		s = s.then(step.choice, 1)
	}
	return s
}

// switches returns how often another task went on although the previous one could have.
func (r *recorder) switches() int {
	n := 0
	for i, s := range r.steps {
		if i > 1 && s.task != r.steps[i-1].task && slices.Contains(s.ready, r.steps[i-1].task) {
			n++
		}
	}
	return n
}

// list writes names of tasks.
func list(tasks []string) string {
	switch len(tasks) {
	case 0:
		return "no task"
	case 1:
		return "task " + tasks[0]
	}
	n := len(tasks) - 1
	return "tasks " + strings.Join(tasks[:n], ", ") + " and " + tasks[n]
}
