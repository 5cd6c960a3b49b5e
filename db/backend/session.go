package backend

import "context"

// Session is one connection. Package db makes one call at a time, from any goroutine, except that
// Close may come during another call. A call in a greenlet suspends only that greenlet. When the
// context of a call ends, the Session stops the work if it can, and returns when nothing uses the
// connection any more.
//
// A Session may also be a [Resetter], [Pinger], [Batcher], [Streamer], [Lender], [CallTracker] and
// [HastyEnder].
type Session interface {
	// Do executes a statement and puts its outcome into the call. An error that is
	// driver.ErrBadConn says that the statement never reached the database, so that package db can
	// try again on another connection. [UnknownOutcome] says the opposite.
	Do(ctx context.Context, c *Call) error
	// Begin begins a transaction. It may put that off until the first Do.
	Begin(ctx context.Context, opts TxOptions) error
	// Commit commits the transaction. The transaction has ended even if Commit fails. If ctx ends
	// first, package db closes the connection.
	Commit(ctx context.Context) error
	// Rollback rolls the transaction back. If ctx ends first, package db closes the connection.
	Rollback(ctx context.Context) error
	// Savepoint, Release and RollbackTo handle savepoints. RollbackTo also releases the savepoint.
	Savepoint(ctx context.Context, name string) error
	Release(ctx context.Context, name string) error
	RollbackTo(ctx context.Context, name string) error
	// Status returns the state after the last call. It does no I/O.
	Status() Status
	// Close closes the connection. It waits for a call that is still running, and stops that call
	// when ctx ends. It closes the connection even if ctx has ended before.
	Close(ctx context.Context) error
}

// Status is the state of a [Session].
type Status uint8

const (
	Idle     Status = iota // no transaction
	InTx                   // in a transaction
	FailedTx               // in a transaction that can only be rolled back
	Broken                 // the connection can't be used any more
)

// Resetter is a [Session] that can undo what its user may have left in the connection without
// showing it in a text. If a text does show it (Traits.Session), the pool closes the connection. It
// also closes a connection that has executed something obscure and isn't a Resetter.
type Resetter interface {
	Session
	// Reset undoes what the connection's user has left in it. thorough says that the user had a
	// Conn, or has executed something obscure. Otherwise Reset shouldn't query the database unless
	// the Session itself has noticed something. ctx may have ended; Reset limits its time with
	// [Ending]. If Reset fails, the connection is closed.
	Reset(ctx context.Context, thorough bool) error
	// Keep is called after db.Events.Connect has set up the connection. Reset must restore the
	// connection to that state, or fail.
	Keep(ctx context.Context) error
}

// Pinger is a [Session] that can check the connection with a round trip, for db.PrePing.
type Pinger interface {
	Session
	// Ping returns an error if the server doesn't answer before ctx ends. The pool then closes the
	// connection, and replaces the idle ones, too.
	Ping(ctx context.Context) error
}

// Batcher is a [Session] that runs several calls at once, for db.ExecMany and db.QueryMany. Of a
// statement with VALUES, they make one with many rows if they can, and call Do; and they call Do for
// each row where db.Events.Execution observes every one.
type Batcher interface {
	Session
	// DoMany is Do for several calls in a transaction, up to the first one that fails. It returns
	// the index of that one, and its error.
	DoMany(ctx context.Context, calls []*Call) (failed int, err error)
}

// Streamer is a [Session] that can return the rows of a query while they come.
type Streamer interface {
	Session
	// Stream begins a query and describes its columns in the call. Until the Cursor is closed, the
	// Session does nothing else. If ctx ends before, Fetch fails.
	Stream(ctx context.Context, c *Call) (Cursor, error)
}

// Cursor is a query whose rows are read in pieces. It is used as its Session is: one call at a
// time.
type Cursor interface {
	// Fetch replaces the call's Values by up to max further rows. more reports whether there may be
	// rows after them.
	Fetch(ctx context.Context, c *Call, max int) (more bool, err error)
	// Close ends the query, whether or not all rows have been read.
	Close(ctx context.Context) error
}

// Lender is a [Session] that lends the driver's connection, for db.Conn.Raw.
type Lender interface {
	Session
	// Raw calls fn with the driver's connection. If readOnly is set and there is no transaction,
	// the database must refuse writes.
	Raw(ctx context.Context, readOnly bool, fn func(ctx context.Context, conn any) error) error
}

// CallTracker is a [Session] that knows whether a call has reached the driver. A panic before that,
// for example in an argument's method, then doesn't cost the connection.
type CallTracker interface {
	Session
	// Calling reports whether a call of the driver has begun and hasn't returned.
	Calling() bool
}
