package repaint

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

var (
	// ErrNoGreenlet says that something that must only suspend a greenlet was called where there is none to suspend.
	ErrNoGreenlet = errors.New("repaint: not in a greenlet")

	// ErrNoLoop says that something was called outside of any loop that needs one.
	ErrNoLoop = errors.New("repaint: not in a loop")

	// ErrAwaitRequired says that a function returned without having waited for anything,
	// though it was spawned with [RequireAwait].
	ErrAwaitRequired = errors.New("repaint: the function never awaited anything")

	// ErrInCallback says that a loop's callback tried to wait for a future, which would stop the loop that it waits for.
	ErrInCallback = errors.New("repaint: a loop's callback can't wait")

	// ErrNotJoined says that a task had not ended long after it had been cancelled, when its [Run] had to end, or its [Group].
	ErrNotJoined = errors.New("repaint: a task didn't end when it was cancelled")

	// ErrOtherLoop says that an object of one loop was used in another, or outside of its loop.
	ErrOtherLoop = errors.New("repaint: used outside of its loop")
)

// A StubbornError is reported, not returned: functions of a [Group] still run long after they were cancelled,
// and the group's Wait waits for them. errors.Is(err, ErrNotJoined) holds for it.
type StubbornError struct {
	For   time.Duration // since they were cancelled
	Tasks []string      // the functions that still run
}

func (e *StubbornError) Error() string {
	return fmt.Sprintf("%v: a group has been waiting for %v:\n\t%s", ErrNotJoined, e.For, strings.Join(e.Tasks, "\n\t"))
}

// Unwrap returns [ErrNotJoined].
func (e *StubbornError) Unwrap() error { return ErrNotJoined }

// A DeadlockError is what the main function of a [Run] gets from Await when nothing can happen any more.
// errors.Is(err, loop.ErrDeadlock) holds for it.
//
// A context with which something waits may still end, and then that wait does. So there is no deadlock
//
//   - while such a context has a deadline. That is real time, also with a virtual clock, which comes to it after all
//     timers of the loop; [WithTimeout] has a place among these;
//   - while such a context has a Done channel that something outside of the loop may close, as is so of
//     context.WithCancel. As nobody can know whether that will ever happen, there is a [StandstillError] instead.
//
// The contexts of tasks and groups end by what the loop does: they don't count. Nor does, for more than 2 seconds,
// the context that Run itself was given: if all that can happen is that the whole Run is told to stop,
// its main function hears of the deadlock. A main function that only waits for that calls [UntilDone].
type DeadlockError struct {
	// Waiting tells what the main function and each task wait for, a line each.
	Waiting []string
}

func (e *DeadlockError) Error() string {
	text := loop.ErrDeadlock.Error()
	for _, w := range e.Waiting {
		text += "\n\t" + w
	}
	return text
}

// Unwrap returns [loop.ErrDeadlock].
func (e *DeadlockError) Unwrap() error { return loop.ErrDeadlock }

// misplaced explains a call that was made where it can't work.
func misplaced(condition error, call, fix string) error {
	return fmt.Errorf("%w: %s was called %s", condition, call, fix)
}
