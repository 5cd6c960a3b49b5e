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
const lookFirst = "it may or may not have been applied: look before you repeat it"

// Error is an error of the database, or of the way there: what was attempted, and what came back.
// errors.Is finds its condition and the driver's error. If a context ended the call, errors.Is also
// finds the context's error and its cause. An Error isn't changed once a caller has it, so any number
// of goroutines can read it.
type Error struct {
	Op        string // "exec", "query", "begin", "commit", "connect", …
	Dialect   string
	URL       string         // of a server that couldn't be reached, without the password; otherwise ""
	Statement string         // as the caller wrote it; "" if there is none
	Params    []sql.NamedArg // with their values, for the program; nil with HideParameters
	Fault
	Err error // what the driver returned; may be nil

	seen    bool // by Events.Error
	telling telling.Level
}

// Error describes the error in one line. It cuts long statements, which the fields have in full. Of
// parameters it shows names and types, or, with [ShowParameters], values.
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

// GoString returns Error's text as a Go literal, so that %#v shows no more than %v.
func (e Error) GoString() string { return "&db.Error(" + strconv.Quote(e.Error()) + ")" }

// MarshalText returns Error's text, for encoders such as encoding/json.
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

// misuse returns an ErrMisuse: the call can't make sense.
func misuse(op, format string, args ...any) *Error {
	return fail(op, ErrMisuse, format, args...)
}

// fail returns an Error that comes from no driver. The condition is only in the Fault, because in Err
// it would stand in the text twice.
func fail(op string, condition error, format string, args ...any) *Error {
	return &Error{Op: op, Fault: Fault{Condition: condition}, Err: fmt.Errorf(format, args...)}
}

// ofContext reports whether err is due to the end of ctx, and returns the error of that with the
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
		// A driver that does nothing because the context has ended may return this. pgx's stdlib does.
		return why, true
	}
	return err, false
}
