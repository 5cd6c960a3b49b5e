package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/db/internal/telling"
	"github.com/seed1239206e/repaint/loop"
)

// lookFirst is the hint of an error with an unknown outcome.
const lookFirst = "it may have been applied or not: look before you repeat it"

// Error is an error of the database or on the way to it: what was attempted,
// what came back. errors.Is finds its condition as well as the driver's error,
// and, when a context ended it, the context's error and its cause.
type Error struct {
	Op        string // "exec", "query", "begin", "commit", "connect", …
	Dialect   string
	URL       string         // of what couldn't be connected to, without its password; else ""
	Statement string         // as the caller wrote it; "" without one
	Params    []sql.NamedArg // with their values, for the program; nil with the option HideParameters
	Fault
	Err error // what the driver returned; may be nil

	seen    bool // by Events.Error
	telling telling.Level
}

// Error says it in one line: long statements are cut, the fields have them whole. Of parameters it
// tells names and types, or, with [ShowParameters], values.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("db: " + e.Op)
	switch {
	case e.URL != "":
		b.WriteString(" to " + e.URL)
	case e.Dialect != "":
		b.WriteString(" on " + e.Dialect)
	}
	switch {
	case e.Err != nil:
		b.WriteString(": " + telling.OneLine(e.Err.Error()))
	case e.Condition != nil:
		b.WriteString(": " + strings.TrimPrefix(e.Condition.Error(), "db: "))
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	if e.Statement != "" {
		fmt.Fprintf(&b, " [SQL: %s]", telling.Short(e.Statement, 300))
	}
	return b.String() + telling.Params(e.Params, e.telling)
}

// GoString is Error as a Go literal, so that no way to print the error shows more than that.
func (e Error) GoString() string { return "&db.Error(" + strconv.Quote(e.Error()) + ")" }

// MarshalText is Error, for encoders such as that of JSON.
func (e Error) MarshalText() ([]byte, error) { return []byte(e.Error()), nil }

// Unwrap returns the condition and the driver's error.
func (e *Error) Unwrap() []error {
	all := make([]error, 0, 2)
	if e.Condition != nil {
		all = append(all, e.Condition)
	}
	if e.Err != nil {
		all = append(all, e.Err)
	}
	return all
}

// misuse returns the error of a call that can't make sense.
func misuse(op, format string, args ...any) *Error {
	return fail(op, ErrMisuse, format, args...)
}

// fail returns an Error that comes from no driver; condition %w-style in Err
// would repeat itself in the text, so it is only the Fault's.
func fail(op string, condition error, format string, args ...any) *Error {
	return &Error{Op: op, Fault: Fault{Condition: condition}, Err: fmt.Errorf(format, args...)}
}

// ofContext tells whether err is the end of ctx, and returns it with the
// context's cause.
func ofContext(ctx context.Context, err error) (error, bool) {
	why := loop.ContextError(ctx)
	if why == nil {
		return err, false
	}
	ended, cause := errors.Is(err, ctx.Err()), errors.Is(err, context.Cause(ctx))
	switch {
	case ended && cause:
		return err, true
	case ended, cause:
		return why, true
	case errors.Is(err, driver.ErrBadConn):
		// A driver that doesn't begin since the context has ended may say this,
		// for nothing was done. pgx's stdlib does.
		return why, true
	}
	return err, false
}
