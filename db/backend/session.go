package backend

import "context"

// Session is one connection, as package db drives it: one call at a time, each after the end of the
// one before. A call made in a greenlet suspends that greenlet only. When the context of a call
// ends, the Session stops the work, if it can, but returns only when nothing uses the connection any
// more.
//
// A Session may also be a [Resetter], [Pinger], [Batcher], [Streamer], [Lender] and [CallTracker].
type Session interface {
	// Do executes a statement and puts its outcome into the call. An error that is
	// driver.ErrBadConn says that the statement never reached the database, so that it can be
	// tried again on another connection. See [UnknownOutcome] for the opposite.
	Do(ctx context.Context, c *Call) error
	// Begin begins a transaction. It may put that off until the first Do.
	Begin(ctx context.Context, opts TxOptions) error
	// Commit ends the transaction, whether it succeeds or not. If its context ends before, the
	// connection is closed next.
	Commit(ctx context.Context) error
	// Rollback ends the transaction. If its context ends before, the connection is closed next.
	Rollback(ctx context.Context) error
	// Savepoint, Release and RollbackTo handle savepoints; RollbackTo also releases it.
	Savepoint(ctx context.Context, name string) error
	Release(ctx context.Context, name string) error
	RollbackTo(ctx context.Context, name string) error
	// Status returns the state after the last call. It does no I/O.
	Status() Status
	// Close ends the connection. It waits for a call that is still running, and stops that call
	// when its own context ends. The context may have ended from the beginning; the connection is
	// closed all the same.
	Close(ctx context.Context) error
}

// Status is the state of a [Session].
type Status uint8

const (
	Idle     Status = iota // no transaction
	InTx                   // in a transaction
	FailedTx               // in a transaction that can only be rolled back
	Broken                 // the connection is of no more use
)

// Resetter is a [Session] that can undo what its user may have left in the connection without
// showing it. Where Traits.Session shows it, the connection is closed. A connection that has executed
// something obscure, and is no Resetter, is closed, too.
type Resetter interface {
	Session
	// Reset undoes what the connection's user has left in it. It must be thorough if the user had
	// the connection from Connect to Close, or has executed something obscure. Otherwise it should
	// ask the database nothing, unless the Session itself has noticed something. The context may
	// have ended; Reset limits its time with [Ending]. After an error the connection is closed.
	Reset(ctx context.Context, thorough bool) error
	// Keep is called when db.Events.Connect has set the connection up. Reset must leave the
	// connection as it is then, or fail.
	Keep(ctx context.Context) error
}

// Pinger is a [Session] that can ask the database whether it is there, for db.PrePing.
type Pinger interface {
	Session
	Ping(ctx context.Context) error
}

// Batcher is a [Session] that runs several calls in one go.
type Batcher interface {
	Session
	// DoMany is Do for several calls in a transaction, up to the first one that fails; it returns
	// the index of that one.
	DoMany(ctx context.Context, calls []*Call) (failed int, err error)
}

// Streamer is a [Session] that can hand out the rows of a query as they come.
type Streamer interface {
	Session
	// Stream begins a query and describes its columns in the call. Until the cursor is closed, the
	// Session does nothing else. ctx holds for all of it.
	Stream(ctx context.Context, c *Call) (Cursor, error)
}

// Cursor is a query whose rows are read in pieces.
type Cursor interface {
	// Fetch puts up to max further rows into the call's Values, in place of those that are there.
	// more is false if they are the last ones.
	Fetch(ctx context.Context, c *Call, max int) (more bool, err error)
	// Close ends the query, whether its rows have been read or not.
	Close(ctx context.Context) error
}

// Lender is a [Session] that lends the driver's connection, for db.Conn.Raw.
type Lender interface {
	Session
	// Raw calls fn with the connection. If readOnly is set, and outside of a transaction, the
	// database must refuse what writes.
	Raw(ctx context.Context, readOnly bool, fn func(ctx context.Context, conn any) error) error
}

// CallTracker is a [Session] that knows whether a call has reached the driver. A panic before that,
// in an argument's method, say, doesn't cost the connection then.
type CallTracker interface {
	Session
	// Calling reports whether a call of the driver has begun that hasn't returned.
	Calling() bool
}
