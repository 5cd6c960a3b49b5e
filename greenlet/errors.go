package greenlet

import (
	"errors"
	"fmt"
)

var (
	// ErrExit ends a greenlet quietly: where a greenlet's function returns it, or an error that wraps it,
	// the parent receives the error as a value. It is greenlet's GreenletExit.
	ErrExit = errors.New("greenlet: exit")

	// ErrOtherFamily is the condition of a [FamilyError].
	ErrOtherFamily = errors.New("greenlet: not of the caller's family")

	// ErrClosed says that the greenlet's family was closed.
	ErrClosed = errors.New("greenlet: the family is closed")

	// ErrCycle says that a parent would become its own ancestor.
	ErrCycle = errors.New("greenlet: cyclic parent chain")

	// ErrRoot says that something was asked of a root greenlet that only others can do:
	// a root has no parent and can't be killed.
	ErrRoot = errors.New("greenlet: not possible for a root greenlet")

	// ErrSurvived says that a killed greenlet recovered and went on.
	ErrSurvived = errors.New("greenlet: the greenlet recovered from being killed and is still alive")
)

// A FamilyError reports the use of a greenlet from a goroutine that isn't the running one of its family.
// errors.Is(err, ErrOtherFamily) holds for it.
type FamilyError struct {
	Op       string // what was attempted: "switch", "throw", "set parent"
	Greenlet string // on which greenlet
	Family   string // the greenlet's family
	Caller   string // the caller's family, or the goroutine that has none
}

func (e *FamilyError) Error() string {
	return fmt.Sprintf("greenlet: cannot %s %s, which belongs to %s, from %s: greenlets can only be used from the goroutines of their own family",
		e.Op, e.Greenlet, e.Family, e.Caller)
}

// Is reports whether target is [ErrOtherFamily].
func (e *FamilyError) Is(target error) bool { return target == ErrOtherFamily }

// A PanicError carries a panic from the greenlet in which it happened into the greenlet's parent,
// where panic(*PanicError) is raised. If the original value is an error, errors.As and errors.Is see through to it.
type PanicError struct {
	Value    any    // what the greenlet panicked with
	Stack    []byte // the stack of the greenlet at that moment, as debug.Stack gives it
	Greenlet string // which one it was
}

func (e *PanicError) Error() string {
	return fmt.Sprintf("panic in %s: %v\n\n%s", e.Greenlet, e.Value, e.Stack)
}

// Unwrap returns the original value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}
