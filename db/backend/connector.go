package backend

import (
	"context"
	"time"
)

// Connector opens the connections of one Engine. The Engine calls its methods from any number of
// goroutines at once. A Connector may also be a [Shared], [Converter], [Exposer] and [Limited].
type Connector interface {
	// Connect opens a connection. The context is the Engine's, not a caller's: it ends when the
	// Engine is closed. So the Connector itself limits how long Connect takes.
	Connect(ctx context.Context) (Session, error)
	// Limits says how the connections may be used together. It always returns the same.
	Limits() Limits
	// Close closes what the Connector itself holds. The Engine calls it after all Sessions are
	// closed.
	Close() error
}

// Limits says how the connections of a [Connector] may be used together. The zero value is for a
// database that arbitrates between its connections itself.
type Limits struct {
	// OneWriter says that only one connection at a time may write. The Engine makes other writers
	// wait, in order and without polling.
	OneWriter bool
	// WriterExcludesReaders says that while one connection writes, no other may read.
	WriterExcludesReaders bool
	// MaxConns limits the number of connections; 0 means no limit. With 1, all callers share one
	// connection, one after the other.
	MaxConns int
	// MaxParams limits the number of parameters of one statement; 0 means no limit.
	MaxParams int
	// Local says that the database is in this process. No network can be silent then, so the time
	// of endings isn't limited; see [Ending].
	Local bool
	// PoolSize is the default of the option of that name; 0 leaves it to package db.
	PoolSize int
}

// Shared is a [Connector] that can run single statements on connections that carry the statements
// of many callers at once. Its methods are called from any number of goroutines.
//
// An Engine leaves them alone in two cases: if it has to let one connection write at a time, with
// [Limits].OneWriter and more than one connection, and if the user sets up connections with
// db.Events.Connect, which it can't call for shared ones.
type Shared interface {
	Connector
	// Once executes a statement outside of any transaction, as Session.Do does. It gets no
	// statement that shows that it leaves something in the connection (Traits.Session). It returns
	// driver.ErrSkip, and executes nothing, if the statement needs a connection of its own, or if
	// Call.ReadOnly asks for more than a shared connection can refuse.
	Once(ctx context.Context, c *Call) error
	// Finish makes later calls of Once fail. It returns when the earlier ones have ended, or when
	// ctx ends. It doesn't touch Sessions.
	Finish(ctx context.Context) error
}

// LaneCounter is a [Shared] connector that has figures about its shared connections, for
// db.Stats.Lanes.
type LaneCounter interface {
	Shared
	// Lanes returns the figures. It waits for no connection.
	Lanes() Lanes
}

// Renewer is a [Shared] connector that can replace its shared connections, for db.Engine.Reset.
type Renewer interface {
	Shared
	// Renew replaces each shared connection when its statements are answered. It returns at once.
	Renew()
}

// Lanes are figures about the shared connections of a [Shared] connector, at one moment.
type Lanes struct {
	Open    int // connections that are open
	Max     int // connections that may be open
	Running int // statements that have a connection and aren't answered
	Waiting int // statements that wait for a connection
}

// Converter is a [Connector] whose Sessions block their goroutine. In a loop the Engine queues
// their calls, and the goroutine that has the connection runs one after the other. Methods of the
// arguments are the caller's code, so Convert calls them before that, in the caller's goroutine.
//
// The Engine doesn't call Convert before all calls, for example not in a transaction of a plain
// goroutine. So Session.Do converts the arguments if Call.Bound is nil.
type Converter interface {
	Connector
	// Convert converts the call's arguments and returns true if that needs no connection. Otherwise
	// it returns false, and the caller makes the call itself instead of queueing it.
	Convert(c *Call) (ok bool, err error)
}

// Suspender is a [Converter] whose Sessions can suspend a task instead of blocking its goroutine.
type Suspender interface {
	Converter
	// Suspends reports whether calls of Sessions suspend only the calling task, in the loop in
	// which Suspends is called. Then the task makes the call itself instead of queueing it.
	Suspends() bool
}

// Hasty is a [Converter] whose Sessions run a call inline, in the caller's loop, if the call is
// known to be short and repaint.MayHold allows it. That holds the loop for a moment, and needs no
// other goroutine. The Engine doesn't queue such a call unless it has to wait for something.
type Hasty interface {
	Converter
	// CallInline sets how long a call may take to count as short; 0 runs none inline. It is called
	// before the first Connect.
	CallInline(limit time.Duration)
	// Short reports whether a statement is known to be short. If begins isn't nil, a transaction
	// begins before it, which must be short, too.
	Short(st *Statement, begins *TxOptions) bool
	// Calls returns the figures of the Sessions' calls.
	Calls() Calls
}

// HastyEnder is a [Session] of a [Hasty] connector.
type HastyEnder interface {
	Session
	// EndsSoon reports whether the end of the transaction is known to be short: Commit if commit is
	// true, otherwise Rollback. The task then calls it itself.
	EndsSoon(commit bool) bool
}

// Calls counts the calls that loops made of a driver that blocks.
type Calls struct {
	Inline     int64         // calls that ran inline, in the loop, because they were known to be short
	InlineTime time.Duration // how long the inline calls took altogether
	Overlong   int64         // inline statements, begins and ends that took too long, so that the next ones are offloaded
	Refused    int64         // inline calls that met another process's lock and were repeated in another goroutine
	Offloaded  int64         // calls that ran in another goroutine
}

// Exposer is a [Connector] that exposes the driver that it is built on.
type Exposer interface {
	Connector
	// Driver is what db.Engine.Driver returns.
	Driver() any
}

// Limited is a [Connector] whose Sessions end some things by themselves, for example with a
// rollback after a failed commit, and limit the time of that.
type Limited interface {
	Connector
	// LimitEndings sets the limit, that of db.TeardownTimeout; 0 means none, which [Limits].Local
	// asks for, too. It is called before the first Connect.
	LimitEndings(d time.Duration)
}
