package backend

import (
	"context"
	"time"
)

// Connector opens the connections of one Engine. It may also be a [Shared], [Converter], [Exposer]
// and [Limited].
type Connector interface {
	// Connect opens a connection. The context is the Engine's rather than a caller's: it ends when
	// the Engine is closed. So a Connector limits the time of Connect itself.
	Connect(ctx context.Context) (Session, error)
	// Limits says how the connections may be used together.
	Limits() Limits
	// Close ends what the connector itself holds, after all its Sessions.
	Close() error
}

// Limits says how the connections of a [Connector] may be used together. The zero value is a
// database that arbitrates everything itself.
type Limits struct {
	// OneWriter: only one connection at a time may write. The Engine keeps the others waiting, in
	// order and without polling.
	OneWriter bool
	// WriterExcludesReaders: while it writes, no other may even read.
	WriterExcludesReaders bool
	// MaxConns bounds the number of connections; 0 is no bound. With 1 a single connection does
	// everything, one user after the other.
	MaxConns int
	// MaxParams bounds the number of parameters of one statement; 0 is no bound.
	MaxParams int
	// Local: the database is in this process. There is no network that could be silent, so
	// endings aren't limited; see [Ending].
	Local bool
	// PoolSize is the pool's size unless the user gives one; 0 leaves it to package db.
	PoolSize int
}

// Shared is a [Connector] that can run single statements of the Engine's own without giving them a
// connection: on connections that carry those of many callers at once.
type Shared interface {
	Connector
	// Once executes a statement outside of any transaction, as Session.Do does. The error
	// driver.ErrSkip says that it needs a connection of its own and hasn't been executed.
	Once(ctx context.Context, c *Call) error
	// Finish makes later calls of Once fail, and returns when the earlier ones have ended, or when
	// ctx ends. Sessions aren't disturbed.
	Finish(ctx context.Context) error
}

// LaneCounter is a [Shared] connector that tells about the connections that carry the Engine's own
// statements, which the Engine's pool doesn't have.
type LaneCounter interface {
	Shared
	Lanes() Lanes
}

// Renewer is a [Shared] connector that can replace the connections that carry the Engine's own
// statements.
type Renewer interface {
	Shared
	// Renew has each of them replaced when it has answered what it has, and returns at once.
	Renew()
}

// Lanes are figures about the connections of a [Shared] connector at a moment.
type Lanes struct {
	Open    int // connections
	Max     int // connections, at most
	Running int // statements that were sent, or are about to be, and aren't answered
	Waiting int // statements that wait for a connection
}

// Converter is a [Connector] whose Sessions block their goroutine. An Engine queues their calls
// and runs one after the other on the goroutine that has the connection. The arguments' methods are
// the caller's code, so they are called before that, where the caller is.
type Converter interface {
	Connector
	// Convert converts the call's arguments, if that needs no connection; ok reports whether it
	// doesn't. If it does, the call isn't queued but made by its caller.
	Convert(c *Call) (ok bool, err error)
}

// Suspender is a [Converter] whose Sessions don't block their goroutine everywhere.
type Suspender interface {
	Converter
	// Suspends reports whether here, in the caller's loop, the calls of Sessions suspend only the
	// calling task. They aren't queued then, but made by their caller.
	Suspends() bool
}

// Hasty is a [Converter] whose Sessions make a call on the spot, where repaint.MayHold allows it, if it is
// known to be short, so that its caller's loop is held for a moment and no other goroutine is needed. Then the
// Engine doesn't queue it either, if there is nothing to wait for.
type Hasty interface {
	Converter
	// CallInline sets the time below which a call is short, before the first connection is made; 0 makes none
	// of them on the spot.
	CallInline(limit time.Duration)
	// Short reports whether a statement is known to be short. begins tells that a transaction begins with it.
	Short(st *Statement, begins *TxOptions) bool
	// Calls returns the figures of the Sessions' calls.
	Calls() Calls
}

// HastyEnder is a [Session] of a [Hasty] connector.
type HastyEnder interface {
	Session
	// EndsSoon reports whether the end of the transaction is known to be short, so that Commit or Rollback
	// is made on the spot.
	EndsSoon(commit bool) bool
}

// Calls are figures about the calls of a driver that blocks which were made for loops.
type Calls struct {
	Inline     int64         // made on the spot, in the loop, because they were known to be short
	InlineTime time.Duration // of all of them together
	Overlong   int64         // of their statements, begins and ends took longer: the next ones are offloaded again
	Refused    int64         // of them met another party's lock, and were made again by another goroutine
	Offloaded  int64         // made by another goroutine
}

// Exposer is a [Connector] that shows what it is built on.
type Exposer interface {
	Connector
	// Driver is what db.Engine.Driver returns.
	Driver() any
}

// Limited is a [Connector] whose Sessions limit the time of what they end by themselves: a
// rollback after a failed commit, say.
type Limited interface {
	Connector
	// LimitEndings sets that time, before the first connection is made; 0 is no limit.
	LimitEndings(d time.Duration)
}
