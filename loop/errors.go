package loop

import (
	"errors"
	"fmt"
	"runtime/debug"
)

var (
	// ErrDeadlock says that a loop has nothing left to do while its driver still waits for something:
	// everybody waits for somebody who waits, too.
	ErrDeadlock = errors.New("loop: deadlock: nothing is ready, no timer is set, and nothing from outside is expected")

	// ErrReentrant says that a callback tried to drive the loop that called it. The callback must return
	// instead: the loop can't go on before it does. A guest can't be driven at all, see [NewGuest].
	ErrReentrant = errors.New("loop: a callback can't drive its own loop, nor wait for what the loop has yet to do")

	// ErrClosed says that the loop, or the loop of the future, has been closed.
	ErrClosed = errors.New("loop: the loop has been closed")

	// ErrPending is the error of a future's Result while it has none.
	ErrPending = errors.New("loop: the future isn't done yet")

	// ErrGoexit says that a function ended by runtime.Goexit (t.FailNow does that) instead of returning.
	ErrGoexit = errors.New("loop: the function called runtime.Goexit")
)

// A PanicError is what a future fails with when the function that it stands for panicked.
// Whoever awaits the future with repaint.Await gets the panic, with the PanicError as its value.
// If the original value is an error, errors.As and errors.Is see through to it.
type PanicError struct {
	Value any    // what the function panicked with
	Stack []byte // where, as debug.Stack gives it
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("panic: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap returns the original value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Recovered returns what recover has returned as an error that carries the panic to another
// goroutine. A panic that came from elsewhere as a [*PanicError] stays what it is.
func Recovered(value any) *PanicError {
	if p, ok := value.(*PanicError); ok {
		return p
	}
	return &PanicError{Value: value, Stack: debug.Stack()}
}
