package db

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// With HideParameters no text may show a parameter's value. Databases and drivers put
// values into their messages: a duplicate key, a number that is none. So where values may have had a
// part in what went wrong, their text gives way to what is known apart from it.

// concealed stands for an error whose text may show values. errors.Is and errors.As find
// the error, for who asks for it; nobody who only prints does.
type concealed struct {
	text string
	err  error
}

func (c *concealed) Error() string    { return c.text }
func (c *concealed) GoString() string { return fmt.Sprintf("%q", c.text) }

func (c *concealed) Is(target error) bool { return errors.Is(c.err, target) }
func (c *concealed) As(target any) bool   { return errors.As(c.err, target) }

// apart are the conditions that have nothing to do with values.
var apart = []error{ErrDisconnected, ErrConflict, ErrSerialization, ErrDeadlock, ErrBusy, ErrLockTimeout, ErrTimeout, ErrPoolTimeout, ErrReadOnly, ErrClosed, ErrMisuse}

// hides tells whether the values of the call's parameters are hidden.
func (c *Call) hides() bool { return c != nil && c.conf != nil && c.conf.hide }

// conceal takes from an error of the database what may show values.
func (e *Error) conceal(c *Call) {
	if c.hides() && len(c.Statement.Params) > 0 {
		e.veil(c.Statement.Source)
	}
}

// veil takes what may show values from an error about a statement, or, with "", about all
// those that a commit has made last.
func (e *Error) veil(source string) {
	if e.Err == nil || slices.Contains(apart, e.Condition) {
		return
	}
	text := "it failed"
	if e.Condition != nil {
		text = strings.TrimPrefix(e.Condition.Error(), "db: ")
	}
	if e.Code != "" {
		text += ", code " + e.Code
	}
	if errors.Is(e.Condition, ErrUndefined) {
		// A name that isn't in the statement may have come as a parameter.
		for _, name := range []*string{&e.Table, &e.Column, &e.Constraint} {
			if !strings.Contains(source, *name) {
				*name = ""
			}
		}
	}
	for _, place := range []struct{ what, name string }{{"table", e.Table}, {"column", e.Column}, {"constraint", e.Constraint}} {
		if place.name != "" {
			text += ", " + place.what + " " + place.name
		}
	}
	e.Err = &concealed{text + " (the message isn't shown: it may have values of parameters)", e.Err}
	e.Hint = ""
}

// BadArgument returns the error for the call's i-th argument, which can't be sent. why may show
// the value, unless that is hidden.
func BadArgument(c *Call, i int, condition, why error) error {
	where := fmt.Sprintf("the parameter :%s, a %T", c.Statement.Params[i], c.Args[i])
	err := fmt.Errorf("%s: %w", where, why)
	if c.hides() {
		err = &concealed{where + ", can't be sent", why}
	}
	return &Error{Op: "bind", Fault: Fault{Condition: condition}, Err: err}
}

// OutOfRange returns the reason of a [Dialect] for refusing an argument whose value the
// database can't store, which errors.Is finds to be ErrData, too.
func OutOfRange(format string, args ...any) error {
	return &outOfRangeError{fmt.Errorf(format, args...)}
}

type outOfRangeError struct{ error }

func (e *outOfRangeError) Unwrap() error        { return e.error }
func (e *outOfRangeError) Is(target error) bool { return target == ErrData }

// misfit is that a column's value doesn't fit where it is to go.
type misfit struct {
	where string
	why   error
}

func (m *misfit) Error() string { return m.where + ": " + m.why.Error() }
func (m *misfit) Unwrap() error { return m.why }
