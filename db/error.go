package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/seed1239206e/repaint/loop"
)

// The conditions that errors of this package stand for, on every database; ask
// with errors.Is. Indented ones are also the condition above them.
var (
	// ErrConstraint: the statement would have broken a constraint.
	ErrConstraint error = &condition{text: "constraint violated"}
	//   ErrUnique: a unique index or primary key has the value already.
	ErrUnique error = &condition{text: "unique constraint violated", is: ErrConstraint}
	//   ErrForeignKey: a row refers to one that doesn't exist.
	ErrForeignKey error = &condition{text: "foreign key violated", is: ErrConstraint}
	//   ErrNotNull: NULL for a column that forbids it.
	ErrNotNull error = &condition{text: "not-null constraint violated", is: ErrConstraint}
	//   ErrCheck: a check constraint is false.
	ErrCheck error = &condition{text: "check constraint violated", is: ErrConstraint}
	//   ErrExclusion: a row excludes another one by an exclusion constraint.
	ErrExclusion error = &condition{text: "exclusion constraint violated", is: ErrConstraint}

	// ErrConflict: the transaction stood in the way of others and can't go on, but
	// would have a chance if it began again; see Retry.
	ErrConflict error = &condition{text: "conflict with another transaction"}
	//   ErrSerialization: what it has read was changed by others meanwhile.
	ErrSerialization error = &condition{text: "serialization failure", is: ErrConflict}
	//   ErrDeadlock: it waited for one that waited for it.
	ErrDeadlock error = &condition{text: "deadlock", is: ErrConflict}

	// ErrData: a value that the column or operation can't take: out of range,
	// too long, not of its form.
	ErrData error = &condition{text: "value out of range or malformed"}
	// ErrPermission: the user may not do that, or not log in.
	ErrPermission error = &condition{text: "permission denied"}
	// ErrUnsupported: the database can't do that. It is errors.ErrUnsupported too.
	ErrUnsupported error = &condition{text: "not supported by the database", is: errors.ErrUnsupported}

	// ErrSyntax: the database can't read the statement.
	ErrSyntax error = &condition{text: "syntax error"}
	// ErrUndefined: there is no such table, column, function, ….
	ErrUndefined error = &condition{text: "undefined name"}
	//   ErrUndefinedTable: there is no such table or view.
	ErrUndefinedTable error = &condition{text: "undefined table", is: ErrUndefined}
	//   ErrUndefinedColumn: there is no such column.
	ErrUndefinedColumn error = &condition{text: "undefined column", is: ErrUndefined}
	// ErrReadOnly: a write in a read-only transaction or database.
	ErrReadOnly error = &condition{text: "read-only"}
	// ErrBusy: a lock of the database was not free in time.
	ErrBusy error = &condition{text: "database busy"}
	//   ErrLockTimeout: a lock of a row, a table or, with SQLite, the file wasn't.
	ErrLockTimeout error = &condition{text: "lock not free in time", is: ErrBusy}
	// ErrTimeout: a deadline passed, of the context, the server or the pool.
	ErrTimeout error = &condition{text: "timed out"}
	//   ErrPoolTimeout: no connection of the pool was free in time.
	ErrPoolTimeout error = &condition{text: "no free connection in time", is: ErrTimeout}
	// ErrDisconnected: the connection to the database is lost or unusable.
	ErrDisconnected error = &condition{text: "disconnected"}

	// ErrUnknownOutcome: nobody knows whether a transaction was committed, or a statement
	// outside of a transaction was applied, because its answer never came: the connection
	// was lost, or the context ended and the database didn't answer any more. So it must
	// not be repeated blindly. It stands beside the condition that tells why, such as
	// ErrDisconnected or ErrTimeout. What was lost without it had no effect.
	ErrUnknownOutcome error = &condition{text: "outcome unknown"}

	// ErrNoRows: a row was asked for and there is none. It is sql.ErrNoRows too.
	ErrNoRows error = &condition{text: "no rows", is: sql.ErrNoRows}
	// ErrMultipleRows: one row was asked for and there are more.
	ErrMultipleRows error = &condition{text: "more than one row"}
	// ErrScan: a value doesn't fit the Go variable that is to take it.
	ErrScan error = &condition{text: "value doesn't fit"}

	// ErrParameter: parameters of a statement and arguments of the call differ.
	ErrParameter error = &condition{text: "parameters and arguments differ"}
	// ErrMisuse: a call that can't make sense; its text says what to do instead.
	ErrMisuse error = &condition{text: "misuse"}
	//   ErrInUse: two tasks used one Conn or Tx at the same time.
	ErrInUse error = &condition{text: "in use by another task", is: ErrMisuse}
	// ErrClosed: the Engine, Conn or Rows is closed.
	ErrClosed error = &condition{text: "closed"}
	// ErrTxDone: the transaction has ended. It is sql.ErrTxDone too.
	ErrTxDone error = &condition{text: "transaction has ended", is: sql.ErrTxDone}

	//   ErrTxFailed: the transaction can only be rolled back, or has been by the database.
	ErrTxFailed error = &condition{text: "transaction failed", is: ErrTxDone}

	// ErrUnknownDialect: nothing is registered for the URL's dialect.
	ErrUnknownDialect error = &condition{text: "unknown dialect"}
	// ErrUnknownOption: an option of the URL means nothing to the dialect.
	ErrUnknownOption error = &condition{text: "unknown option"}
)

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

// lookFirst is the hint of an error with an unknown outcome.
const lookFirst = "nobody knows whether it was applied: look before you repeat it"

// condition is an error that stands for a class of errors; is names the wider
// class.
type condition struct {
	text string
	is   error
}

func (c *condition) Error() string { return "db: " + c.text }
func (c *condition) Unwrap() error { return c.is }

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
	telling telling
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
		b.WriteString(": " + oneLine(e.Err.Error()))
	case e.Condition != nil:
		b.WriteString(": " + strings.TrimPrefix(e.Condition.Error(), "db: "))
	}
	if e.Hint != "" {
		b.WriteString("; " + e.Hint)
	}
	if e.Statement != "" {
		fmt.Fprintf(&b, " [SQL: %s]", short(e.Statement, 300))
	}
	return b.String() + paramsText(e.Params, e.telling)
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

// oneLine joins the lines of a text.
func oneLine(text string) string {
	if !strings.Contains(text, "\n") {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		switch {
		case b.Len() == 0:
		case strings.HasSuffix(b.String(), ":"):
			b.WriteString(" ")
		default:
			b.WriteString("; ")
		}
		b.WriteString(line)
	}
	return b.String()
}

// short returns text on one line, cut to about n bytes.
func short(text string, n int) string {
	var b strings.Builder
	for word := range strings.FieldsSeq(text) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if b.Len()+len(word) > n {
			rest := max(0, n-b.Len())
			for rest > 0 && !utf8.RuneStart(word[rest]) {
				rest--
			}
			b.WriteString(word[:rest] + "…")
			break
		}
		b.WriteString(word)
	}
	return b.String()
}
