package greenlet

import (
	"errors"
	"fmt"
)

var (
	// ErrExit ends a greenlet quietly: where a greenlet's function returns it, or an error that
	// wraps it, the parent receives the error as a value. It is greenlet's GreenletExit.
	ErrExit = errors.New("greenlet: exit")

	// ErrOtherFamily is the condition of a [FamilyError].
	ErrOtherFamily = errors.New("greenlet: not of the caller's family")

	// ErrRootExited is the condition of a [FamilyError] about a family whose root goroutine has
	// ended: nobody can switch to its greenlets any more.
	ErrRootExited = errors.New("greenlet: the family's root goroutine has exited")

	// ErrClosed says that the greenlet's family was closed.
	ErrClosed = errors.New("greenlet: the family is closed")

	// ErrCycle says that a parent would become its own ancestor.
	ErrCycle = errors.New("greenlet: cyclic parent chain")

	// ErrRoot says that something was asked of a root greenlet that only others can do:
	// a root has no parent and can't be killed.
	ErrRoot = errors.New("greenlet: not possible for a root greenlet")

	// ErrSurvived says that a greenlet was killed and didn't end: it recovered and went on,
	// or waits for something in a deferred function.
	ErrSurvived = errors.New("greenlet: the greenlet was killed and is still alive")
)

// A FamilyError reports the use of a greenlet from a goroutine that isn't the running one of its
// family. errors.Is(err, ErrOtherFamily) holds for it, and errors.Is(err, ErrRootExited) or
// errors.Is(err, ErrClosed) where the fields say so.
type FamilyError struct {
	Op       string // what was attempted: "switch to", "throw into", "set the parent of"
	Greenlet string // on which greenlet
	Family   string // the greenlet's family
	Caller   string // the caller's family, or the goroutine that has none
	// RootExited says that the goroutine with which the family began has ended. Where descriptors
	// of goroutines can't be read (see the package's documentation) that is noticed only when the
	// family's suspended greenlets are killed for it.
	RootExited bool
	Closed     bool // the family was closed by its root
}

func (e *FamilyError) Error() string {
	if e.Closed {
		return fmt.Sprintf("greenlet: cannot %s %s, which belongs to %s, from %s: the family is closed, and was another one",
			e.Op, e.Greenlet, e.Family, e.Caller)
	}
	if e.RootExited {
		return fmt.Sprintf("greenlet: cannot %s %s, which belongs to %s, from %s: the family's root goroutine has exited, so nobody can switch in it any more",
			e.Op, e.Greenlet, e.Family, e.Caller)
	}
	return fmt.Sprintf("greenlet: cannot %s %s, which belongs to %s, from %s: greenlets can only be used from the goroutines of their own family",
		e.Op, e.Greenlet, e.Family, e.Caller)
}

// Is reports whether target is [ErrOtherFamily], or [ErrRootExited] or [ErrClosed] where that is
// so.
func (e *FamilyError) Is(target error) bool {
	return target == ErrOtherFamily || target == ErrRootExited && e.RootExited || target == ErrClosed && e.Closed
}
