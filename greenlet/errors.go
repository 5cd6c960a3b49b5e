package greenlet

import (
	"errors"
	"fmt"
)

var (
	// ErrExit ends a greenlet quietly: if a greenlet's function returns it, or an error that wraps
	// it, the parent receives the error as a value. It is the counterpart of Python's GreenletExit.
	ErrExit = errors.New("greenlet: exit")

	// ErrOtherFamily is the condition that every [FamilyError] reports.
	ErrOtherFamily = errors.New("greenlet: not of the caller's family")

	// ErrRootExited is the condition of a [FamilyError] about a family whose root goroutine has
	// ended: no goroutine can switch to its greenlets any more.
	ErrRootExited = errors.New("greenlet: the family's root goroutine has exited")

	// ErrClosed reports that the greenlet's family has been closed.
	ErrClosed = errors.New("greenlet: the family is closed")

	// ErrCycle reports that a greenlet would become its own ancestor.
	ErrCycle = errors.New("greenlet: cyclic parent chain")

	// ErrRoot reports an operation that a root greenlet doesn't allow: a root has no parent and
	// can't be killed. [Family.Close] returns it for the opposite: only the root may close its
	// family.
	ErrRoot = errors.New("greenlet: not possible for a root greenlet")

	// ErrSurvived reports that a killed greenlet didn't end: it recovered and went on, or it waits
	// in a deferred function.
	ErrSurvived = errors.New("greenlet: the greenlet was killed and is still alive")
)

// A FamilyError reports that a goroutine used a greenlet, but isn't the running goroutine of the
// greenlet's family. errors.Is reports true for [ErrOtherFamily], for [ErrRootExited] if RootExited
// is set, and for [ErrClosed] if Closed is set.
type FamilyError struct {
	Op       string // what the caller attempted: "switch to", "throw into", "set the parent of"
	Greenlet string // on which greenlet
	Family   string // the greenlet's family
	Caller   string // the caller's family, or the goroutine that has none
	// RootExited says that the root's goroutine has ended. Where the package can't read goroutine
	// descriptors (see the package documentation), it notices this only when it kills the family's
	// suspended greenlets for that reason.
	RootExited bool
	Closed     bool // the family was closed by its root
}

// Error says what was attempted on a greenlet of another family.
func (e *FamilyError) Error() string {
	if e.Closed {
		return fmt.Sprintf("greenlet: cannot %s %s, which belongs to %s, from %s: the family is closed, and isn't the caller's",
			e.Op, e.Greenlet, e.Family, e.Caller)
	}
	if e.RootExited {
		return fmt.Sprintf("greenlet: cannot %s %s, which belongs to %s, from %s: the family's root goroutine has exited, so no goroutine can use its greenlets any more",
			e.Op, e.Greenlet, e.Family, e.Caller)
	}
	return fmt.Sprintf("greenlet: cannot %s %s, which belongs to %s, from %s: a greenlet can only be used from the goroutines of its own family",
		e.Op, e.Greenlet, e.Family, e.Caller)
}

// Is reports whether target is [ErrOtherFamily], or [ErrRootExited] or [ErrClosed] if that field is
// set.
func (e *FamilyError) Is(target error) bool {
	return target == ErrOtherFamily || target == ErrRootExited && e.RootExited || target == ErrClosed && e.Closed
}
