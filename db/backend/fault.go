package backend

import (
	"errors"
	"fmt"
)

// Fault is what a dialect reads in a driver's error.
type Fault struct {
	Condition error  // one of the conditions above; nil if it is none of them
	Code      string // the database's own: an SQLSTATE, "SQLITE_CONSTRAINT_UNIQUE (2067)", …

	// What the database says about the place, where it says so.
	Table, Column, Constraint string

	Hint string // what to do about it, if that can be said

	// Raised: the message is one of the application's own, of a trigger or a procedure. Nobody
	// knows which values are in it.
	Raised bool
}

// Errorf returns an error of the backend's own, rather than of its driver. It stands for a condition,
// and its text has no values of parameters.
func Errorf(condition error, format string, args ...any) error {
	return &ConditionError{condition, fmt.Errorf(format, args...)}
}

// ConditionError is what [Errorf] returns.
type ConditionError struct {
	Condition error
	Err       error
}

// Error is that of Err.
func (e *ConditionError) Error() string { return e.Err.Error() }

// Unwrap returns the condition and what there is to say about it.
func (e *ConditionError) Unwrap() []error { return []error{e.Condition, e.Err} }

// UnknownOutcome marks a driver's error, for authors of dialects: errors.Is finds
// [ErrUnknownOutcome] in what it returns, beside all that it finds in err. A [Session]
// marks errors of commits, and of statements outside of transactions, that were sent
// and of whose fate nothing is known.
func UnknownOutcome(err error) error {
	if err == nil || errors.Is(err, ErrUnknownOutcome) {
		return err
	}
	return &unknown{err}
}

type unknown struct{ error }

func (u *unknown) Unwrap() []error { return []error{u.error, ErrUnknownOutcome} }
