package db

import (
	"context"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/backend/sqlbackend"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/sqltext"
)

// The names that authors of dialects used before packages backend and sqlbackend had them. Users don't
// need them, and version 1.0 won't have them.
type (
	// Connector is [backend.Connector].
	//
	// Deprecated: use [backend.Connector].
	Connector = backend.Connector
	// Shared is [backend.Shared].
	//
	// Deprecated: use [backend.Shared].
	Shared = backend.Shared
	// Limits is [backend.Limits].
	//
	// Deprecated: use [backend.Limits].
	Limits = backend.Limits
	// Session is [backend.Session].
	//
	// Deprecated: use [backend.Session].
	Session = backend.Session
	// Resetter is [backend.Resetter].
	//
	// Deprecated: use [backend.Resetter].
	Resetter = backend.Resetter
	// Streamer is [backend.Streamer].
	//
	// Deprecated: use [backend.Streamer].
	Streamer = backend.Streamer
	// Cursor is [backend.Cursor].
	//
	// Deprecated: use [backend.Cursor].
	Cursor = backend.Cursor
	// Status is [backend.Status].
	//
	// Deprecated: use [backend.Status].
	Status = backend.Status
	// Statement is [backend.Statement].
	//
	// Deprecated: use [backend.Statement].
	Statement = backend.Statement
	// Traits is [backend.Traits].
	//
	// Deprecated: use [backend.Traits].
	Traits = backend.Traits
	// Call is [backend.Call].
	//
	// Deprecated: use [backend.Call].
	Call = backend.Call
	// Column is [backend.Column].
	//
	// Deprecated: use [backend.Column].
	Column = backend.Column
	// SQLDriver is [sqlbackend.Funcs].
	//
	// Deprecated: use [sqlbackend.Driver].
	SQLDriver = sqlbackend.Funcs //lint:ignore SA1019 it is deprecated itself
	// SQLConn is [sqlbackend.Conn].
	//
	// Deprecated: use [sqlbackend.Conn].
	SQLConn = sqlbackend.Conn
)

// The states of a Session.
//
// Deprecated: use those of package backend.
const (
	Idle     = backend.Idle
	InTx     = backend.InTx
	FailedTx = backend.FailedTx
	Broken   = backend.Broken
)

// SQLConnector returns the Connector of a blocking driver.
//
// Deprecated: use [sqlbackend.New] or [sqlbackend.NewDB].
func SQLConnector(d SQLDriver) Connector { return sqlbackend.OfFuncs(d) }

// Register makes a dialect available to Open.
//
// Deprecated: use [backend.Register].
func Register(d Dialect) { backend.Register(d) }

// TraitsOf makes the traits of what a language knows about the statements of a text.
//
// Deprecated: use [backend.TraitsOf].
func TraitsOf(l *sqltext.Language, text string, statements []sqltext.Statement) Traits {
	return backend.TraitsOf(l, text, statements)
}

// LostOf returns what makes a text useless outside of a Conn or Tx.
//
// Deprecated: use [backend.LostOf].
func LostOf(l *sqltext.Language, text string, statements []sqltext.Statement) string {
	return backend.LostOf(l, text, statements)
}

// UnknownOutcome marks a driver's error after which nothing is known of the statement's fate.
//
// Deprecated: use [backend.UnknownOutcome].
func UnknownOutcome(err error) error { return backend.UnknownOutcome(err) }

// BadArgument returns the error for an argument that can't be sent.
//
// Deprecated: use [backend.BadArgument].
func BadArgument(c *Call, i int, condition, why error) error {
	return backend.BadArgument(c, i, condition, why)
}

// OutOfRange returns a reason for refusing an argument.
//
// Deprecated: use [backend.OutOfRange].
func OutOfRange(format string, args ...any) error { return backend.OutOfRange(format, args...) }

// Ending returns a context for what ends something.
//
// Deprecated: use [backend.Ending].
func Ending(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	return backend.Ending(ctx, d)
}

// ParseBool reads the value of a URL option that is on or off.
//
// Deprecated: use [backend.ParseBool].
func ParseBool(value string) (bool, error) { return backend.ParseBool(value) }

// ParseDuration reads the value of a URL option that is a time.
//
// Deprecated: use [backend.ParseDuration].
func ParseDuration(value string) (time.Duration, error) { return backend.ParseDuration(value) }

// Begin is [Engine.InTx].
//
// Deprecated: use InTx.
func (e *Engine) Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	return e.InTx(ctx, fn, opts...)
}

// Begin is [Conn.InTx].
//
// Deprecated: use InTx.
func (c *Conn) Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	return c.InTx(ctx, fn, opts...)
}

// Begin is [Tx.InTx].
//
// Deprecated: use InTx.
func (tx *Tx) Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	return tx.InTx(ctx, fn, opts...)
}

// Begin is [AsyncEngine.InTx].
//
// Deprecated: use InTx.
func (a AsyncEngine) Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) *loop.Future[struct{}] {
	return a.InTx(ctx, fn, opts...)
}

// Begin is [AsyncConn.InTx].
//
// Deprecated: use InTx.
func (a AsyncConn) Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) *loop.Future[struct{}] {
	return a.InTx(ctx, fn, opts...)
}

// Begin is [AsyncTx.InTx].
//
// Deprecated: use InTx.
func (a AsyncTx) Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) *loop.Future[struct{}] {
	return a.InTx(ctx, fn, opts...)
}

// Begin is [RetryPolicy.InTx].
//
// Deprecated: use InTx.
func (p RetryPolicy) Begin(ctx context.Context, q Querier, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	return p.InTx(ctx, q, fn, opts...)
}
