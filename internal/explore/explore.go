// Package explore connects the parts that explore schedules: package repainttest chooses what runs
// next, the bridge reports what the tasks do, and the statements of drivers are steps of a
// schedule.
package explore

import (
	"context"
	"sync/atomic"

	"github.com/seed1239206e/repaint/loop"
)

// An Explorer chooses the steps of a loop and hears what happens in them. All calls come from the
// loop.
type Explorer interface {
	loop.Chooser

	// TaskBegins says that a task begins. The task runs at once, within the step that spawned it.
	TaskBegins(t Task)

	// TaskWaits says that a task, or the main function, waits. It gets what it waits for, and the
	// place in the program.
	TaskWaits(id, waitsFor, place string)

	// TaskEnds says that a task's function has returned, or has failed: by an error or in another
	// way.
	TaskEnds(id string, failed bool)

	// Turn waits until the schedule comes to the next statement of the calling task. The next
	// Execute then doesn't wait. Turn is for what a statement needs before it can be executed: a
	// connection, or a place in a line.
	Turn(ctx context.Context, text string) error

	// Execute sends a statement of the calling task, or main function, when the schedule comes to
	// it: it calls do in another goroutine. Nothing else goes on until the answer is there, or the
	// server says that the statement waits for a lock. do returns a text that shows the result;
	// Execute returns its error.
	Execute(ctx context.Context, s Statement, do func(ctx context.Context) (result string, err error)) error

	// Follow says that something begins that a goroutine outside the program may end. When it is
	// due to end, the calling task gives up control only after it has ended.
	Follow(f Followed)
}

// A Followed is something that a goroutine of a library ends when its context ends.
type Followed interface {
	// Over is closed when it has ended. due reports whether it is about to end, and nothing that
	// the task does must come first.
	Over() (over <-chan struct{}, due bool)
}

// Main is the ID of the main function.
const Main = "main"

// GroupWait names the wait of a task that waits for all functions of a group.
const GroupWait = "the functions of a group"

// A Task is a task of a loop that explores.
type Task struct {
	// ID is "2" for the second task that the main function has spawned, and "2.1" for the first
	// task that task 2 has spawned. So it doesn't depend on the schedule.
	ID   string
	Name string // the name that the program gave it, or ""
	Site string // where it was spawned

	Cancel func(cause error) // ends its context
}

// used says that this program has had an explorer. Other programs needn't search for one.
var used atomic.Bool

// Of returns the explorer of the loop's schedules, or nil if there is none. The loop may be nil.
// The bridge calls it before any task of the loop runs.
func Of(l *loop.Loop) Explorer {
	if l == nil {
		return nil
	}
	e, _ := l.Chooser().(Explorer)
	if e != nil && !used.Load() {
		used.Store(true)
	}
	return e
}

// At returns the explorer of the loop that current returns. It costs nothing in programs that never
// explore: there it doesn't ask for the loop.
func At(current func() *loop.Loop) Explorer {
	if !used.Load() {
		return nil
	}
	return Of(current())
}
