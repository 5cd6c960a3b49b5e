package backend

import (
	"database/sql"
	"errors"
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
	// ErrDiskFull: there is no room for what was to be written: on the disk, or in a table or
	// database whose size is limited.
	ErrDiskFull error = &condition{text: "disk full"}
	// ErrTimeout: a deadline passed, of the context, the server or the pool.
	ErrTimeout error = &condition{text: "timed out"}
	//   ErrPoolTimeout: no connection of the pool was free in time.
	ErrPoolTimeout error = &condition{text: "no free connection in time", is: ErrTimeout}
	// ErrDisconnected: the connection to the database is lost or unusable.
	ErrDisconnected error = &condition{text: "disconnected"}

	// ErrUnknownOutcome: it isn't known whether a transaction was committed, or a statement
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

// condition is an error that stands for a class of errors; is names the wider
// class.
type condition struct {
	text string
	is   error
}

func (c *condition) Error() string { return "db: " + c.text }
func (c *condition) Unwrap() error { return c.is }
