package backend

import (
	"errors"
	"fmt"
)

// Fault is what a driver's error means, as Dialect.Fault returns it.
type Fault struct {
	Condition error  // one of this package's conditions, such as ErrUnique; nil if none applies
	Code      string // the database's own: an SQLSTATE, "SQLITE_CONSTRAINT_UNIQUE (2067)", …

	// The place, as far as the database names it; otherwise "".
	Table, Column, Constraint string

	Hint string // what the user can do about it; may be ""

	// Raised says that the message is the application's own, from a trigger or a procedure. Any
	// value may be in it.
	Raised bool
}

// Errorf returns a [ConditionError]: an error of the backend's own, not of its driver. Its text
// must not show values of parameters.
func Errorf(condition error, format string, args ...any) error {
	return &ConditionError{condition, fmt.Errorf(format, args...)}
}

// ConditionError is an error of a backend with a condition; [Errorf] returns one.
type ConditionError struct {
	Condition error
	Err       error
}

// Error returns the text of Err.
func (e *ConditionError) Error() string { return e.Err.Error() }

// Unwrap returns the condition and Err.
func (e *ConditionError) Unwrap() []error { return []error{e.Condition, e.Err} }

// UnknownOutcome marks a driver's error: in the result errors.Is finds [ErrUnknownOutcome] and
// everything that it finds in err. A [Session] marks the error of a commit, or of a statement
// outside of a transaction, if it was sent and may or may not have taken effect.
func UnknownOutcome(err error) error {
	if err == nil || errors.Is(err, ErrUnknownOutcome) {
		return err
	}
	return &unknown{err}
}

type unknown struct{ error }

func (u *unknown) Unwrap() []error { return []error{u.error, ErrUnknownOutcome} }
