package db

import "github.com/seed1239206e/repaint/db/backend"

// What users of databases need of package backend, which is for authors of dialects.
type (
	// Dialect is what differs between databases; [Engine.Dialect] returns it.
	Dialect = backend.Dialect
	// SQLDialect is a Dialect that can use an open database of database/sql, see [OpenDB].
	SQLDialect = backend.SQLDialect
	// Fault is what the dialect has read in a driver's error.
	Fault = backend.Fault
	// URL says which database to open and how:
	//
	//	dialect[+driver]://user:password@host:port,host:port/database?option=value
	//
	// Only the dialect is required. It prints without the password.
	URL = backend.URL
	// Host is a server's address in a [URL].
	Host = backend.Host
	// TxOptions are the options of a transaction.
	TxOptions = backend.TxOptions
	// IsolationLevel says how much a transaction sees of others that run beside it.
	IsolationLevel = backend.IsolationLevel
)

// ParseURL reads a URL. Its errors never show the URL itself: where it can't be read, the place of
// the password isn't known.
func ParseURL(text string) (*URL, error) { return backend.ParseURL(text) }

// The conditions that errors of this package stand for, on every database; ask with errors.Is.
// Indented ones are also the condition above them.
var (
	// ErrConstraint: the statement would have broken a constraint.
	ErrConstraint = backend.ErrConstraint
	//   ErrUnique: a unique index or primary key has the value already.
	ErrUnique = backend.ErrUnique
	//   ErrForeignKey: a row refers to one that doesn't exist.
	ErrForeignKey = backend.ErrForeignKey
	//   ErrNotNull: NULL for a column that forbids it.
	ErrNotNull = backend.ErrNotNull
	//   ErrCheck: a check constraint is false.
	ErrCheck = backend.ErrCheck
	//   ErrExclusion: a row excludes another one by an exclusion constraint.
	ErrExclusion = backend.ErrExclusion

	// ErrConflict: the transaction stood in the way of others and can't go on, but
	// would have a chance if it began again; see Retry.
	ErrConflict = backend.ErrConflict
	//   ErrSerialization: what it has read was changed by others meanwhile.
	ErrSerialization = backend.ErrSerialization
	//   ErrDeadlock: it waited for one that waited for it.
	ErrDeadlock = backend.ErrDeadlock

	// ErrData: a value that the column or operation can't take: out of range,
	// too long, not of its form.
	ErrData = backend.ErrData
	// ErrPermission: the user may not do that, or not log in.
	ErrPermission = backend.ErrPermission
	// ErrUnsupported: the database can't do that. It is errors.ErrUnsupported too.
	ErrUnsupported = backend.ErrUnsupported

	// ErrSyntax: the database can't read the statement.
	ErrSyntax = backend.ErrSyntax
	// ErrUndefined: there is no such table, column, function, ….
	ErrUndefined = backend.ErrUndefined
	//   ErrUndefinedTable: there is no such table or view.
	ErrUndefinedTable = backend.ErrUndefinedTable
	//   ErrUndefinedColumn: there is no such column.
	ErrUndefinedColumn = backend.ErrUndefinedColumn
	// ErrReadOnly: a write in a read-only transaction or database.
	ErrReadOnly = backend.ErrReadOnly
	// ErrBusy: a lock of the database was not free in time.
	ErrBusy = backend.ErrBusy
	//   ErrLockTimeout: a lock of a row, a table or, with SQLite, the file wasn't.
	ErrLockTimeout = backend.ErrLockTimeout
	// ErrDiskFull: there is no room for what was to be written: on the disk, or in a table or
	// database whose size is limited.
	ErrDiskFull = backend.ErrDiskFull
	// ErrTimeout: a deadline passed, of the context, the server or the pool.
	ErrTimeout = backend.ErrTimeout
	//   ErrPoolTimeout: no connection of the pool was free in time.
	ErrPoolTimeout = backend.ErrPoolTimeout
	// ErrDisconnected: the connection to the database is lost or unusable.
	ErrDisconnected = backend.ErrDisconnected

	// ErrUnknownOutcome: it isn't known whether a transaction was committed, or a statement
	// outside of a transaction was applied, because its answer never came: the connection
	// was lost, or the context ended and the database didn't answer any more. So it must
	// not be repeated blindly. It stands beside the condition that tells why, such as
	// ErrDisconnected or ErrTimeout. What was lost without it had no effect.
	ErrUnknownOutcome = backend.ErrUnknownOutcome

	// ErrNoRows: a row was asked for and there is none. It is sql.ErrNoRows too.
	ErrNoRows = backend.ErrNoRows
	// ErrMultipleRows: one row was asked for and there are more.
	ErrMultipleRows = backend.ErrMultipleRows
	// ErrScan: a value doesn't fit the Go variable that is to take it.
	ErrScan = backend.ErrScan

	// ErrParameter: parameters of a statement and arguments of the call differ.
	ErrParameter = backend.ErrParameter
	// ErrMisuse: a call that can't make sense; its text says what to do instead.
	ErrMisuse = backend.ErrMisuse
	//   ErrInUse: two tasks used one Conn or Tx at the same time.
	ErrInUse = backend.ErrInUse
	// ErrClosed: the Engine, Conn or Rows is closed.
	ErrClosed = backend.ErrClosed
	// ErrTxDone: the transaction has ended. It is sql.ErrTxDone too.
	ErrTxDone = backend.ErrTxDone

	//   ErrTxFailed: the transaction can only be rolled back, or has been by the database.
	ErrTxFailed = backend.ErrTxFailed

	// ErrUnknownDialect: nothing is registered for the URL's dialect.
	ErrUnknownDialect = backend.ErrUnknownDialect
	// ErrUnknownOption: an option of the URL means nothing to the dialect.
	ErrUnknownOption = backend.ErrUnknownOption
)
