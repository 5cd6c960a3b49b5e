package loop

import (
	"errors"
	"fmt"
	"runtime/debug"
)

var (
	// ErrDeadlock reports that a loop has nothing left to do while the caller of [Loop.Drive] still
	// waits: every wait is for something that waits itself.
	ErrDeadlock = errors.New("loop: deadlock: nothing is ready, no timer is set, and nothing from outside is expected")

	// ErrReentrant reports that a callback tried to drive the loop that called it. The callback
	// must return instead, because the loop can't go on before it does. A guest can't be driven at
	// all, see [NewGuest].
	ErrReentrant = errors.New("loop: a callback can't drive its own loop, nor wait for what the loop has yet to do")

	// ErrClosed reports that the loop, or the future's loop, has been closed.
	ErrClosed = errors.New("loop: the loop has been closed")

	// ErrPending is the error of a future's Result while it has none.
	ErrPending = errors.New("loop: the future isn't done yet")

	// ErrGoexit reports that a function ended by runtime.Goexit, which t.FailNow calls, instead of
	// returning.
	ErrGoexit = errors.New("loop: the function called runtime.Goexit")
)

// A PanicError is the error of a future whose function panicked. Code that awaits the future with
// repaint.Await gets the panic, with the PanicError as its value. If the original value is an
// error, errors.Is and errors.As find it.
type PanicError struct {
	Value any    // the value that the function panicked with
	Stack []byte // the stack at that moment, in the form of debug.Stack
}

// Error has the panic's value and its stack.
func (e *PanicError) Error() string {
	return fmt.Sprintf("panic: %v\n\n%s", e.Value, e.Stack)
}

// Unwrap returns the original value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// Recovered turns a value that recover returned into an error that carries the panic to another
// goroutine. A [*PanicError] from elsewhere stays as it is. It must be called in the deferred
// function that recovers, because it records the stack.
func Recovered(value any) *PanicError {
	if p, ok := value.(*PanicError); ok {
		return p
	}
	return &PanicError{Value: value, Stack: debug.Stack()}
}
