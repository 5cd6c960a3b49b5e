package db

import (
	"context"
	"slices"
)

// Reader is a view of an Engine that only reads: what [ReadOnly] makes of an Engine, without another
// one. The database refuses what writes, also in functions; where that shows in the text, it isn't
// even sent.
//
// On PostgreSQL its single statements have connections of their own, which only read, so that those
// of several callers can be one transaction of the server: see [github.com/seed1239206e/repaint/pg.Reader]
// for what that saves, and for what a statement can notice of it, which is next to nothing. So do those of
// an Engine that was opened with [ReadOnly]. Where such connections can't be had, behind some poolers, and on
// other databases, a Reader's statements go where the Engine's do.
//
// It is a [Querier], so [All], [One] and the like, and the functions of a coop.Loader, can use it.
// Its transactions only read, too.
//
// Any number of goroutines and tasks can use it at once.
type Reader struct {
	e    *Engine
	conf connConfig
}

var _ Querier = (*Reader)(nil)

// Reader returns the Engine's view that only reads. It is no more than a name for the Engine, and is
// closed with that.
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

// QueryRow runs a query by itself, for its first row, as [Engine.QueryRow] does.
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

// InTx runs fn in a transaction that only reads, as [Engine.InTx] does, whatever the options say.
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
