package db

import (
	"context"
	"slices"
)

// Reader is a view of an Engine that only reads, as an Engine opened with [ReadOnly] does. The database
// refuses writes with [ErrReadOnly], also writes in functions. A text that shows that it writes isn't
// even sent. A Reader's transactions only read, too.
//
// On PostgreSQL its single statements go to connections that only read, so that one transaction of the
// server can serve several callers: see [github.com/seed1239206e/repaint/pg.Reader] for what that
// saves, and for the little that a statement can notice. An Engine opened with [ReadOnly] does the
// same. On other databases, and behind poolers that don't allow such connections, a Reader's statements
// go to the Engine's connections.
//
// A Reader is a [Querier]: [All], [One] and the like, and the function of a coop.Loader, can use it.
//
// All methods may be called from any number of goroutines and tasks.
type Reader struct {
	e    *Engine
	conf connConfig
}

var _ Querier = (*Reader)(nil)

// Reader returns a view of the Engine that only reads. It holds nothing of its own, and ends with the
// Engine.
func (e *Engine) Reader() *Reader {
	r := &Reader{e, e.conf.conn}
	ReadOnly().conn(&r.conf)
	return r
}

// Exec runs a statement by itself, as [Engine.Exec] does.
func (r *Reader) Exec(ctx context.Context, query string, args ...any) (Result, error) {
	return r.e.exec(ctx, &r.conf, query, args)
}

// Query runs a query by itself, as [Engine.Query] does.
func (r *Reader) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	return r.queryMax(ctx, 0, query, args)
}

// QueryRow runs a query by itself and returns its first row, as [Engine.QueryRow] does.
func (r *Reader) QueryRow(ctx context.Context, query string, args ...any) *Row {
	return r.e.queryRow(ctx, &r.conf, query, args)
}

func (r *Reader) queryMax(ctx context.Context, max int, query string, args []any) (*Rows, error) {
	return r.e.query(ctx, &r.conf, max, query, args)
}

// Stream runs a query on a connection of its own, as [Engine.Stream] does.
func (r *Reader) Stream(ctx context.Context, query string, args ...any) (*Rows, error) {
	return r.e.stream(ctx, &r.conf, query, args)
}

// InTx runs fn in a transaction, as [Engine.InTx] does. The transaction only reads, whatever the
// options say.
func (r *Reader) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	return r.e.InTx(ctx, fn, append(slices.Clip(opts), ReadOnly())...)
}

// Begin is InTx.
//
// Deprecated: use InTx.
func (r *Reader) Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	return r.InTx(ctx, fn, opts...)
}

func (r *Reader) engine() *Engine { return r.e }
