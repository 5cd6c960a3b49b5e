package repaint

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

var (
	// ErrNoGreenlet reports that [AwaitOnly] was called outside a task, where there is no greenlet
	// to suspend.
	ErrNoGreenlet = errors.New("repaint: not in a greenlet")

	// ErrNoLoop reports that a function that needs a loop was called outside any loop.
	ErrNoLoop = errors.New("repaint: not in a loop")

	// ErrAwaitRequired reports that a function that was spawned with [RequireAwait] returned
	// without having waited.
	ErrAwaitRequired = errors.New("repaint: the function never awaited anything")

	// ErrInCallback reports that a loop's callback tried to wait for a future. The wait would stop
	// the loop that it waits for.
	ErrInCallback = errors.New("repaint: a loop's callback can't wait")

	// ErrNotJoined reports that a task hadn't ended long after it was cancelled, when its [Run] or
	// [Group] had to end.
	ErrNotJoined = errors.New("repaint: a task didn't end when it was cancelled")

	// ErrOtherLoop reports that an object of one loop was used outside that loop.
	ErrOtherLoop = errors.New("repaint: used outside of its loop")
)

// A StubbornError is reported, not returned: functions of a [Group] still run long after they were
// cancelled, and the group's Wait waits for them. errors.Is(err, ErrNotJoined) is true for it.
type StubbornError struct {
	For   time.Duration // since they were cancelled
	Tasks []string      // the functions that still run
}

// Error names what hasn't ended.
func (e *StubbornError) Error() string {
	return fmt.Sprintf("%v: a group has been waiting for %v:\n\t%s", ErrNotJoined, e.For, strings.Join(e.Tasks, "\n\t"))
}

// Unwrap returns [ErrNotJoined].
func (e *StubbornError) Unwrap() error { return ErrNotJoined }

// A DeadlockError is the error that Await returns to the main function of a [Run] when nothing can
// happen any more. errors.Is(err, loop.ErrDeadlock) is true for it.
//
// The context of a wait may still end, and then the wait ends too. So there is no deadlock
//
//   - while such a context has a deadline. The deadline is in real time, even with a virtual clock,
//     which reaches it after all timers of the loop; [WithTimeout] has its place among these
//     timers;
//   - while such a context has a Done channel that code outside the loop may close, as with
//     context.WithCancel. The loop can't know whether that will ever happen, so it reports a
//     [StandstillError] instead.
//
// The contexts of tasks and groups don't count, because only the loop ends them. The context that
// was passed to Run counts for 2 seconds only: if nothing else can happen than a stop of the whole
// Run, its main function gets the deadlock. A main function that only waits for that stop calls
// [UntilDone].
type DeadlockError struct {
	// Waiting says what the main function and each task wait for, one line each.
	Waiting []string
}

// Error says what each task waits for, in several lines.
func (e *DeadlockError) Error() string {
	text := loop.ErrDeadlock.Error()
	for _, w := range e.Waiting {
		text += "\n\t" + w
	}
	return text
}

// Unwrap returns [loop.ErrDeadlock].
func (e *DeadlockError) Unwrap() error { return loop.ErrDeadlock }

// misplaced returns an error that explains a call in a place where it can't work.
func misplaced(condition error, call, fix string) error {
	return fmt.Errorf("%w: %s was called %s", condition, call, fix)
}
