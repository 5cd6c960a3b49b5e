package backend

import (
	"fmt"

	"github.com/seed1239206e/repaint/internal/redact"
)

// ArgumentError says that an argument of a call can't be sent; nothing was sent to the database.
// Package db turns it into a *db.Error, which shows as much of the argument as its options allow.
type ArgumentError struct {
	Param     string // the parameter's name
	Value     any
	Condition error // ErrParameter, ErrData, …
	Err       error // the reason
	// Plain says that the text of Err is known not to show the value, so it isn't searched for it.
	Plain bool
}

// BadArgument returns an [ArgumentError] for the call's i-th argument, from 0. The text of why may
// show the value: package db removes it unless its options say otherwise.
func BadArgument(c *Call, i int, condition, why error) error {
	return &ArgumentError{Param: c.Statement.Params[i], Value: c.Args[i], Condition: condition, Err: why}
}

// Where names the parameter and the argument's type.
func (e *ArgumentError) Where() string {
	return fmt.Sprintf("the parameter :%s, a %T", e.Param, e.Value)
}

// Redacted returns the reason's text without the value.
func (e *ArgumentError) Redacted() string {
	if e.Plain {
		return e.Err.Error()
	}
	return redact.Message{Text: e.Err.Error(), SQL: []string{e.Where()}, Values: []any{e.Value}}.String()
}

// Error names the argument and the reason, without the value.
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
