package backend

import (
	"database/sql"
	"errors"
)

// The conditions of errors, the same on every database; test with errors.Is. An indented condition
// implies the one above it that isn't indented.
var (
	// ErrConstraint: the statement would have violated a constraint.
	ErrConstraint error = &condition{text: "constraint violated"}
	//   ErrUnique: a unique index or primary key already has the value.
	ErrUnique error = &condition{text: "unique constraint violated", is: ErrConstraint}
	//   ErrForeignKey: a row refers to one that doesn't exist.
	ErrForeignKey error = &condition{text: "foreign key violated", is: ErrConstraint}
	//   ErrNotNull: NULL for a column that forbids it.
	ErrNotNull error = &condition{text: "not-null constraint violated", is: ErrConstraint}
	//   ErrCheck: a check constraint is false.
	ErrCheck error = &condition{text: "check constraint violated", is: ErrConstraint}
	//   ErrExclusion: an exclusion constraint keeps two rows from being there together.
	ErrExclusion error = &condition{text: "exclusion constraint violated", is: ErrConstraint}

	// ErrConflict: the transaction got in the way of others and can't go on, but may succeed if it
	// begins again; see db.Retry.
	ErrConflict error = &condition{text: "conflict with another transaction"}
	//   ErrSerialization: another transaction has changed what this one has read.
	ErrSerialization error = &condition{text: "serialization failure", is: ErrConflict}
	//   ErrDeadlock: two transactions waited for each other.
	ErrDeadlock error = &condition{text: "deadlock", is: ErrConflict}

	// ErrData: the column or operation can't take a value: it is out of range, too long or
	// malformed.
	ErrData error = &condition{text: "value out of range or malformed"}
	// ErrPermission: the user may not do that, or may not log in.
	ErrPermission error = &condition{text: "permission denied"}
	// ErrUnsupported: the database can't do that. It is errors.ErrUnsupported too.
	ErrUnsupported error = &condition{text: "not supported by the database", is: errors.ErrUnsupported}

	// ErrSyntax: the database can't parse the statement.
	ErrSyntax error = &condition{text: "syntax error"}
	// ErrUndefined: there is no such table, column, function or other object.
	ErrUndefined error = &condition{text: "undefined name"}
	//   ErrUndefinedTable: there is no such table or view.
	ErrUndefinedTable error = &condition{text: "undefined table", is: ErrUndefined}
	//   ErrUndefinedColumn: there is no such column.
	ErrUndefinedColumn error = &condition{text: "undefined column", is: ErrUndefined}
	// ErrReadOnly: a write in a transaction or database that is read-only.
	ErrReadOnly error = &condition{text: "read-only"}
	// ErrBusy: the turn to write, or a lock of the database, was not free in time.
	ErrBusy error = &condition{text: "database busy"}
	//   ErrLockTimeout: the lock of a row, a table or, on SQLite, the file was not free in time.
	ErrLockTimeout error = &condition{text: "lock not free in time", is: ErrBusy}
	// ErrDiskFull: the disk is full, or a table or database has reached its largest size.
	ErrDiskFull error = &condition{text: "disk full"}
	// ErrTimeout: a deadline of the context, the server or the pool has passed.
	ErrTimeout error = &condition{text: "timed out"}
	//   ErrPoolTimeout: no connection of the pool was free in time.
	ErrPoolTimeout error = &condition{text: "no free connection in time", is: ErrTimeout}
	// ErrDisconnected: the connection to the database is lost or unusable.
	ErrDisconnected error = &condition{text: "disconnected"}

	// ErrUnknownOutcome: it isn't known whether a transaction was committed, or whether a statement
	// outside of a transaction took effect, because the answer never came: the connection was lost,
	// or the context ended and the database no longer answered. Don't repeat it blindly. The error
	// also has the condition that says why, such as ErrDisconnected or ErrTimeout. Without
	// ErrUnknownOutcome, a statement whose connection was lost had no effect.
	ErrUnknownOutcome error = &condition{text: "outcome unknown"}

	// ErrNoRows: the call needs a row and there is none. It is sql.ErrNoRows, too.
	ErrNoRows error = &condition{text: "no rows", is: sql.ErrNoRows}
	// ErrMultipleRows: the call needs one row and there are more.
	ErrMultipleRows error = &condition{text: "more than one row"}
	// ErrScan: a value doesn't fit the Go variable that is to take it.
	ErrScan error = &condition{text: "value doesn't fit"}

	// ErrParameter: the parameters of the statement and the arguments of the call don't match.
	ErrParameter error = &condition{text: "parameters and arguments differ"}
	// ErrMisuse: the call can't make sense; its text says what to do instead.
	ErrMisuse error = &condition{text: "misuse"}
	//   ErrInUse: two tasks used one Conn or Tx at the same time.
	ErrInUse error = &condition{text: "in use by another task", is: ErrMisuse}
	// ErrClosed: the Engine, Conn or Rows is closed.
	ErrClosed error = &condition{text: "closed"}
	// ErrTxDone: the transaction has ended. It is sql.ErrTxDone, too.
	ErrTxDone error = &condition{text: "transaction has ended", is: sql.ErrTxDone}
	//   ErrTxFailed: the transaction can only be rolled back, or the database has rolled it back.
	ErrTxFailed error = &condition{text: "transaction failed", is: ErrTxDone}

	// ErrUnknownDialect: no dialect is registered under the URL's name.
	ErrUnknownDialect error = &condition{text: "unknown dialect"}
	// ErrUnknownOption: the dialect doesn't know an option of the URL.
	ErrUnknownOption error = &condition{text: "unknown option"}
)

// condition is an error that stands for a class of errors; is names the wider class.
type condition struct {
	text string
	is   error
}

func (c *condition) Error() string { return "db: " + c.text }
func (c *condition) Unwrap() error { return c.is }
