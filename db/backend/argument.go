package backend

import (
	"fmt"

	"github.com/seed1239206e/repaint/internal/redact"
)

// ArgumentError says that an argument of a call can't be sent. The database has not been asked.
// Package db makes a *db.Error of it, which shows as much of the argument as its options allow.
type ArgumentError struct {
	Param     string // its name
	Value     any
	Condition error // ErrParameter, ErrData, …
	Err       error // why
	// Plain: the text of Err is known not to have the value, so it needn't be searched for that.
	Plain bool
}

// BadArgument returns the error for the call's i-th argument, which can't be sent. The text of why
// may have the value: it is taken out unless values are shown.
func BadArgument(c *Call, i int, condition, why error) error {
	return &ArgumentError{Param: c.Statement.Params[i], Value: c.Args[i], Condition: condition, Err: why}
}

// Where names the parameter and the argument's type.
func (e *ArgumentError) Where() string {
	return fmt.Sprintf("the parameter :%s, a %T", e.Param, e.Value)
}

// Redacted returns the reason without the value.
func (e *ArgumentError) Redacted() string {
	if e.Plain {
		return e.Err.Error()
	}
	return redact.Message{Text: e.Err.Error(), SQL: []string{e.Where()}, Values: []any{e.Value}}.String()
}

// Error says which argument it is about, without its value.
func (e *ArgumentError) Error() string { return "db: " + e.Where() + ": " + e.Redacted() }

// GoString keeps the value out of %#v.
func (e *ArgumentError) GoString() string {
	return fmt.Sprintf("&backend.ArgumentError(%q)", e.Error())
}

// Unwrap returns the condition and the reason.
func (e *ArgumentError) Unwrap() []error { return []error{e.Condition, e.Err} }

// OutOfRange returns a reason for refusing an argument whose value the database can't store.
// errors.Is finds [ErrData] in it.
func OutOfRange(format string, args ...any) error {
	return &outOfRangeError{fmt.Errorf(format, args...)}
}

type outOfRangeError struct{ error }

func (e *outOfRangeError) Unwrap() error        { return e.error }
func (e *outOfRangeError) Is(target error) bool { return target == ErrData }
