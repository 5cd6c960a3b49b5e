package explore

import (
	"context"
	"time"
)

// A Statement is what a task sends to a database: a step of the schedule.
type Statement struct {
	Text string
	Args string // as text to be shown, or ""
	// Partial says that more is executed than the text says.
	Partial bool

	// Server can be asked whether the statement waits for a lock, by the number of its session. It
	// is nil if there is no way to ask.
	Server  Server
	Session int64

	// Ends is the context whose end ends the statement, if it isn't that of Execute.
	Ends context.Context

	// Break ends the connection as a failed network does. It is nil if there is no network.
	Break func()
	// Lost is the error of a statement that was executed on a connection that broke before the
	// answer came. nil stands for any error.
	Lost error
	// Raise makes the database report an error with an SQLSTATE, and do what it does with such an
	// error: the transaction is over. It is nil if there is no such way.
	Raise func(ctx context.Context, state string) error

	// Hasten makes the session look for a deadlock as soon as its next statement waits, until undo
	// is called. It is nil if the database does so anyway. undo is nil if the user may not change
	// that.
	Hasten func(ctx context.Context) (undo func(ctx context.Context))

	// Busy reports whether an error says that the statement has had no effect because of a lock,
	// and can be sent again. It is for databases whose clients wait by trying again and again; nil
	// for others.
	Busy func(err error) bool
	// Patience is for how long, on the loop's clock, the statement is sent again after such an
	// error.
	Patience time.Duration
}

// A Server knows which of its sessions wait for locks.
type Server interface {
	// Waiting returns which of the sessions wait for a lock, each with the sessions that it waits
	// for, as far as these are known. While it runs, only waiting statements use the server.
	Waiting(ctx context.Context, sessions []int64) (map[int64][]int64, error)

	// Gone reports whether the server has noticed that a session's connection was lost, and has
	// rolled back what the session had open.
	Gone(ctx context.Context, session int64) (bool, error)
}

// A Teller is a [Server] that can say more, but takes its time.
type Teller interface {
	// Holders returns which sessions hold the locks that the sessions in the result of Waiting wait
	// for.
	Holders(ctx context.Context, sessions []int64) (map[int64][]int64, error)
}

// A Query sends a statement without arguments on a connection of its own, and returns the rows as
// text.
type Query func(ctx context.Context, text string) (rows [][]string, err error)
