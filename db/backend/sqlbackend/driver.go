package sqlbackend

import (
	"context"
	"database/sql/driver"

	"github.com/seed1239206e/repaint/db/backend"
)

// Driver is what a dialect says about a blocking driver. Embed [Defaults], and write the methods
// that differ:
//
//	type sqlDriver struct{ sqlbackend.Defaults }
//
//	func (sqlDriver) Facts() sqlbackend.Facts { return sqlbackend.Facts{SendsText: true} }
//
// A Driver may also be a [Resetter], [AccessSetter], [TxWatcher], [TxReporter], [InterruptReader],
// [Interrupter], [Aborter], [OpenReporter], [ArgConverter], [ColumnConverter], [SQLConverter],
// [Emulator], [LockWaiter], [Refresher] and [Closer]. The comment of each says what package
// sqlbackend does without it.
//
// The methods may block. They are called from any goroutine, at the same time for different
// connections, but not for the same one.
type Driver interface {
	// Facts returns what doesn't change about the driver. It is called once.
	Facts() Facts
	// Init prepares a new connection.
	Init(ctx context.Context, c *Conn) error
	// BeginText returns the statements that begin a transaction.
	BeginText(opts backend.TxOptions) []string
	// FailsTx reports whether a transaction can only be rolled back after an error in it, as a
	// whole or to a savepoint.
	FailsTx(err error) bool
	// Recover makes a connection usable after a call was interrupted. If it fails, the connection
	// is closed.
	Recover(ctx context.Context, c *Conn) error
	// Lost reports whether an error means that the answer to a statement never came, so that it may
	// have taken effect, see [backend.UnknownOutcome]. It isn't called for driver.ErrBadConn, which
	// means that nothing was sent.
	Lost(err error) bool
	// Stale reports whether an error means that a prepared statement had no effect and must be
	// prepared anew. It may also be the error of the first row of a statement that only reads.
	Stale(err error) bool
	// Arg converts or refuses an argument that database/sql's rules have converted. See
	// [backend.OutOfRange].
	Arg(v driver.Value) (driver.Value, error)
}

// Facts are what doesn't change about a driver.
type Facts struct {
	Limits backend.Limits
	// KeepStatements is how many prepared statements a connection keeps. It keeps at least one.
	KeepStatements int
	// TextArgs are arguments that tell the driver not to remember a text that is sent unprepared;
	// nil if it remembers none.
	TextArgs []driver.NamedValue
	// SendsText says that texts that begin and end transactions, and queries without arguments that
	// aren't worth keeping, are sent unprepared, because the database can't prepare all of them.
	SendsText bool
	// OneStatement says that a script is sent statement by statement.
	OneStatement bool
	// QueriesRows says that a statement that returns rows is queried even if the caller doesn't
	// want them. The number of rows is then the number of changes.
	QueriesRows bool
	// IDsFromOne says that a key of 0 for the last inserted row means that there is none.
	IDsFromOne bool
	// ReadOnlyTx says that a transaction only reads if its connection does; see [AccessSetter].
	ReadOnlyTx bool
	// EndsUnseen says that a statement that may commit by itself ([backend.Traits].EndsItself) may
	// silently end the transaction that it runs in. So package sqlbackend sets a savepoint before
	// it, and checks afterwards that the savepoint is still there.
	EndsUnseen bool
	// Suspends says that the driver does its I/O in its caller's goroutine, on connections of a
	// [Dialer], and never blocks otherwise. In a loop that waits for them itself
	// ([repaint.PollsHere]), a call runs in the calling task and suspends it. So do the Driver's
	// methods except Init, and the function given to db.Conn.Raw. It has no effect with [NewDB],
	// because database/sql would hold locks meanwhile.
	Suspends bool
}

// Defaults has all methods of a [Driver], for a driver without special needs. Embed it.
type Defaults struct{}

var _ Driver = Defaults{}

// Facts returns none.
func (Defaults) Facts() Facts { return Facts{} }

// Init does nothing.
func (Defaults) Init(context.Context, *Conn) error { return nil }

// BeginText returns "begin", whatever the options are.
func (Defaults) BeginText(backend.TxOptions) []string { return []string{"begin"} }

// FailsTx returns false: after an error a transaction goes on.
func (Defaults) FailsTx(error) bool { return false }

// Recover does nothing.
func (Defaults) Recover(context.Context, *Conn) error { return nil }

// Lost returns false.
func (Defaults) Lost(error) bool { return false }

// Stale returns false.
func (Defaults) Stale(error) bool { return false }

// Arg returns v.
func (Defaults) Arg(v driver.Value) (driver.Value, error) { return v, nil }

// Resetter is a [Driver] that can undo what the texts of statements don't show. Without it nothing
// is undone, and a connection that has executed something obscure is closed.
type Resetter interface {
	Driver
	// Keep notes how a connection is set up, after Init and after db.Events.Connect.
	Keep(ctx context.Context, c *Conn) error
	// Reset undoes what a user of the connection may have left in it. It fails if it can't restore
	// the state that Keep has noted.
	Reset(ctx context.Context, c *Conn) error
}

// AccessSetter is a [Driver] of a database that can refuse all writes on a connection. Without it,
// each statement that may only read runs in a read-only transaction.
type AccessSetter interface {
	Driver
	// SetReadOnly makes the database refuse writes on the connection, or allow them again.
	SetReadOnly(ctx context.Context, c *Conn, on bool) error
}

// TxWatcher is a [Driver] of a database that may roll back a transaction after an error. Without
// it, package sqlbackend assumes that transactions stay open.
type TxWatcher interface {
	Driver
	// TxOpen reports whether the transaction is still open after an error in it.
	TxOpen(ctx context.Context, c *Conn, err error) bool
}

// TxReporter is a [Driver] whose driver knows the state of the transaction from the database's
// latest answer. It is needed where the commit of a failed transaction rolls back without an error.
// Without it package sqlbackend judges by the errors that it has seen.
type TxReporter interface {
	Driver
	// TxState returns Idle, InTx or FailedTx, without asking the database. It is called before a
	// commit, and after errors in place of FailsTx and [TxWatcher].
	TxState(c *Conn) backend.Status
}

// InterruptReader is a [Driver] whose driver has an error of its own for a call that was
// interrupted because its context had ended. Without it, the driver must return the context's
// error.
type InterruptReader interface {
	Driver
	// Interrupted reports whether a driver's error comes from an interrupt.
	Interrupted(err error) bool
}

// Interrupter is a [Driver] that can stop a call whose context has ended. The driver then gets
// contexts that don't end. Without it, the driver itself must notice the end of a context.
type Interrupter interface {
	InterruptReader
	// Interrupt stops the running call of the connection. It runs in a goroutine of its own, and
	// must return when until ends, which happens at the end of the call. If the caller's greenlet
	// is killed, the connection is closed meanwhile.
	Interrupt(until context.Context, c *Conn)
}

// Aborter is a [Driver] that can close the network connection during a call. Without it, the
// context that the driver has got is cancelled.
type Aborter interface {
	Driver
	// Abort makes the running call fail at once. It is called during an ending that takes too long,
	// see [backend.Ending], in another goroutine than the call. It may be called again for the same
	// connection, and when the call has just ended.
	Abort(c *Conn)
}

// OpenReporter is a [Driver] whose driver.ErrBadConn can't be relied on: if the connection was open
// before, it counts as an answer that never came. Without it, driver.ErrBadConn means that nothing
// was sent.
type OpenReporter interface {
	Driver
	// Open reports whether a connection is open as far as the driver knows.
	Open(c *Conn) bool
}

// ArgConverter is a [Driver] that converts arguments. Without it the driver's connection and
// statements do, if they are a driver.NamedValueChecker.
type ArgConverter interface {
	Driver
	// Convert converts an argument. If it returns driver.ErrSkip, the rules of database/sql apply.
	Convert(v any) (driver.Value, error)
}

// ColumnConverter is a [Driver] that converts values of columns. Without it they stay as they are.
type ColumnConverter interface {
	Driver
	// Column returns a function that converts the values of a column of the given type, except nil.
	// If it returns nil, they stay as they are.
	Column(typ string) func(v driver.Value) (driver.Value, error)
}

// SQLConverter is a [Driver] that converts for calls through database/sql, see db.Engine.SQL, whose
// callers expect the values of the driver's own database/sql use. Without it, they get the driver's
// own values. The driver's connection and statements, and Arg, then convert the arguments.
type SQLConverter interface {
	Driver
	// SQLConvert is Convert for these calls.
	SQLConvert(v any) (driver.Value, error)
	// SQLColumn is Column for these calls.
	SQLColumn(typ string) func(v driver.Value) (driver.Value, error)
}

// Emulator is a [Driver] of a database that lacks some statements that change rows and return them.
// It sees only those whose Traits have Returns and Changes. Without it, all statements run as they
// are.
type Emulator interface {
	Driver
	// Emulate returns a function that runs such a statement by means of others; nil runs it as it
	// is. The function is called in a transaction or after a savepoint, and puts its outcome into
	// the call. If it fails, its effects are undone.
	Emulate(c *Conn, call *backend.Call) (func(ctx context.Context) error, error)
}

// LockWaiter is a [Driver] of a database in this process, whose calls wait only for the disk and
// for locks, and that can be told not to wait for locks. So short calls can run inline in a loop.
// Without it, a loop offloads all calls. It has no effect with [NewDB], because the setting would
// affect other users of the connection.
type LockWaiter interface {
	Driver
	// WaitForLocks makes a connection wait for locks as it was set up to, or fail at once.
	WaitForLocks(ctx context.Context, c *Conn, on bool) error
	// Locked reports whether a call failed because of a lock, had no effect, and can be repeated.
	Locked(err error) bool
}

// Refresher is a [Driver] of a database whose connections remember the schema, and may refuse a
// statement because of one that is out of date. Without it, the caller gets that error.
type Refresher interface {
	Driver
	// Refresh makes a connection read the schema again after an error that an outdated one can
	// cause, and reports whether to repeat the text, whose arguments it doesn't get. It returns
	// false at once for any other error, and for a text of several statements, of which the first
	// may have had their effect. It is asked once for each call, and not about queries.
	Refresh(ctx context.Context, c *Conn, text string, err error) bool
}

// Closer is a [Driver] that holds something that must be closed. Without it nothing is.
type Closer interface {
	Driver
	// Close is called after all connections are closed.
	Close() error
}
