package db

import "github.com/seed1239206e/repaint/db/backend"

// The types of package backend that users need. The package itself is for authors of dialects.
type (
	// Dialect is what differs between databases; [Engine.Dialect] returns it. A program needs it for
	// [UpsertText], and to register a dialect of its own.
	Dialect = backend.Dialect
	// SQLDialect is a Dialect that can use a *sql.DB, see [OpenDB].
	SQLDialect = backend.SQLDialect
	// Fault is what the dialect has learned from a driver's error: the part of an [Error] that has
	// the condition, the database's code, and the names of table, column and constraint.
	Fault = backend.Fault
	// URL says which database to open and how:
	//
	//	dialect[+driver]://user:password@host:port,host:port/database?option=value
	//
	// Only the dialect is required. A URL prints without the password.
	URL = backend.URL
	// Host is a server's address in a [URL].
	Host = backend.Host
	// TxOptions are the options of a transaction, as events and dialects see them. Callers set them
	// with [ReadOnly], [Isolation] and [Deferrable].
	TxOptions = backend.TxOptions
	// IsolationLevel says how much a transaction sees of others that run at the same time.
	IsolationLevel = backend.IsolationLevel
)

// ParseURL parses a URL. Its errors are [ErrMisuse] and never show the URL, because the place of the
// password isn't known in a text that can't be parsed.
func ParseURL(text string) (*URL, error) { return backend.ParseURL(text) }

// The conditions of errors, the same on every database; test with errors.Is. An indented condition
// implies the one above it that isn't indented.
var (
	// ErrConstraint: the statement would have violated a constraint.
	ErrConstraint = backend.ErrConstraint
	//   ErrUnique: a unique index or primary key already has the value.
	ErrUnique = backend.ErrUnique
	//   ErrForeignKey: a row refers to one that doesn't exist.
	ErrForeignKey = backend.ErrForeignKey
	//   ErrNotNull: NULL for a column that forbids it.
	ErrNotNull = backend.ErrNotNull
	//   ErrCheck: a check constraint is false.
	ErrCheck = backend.ErrCheck
	//   ErrExclusion: an exclusion constraint keeps two rows from being there together.
	ErrExclusion = backend.ErrExclusion

	// ErrConflict: the transaction got in the way of others and can't go on, but may succeed if it
	// begins again; see [Retry].
	ErrConflict = backend.ErrConflict
	//   ErrSerialization: another transaction has changed what this one has read.
	ErrSerialization = backend.ErrSerialization
	//   ErrDeadlock: two transactions waited for each other.
	ErrDeadlock = backend.ErrDeadlock

	// ErrData: the column or operation can't take a value: it is out of range, too long or malformed.
	ErrData = backend.ErrData
	// ErrPermission: the user may not do that, or may not log in.
	ErrPermission = backend.ErrPermission
	// ErrUnsupported: the database can't do that. It is errors.ErrUnsupported too.
	ErrUnsupported = backend.ErrUnsupported

	// ErrSyntax: the database can't parse the statement.
	ErrSyntax = backend.ErrSyntax
	// ErrUndefined: there is no such table, column, function or other object.
	ErrUndefined = backend.ErrUndefined
	//   ErrUndefinedTable: there is no such table or view.
	ErrUndefinedTable = backend.ErrUndefinedTable
	//   ErrUndefinedColumn: there is no such column.
	ErrUndefinedColumn = backend.ErrUndefinedColumn
	// ErrReadOnly: a write in a transaction or database that is read-only.
	ErrReadOnly = backend.ErrReadOnly
	// ErrBusy: the turn to write, or a lock of the database, was not free in time.
	ErrBusy = backend.ErrBusy
	//   ErrLockTimeout: the lock of a row, a table or, on SQLite, the file was not free in time.
	ErrLockTimeout = backend.ErrLockTimeout
	// ErrDiskFull: the disk is full, or a table or database has reached its largest size.
	ErrDiskFull = backend.ErrDiskFull
	// ErrTimeout: a deadline of the context, the server or the pool has passed.
	ErrTimeout = backend.ErrTimeout
	//   ErrPoolTimeout: no connection of the pool was free in time.
	ErrPoolTimeout = backend.ErrPoolTimeout
	// ErrDisconnected: the connection to the database is lost or unusable.
	ErrDisconnected = backend.ErrDisconnected

	// ErrUnknownOutcome: it isn't known whether a transaction was committed, or whether a statement
	// outside of a transaction took effect, because the answer never came: the connection was lost,
	// or the context ended and the database no longer answered. Don't repeat it blindly. The error
	// also has the condition that says why, such as ErrDisconnected or ErrTimeout. Without
	// ErrUnknownOutcome, a statement whose connection was lost had no effect.
	ErrUnknownOutcome = backend.ErrUnknownOutcome

	// ErrNoRows: the call needs a row and there is none. It is sql.ErrNoRows, too.
	ErrNoRows = backend.ErrNoRows
	// ErrMultipleRows: the call needs one row and there are more.
	ErrMultipleRows = backend.ErrMultipleRows
	// ErrScan: a value doesn't fit the Go variable that is to take it.
	ErrScan = backend.ErrScan

	// ErrParameter: the parameters of the statement and the arguments of the call don't match.
	ErrParameter = backend.ErrParameter
	// ErrMisuse: the call can't make sense; its text says what to do instead.
	ErrMisuse = backend.ErrMisuse
	//   ErrInUse: two tasks used one Conn or Tx at the same time.
	ErrInUse = backend.ErrInUse
	// ErrClosed: the Engine, Conn or Rows is closed.
	ErrClosed = backend.ErrClosed
	// ErrTxDone: the transaction has ended. It is sql.ErrTxDone, too.
	ErrTxDone = backend.ErrTxDone
	//   ErrTxFailed: the transaction can only be rolled back, or the database has rolled it back.
	ErrTxFailed = backend.ErrTxFailed

	// ErrUnknownDialect: no dialect is registered under the URL's name.
	ErrUnknownDialect = backend.ErrUnknownDialect
	// ErrUnknownOption: the dialect doesn't know an option of the URL.
	ErrUnknownOption = backend.ErrUnknownOption
)
