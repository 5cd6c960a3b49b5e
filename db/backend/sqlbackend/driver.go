package sqlbackend

import (
	"context"
	"database/sql/driver"

	"github.com/seed1239206e/repaint/db/backend"
)

// Driver is what a dialect says about a blocking driver. Embed [Defaults], and write those methods
// that differ:
//
//	type sqlDriver struct{ sqlbackend.Defaults }
//
//	func (sqlDriver) Facts() sqlbackend.Facts { return sqlbackend.Facts{SendsText: true} }
//
// A Driver may also be a [Resetter], [AccessSetter], [TxWatcher], [TxReporter], [Interrupter],
// [Aborter], [OpenReporter], [ArgConverter], [ColumnConverter], [SQLConverter], [Emulator],
// [LockWaiter] and [Closer]. Without one of these, package sqlbackend goes another way, which its comment tells.
//
// The methods are called where blocking is allowed, and several at a time for different
// connections.
type Driver interface {
	// Facts returns what doesn't change. It is asked once.
	Facts() Facts
	// Init prepares a new connection.
	Init(ctx context.Context, c *Conn) error
	// BeginText returns the statements that begin a transaction.
	BeginText(opts backend.TxOptions) []string
	// FailsTx reports whether an error in a transaction has made it one that can only be rolled
	// back, as a whole or to a savepoint.
	FailsTx(err error) bool
	// Recover makes a connection usable after a call was interrupted. An error means that it
	// can't be used.
	Recover(ctx context.Context, c *Conn) error
	// Lost reports whether an error means that the answer to what was sent never came, so that it
	// may have been applied, see [backend.UnknownOutcome]. It isn't asked about driver.ErrBadConn,
	// after which nothing was sent.
	Lost(err error) bool
	// Stale reports whether an error means that the prepared statement must be prepared anew, and
	// had no effect. Of one that only reads it can be the error of the first row, too.
	Stale(err error) bool
	// Arg converts an argument from what database/sql makes of it, or refuses it. See
	// [backend.OutOfRange].
	Arg(v driver.Value) (driver.Value, error)
}

// Facts are what doesn't change about a driver.
type Facts struct {
	Limits backend.Limits
	// KeepStatements is how many prepared statements a connection keeps; at least one.
	KeepStatements int
	// TextArgs are arguments by which the driver knows that a text which is sent as it is isn't to
	// be remembered; nil if it remembers none.
	TextArgs []driver.NamedValue
	// SendsText: what begins and ends transactions, and queries that aren't worth keeping and have
	// no arguments, is sent as it is, because the database can't prepare all of it.
	SendsText bool
	// OneStatement: a script is sent statement by statement.
	OneStatement bool
	// QueriesRows: a statement that returns rows is queried, also where they aren't wanted, and
	// its rows are counted for what it changed.
	QueriesRows bool
	// IDsFromOne: an id of 0 for the last row inserted means that it has none.
	IDsFromOne bool
	// ReadOnlyTx: a transaction only reads if its connection does; see [AccessSetter].
	ReadOnlyTx bool
	// EndsUnseen: a statement that may commit by itself ([backend.Traits].EndsItself) is executed
	// in a transaction, too, may end that, and the database doesn't tell. So a savepoint before it
	// must be there after it.
	EndsUnseen bool
	// Suspends: the driver does its I/O in its caller's goroutine, on connections of a [Dialer],
	// and blocks in no other way. In a loop that waits for them itself ([repaint.PollsHere]) its
	// calls are made where the caller is, and suspend that task. The Driver's methods are called
	// there, too, but for Init, and what is given to db.Conn.Raw. It has no effect with [NewDB],
	// because database/sql has locks that would be held meanwhile.
	Suspends bool
}

// Defaults are the methods of a [Driver] about which there is nothing special to say. To be
// embedded.
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

// Resetter is a [Driver] that can undo what the texts of statements don't show. Without it, nothing
// is undone, and a connection is closed that has executed something obscure.
type Resetter interface {
	Driver
	// Keep notes how a connection is set up, after Init and after db.Events.Connect.
	Keep(ctx context.Context, c *Conn) error
	// Reset undoes what a user of the connection may have left in it. It fails if the connection
	// isn't as Keep has found it.
	Reset(ctx context.Context, c *Conn) error
}

// AccessSetter is a [Driver] of a database that can be told to refuse writes on a connection.
// Without it, each statement that may only read is put into a read-only transaction.
type AccessSetter interface {
	Driver
	// SetReadOnly makes a connection one on which the database refuses what writes, or takes that
	// back.
	SetReadOnly(ctx context.Context, c *Conn, on bool) error
}

// TxWatcher is a [Driver] of a database that may roll a transaction back after an error. Without
// it, transactions are trusted to stay open.
type TxWatcher interface {
	Driver
	// TxOpen reports whether the transaction is still open after an error in it.
	TxOpen(ctx context.Context, c *Conn, err error) bool
}

// TxReporter is a [Driver] whose driver knows how a connection stands with regard to transactions,
// by the database's last answer. Where the "commit" of a failed transaction rolls back, and is no
// error, only that makes it one. Without it, an error that hasn't been seen isn't known to have
// ended the transaction.
type TxReporter interface {
	Driver
	// TxState returns Idle, InTx or FailedTx, without asking the database. It is called before a
	// commit, and after errors in place of FailsTx and [TxWatcher].
	TxState(c *Conn) backend.Status
}

// InterruptReader is a [Driver] whose connections have an error of their own for what was
// interrupted because the call's context had ended. Without it, the driver must return the
// context's error.
type InterruptReader interface {
	Driver
	// Interrupted reports whether a driver's error is that of an interrupt.
	Interrupted(err error) bool
}

// Interrupter is a [Driver] that can stop what a connection is doing when the call's context has
// ended. The driver gets contexts that don't end then. Without it, the driver must notice the end
// of a context.
type Interrupter interface {
	InterruptReader
	// Interrupt stops what the connection is doing. It is called on a goroutine of its own, and
	// returns when until has ended, which the call's own end does. If the caller's greenlet is
	// killed, the connection is closed meanwhile.
	Interrupt(until context.Context, c *Conn)
}

// Aborter is a [Driver] that can close the network connection under a call. Without it, the
// context that the driver has got is cancelled.
type Aborter interface {
	Driver
	// Abort makes what the connection is doing fail at once. It is called beside a call that ends
	// something and has taken too long, see [backend.Ending].
	Abort(c *Conn)
}

// OpenReporter is a [Driver] whose driver.ErrBadConn can't be relied on: about a connection that
// was open before, it is taken to mean that the answer never came. Without it, driver.ErrBadConn
// means that nothing was sent.
type OpenReporter interface {
	Driver
	// Open reports whether a connection is open as far as the driver knows.
	Open(c *Conn) bool
}

// ArgConverter is a [Driver] that converts arguments in place of the driver's connection and
// statements, which aren't asked then. Without it they are, if they are a driver.NamedValueChecker.
type ArgConverter interface {
	Driver
	// Convert converts an argument, before the rules of database/sql. The error driver.ErrSkip
	// leaves it to those.
	Convert(v any) (driver.Value, error)
}

// ColumnConverter is a [Driver] that converts values of columns. Without it they stay as they are.
type ColumnConverter interface {
	Driver
	// Column returns how to convert the values of a column of the given type, none of which is
	// nil. A nil result leaves them as they are.
	Column(typ string) func(v driver.Value) (driver.Value, error)
}

// SQLConverter is a [Driver] that converts for calls of database/sql, see db.Engine.SQL, whose
// callers expect what they know of the driver. Without it, these get the driver's own values, and
// their arguments are converted by the driver's connection and statements and by Arg.
type SQLConverter interface {
	Driver
	// SQLConvert is Convert for these calls.
	SQLConvert(v any) (driver.Value, error)
	// SQLColumn is Column for these calls.
	SQLColumn(typ string) func(v driver.Value) (driver.Value, error)
}

// Emulator is a [Driver] of a database that hasn't got every statement which changes rows and
// returns them.
type Emulator interface {
	Driver
	// Emulate returns how to run such a statement by means of others; nil runs it as it is. What it
	// returns is called in a transaction, or between savepoints, and puts its outcome into the
	// call; what it has done is undone if it fails.
	Emulate(c *Conn, call *backend.Call) (func(ctx context.Context) error, error)
}

// LockWaiter is a [Driver] of a database in this process, whose calls wait for nothing but the disk and the
// locks that others have, and that can be told not to wait for locks. So a loop can make calls on the spot
// that are known to be short. Without it, all calls are offloaded in a loop. It has no effect with [NewDB]:
// what a connection has been told would be seen by its other users.
type LockWaiter interface {
	Driver
	// WaitForLocks has a connection wait for locks as it was set up to, or fail at once.
	WaitForLocks(ctx context.Context, c *Conn, on bool) error
	// Locked reports whether a call has failed because of a lock, had no effect, and can be made again.
	Locked(err error) bool
}

// Closer is a [Driver] that holds something itself.
type Closer interface {
	Driver
	// Close lets go of it, after all connections are closed.
	Close() error
}
