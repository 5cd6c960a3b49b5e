package db

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/statements"
	"github.com/seed1239206e/repaint/db/internal/turns"
)

// Engine is a database: its URL, its dialect and the connections to it. Use one Engine for the whole
// program: all its methods may be called from any number of goroutines, loops and greenlets.
//
// Exec, Query and QueryRow run one statement, which commits by itself, as a statement of a [Conn]
// outside of a transaction does. Errors are an [*Error]; see [Querier].
type Engine struct {
	url      *URL
	dialect  Dialect
	language statements.Language
	conf     config

	connector  backend.Connector
	converter  backend.Converter // the connector, if its calls block; see serve
	suspender  backend.Suspender // the connector, if its calls may suspend instead
	hasty      backend.Hasty     // the connector, if it makes short calls on the spot
	shared     backend.Shared    // the connector, if it can do without a connection; else nil
	statements statements.Cache
	cleanup    time.Duration // the limit for ending something; 0 is no limit
	events     events
	turns      turns.Turns
	leaks      leaks
	jobs       atomic.Int64 // made for loops

	debug     bool          // REPAINT_DEBUG is set
	checkouts atomic.Uint64 // connections taken by a Conn or Tx, see noteTaken

	natives statements.NativeCache // for SQL
	door    sqlDoor
}

// Invalidate marks all open connections as stale. The pool replaces each before its next use, for
// example after a failover or a changed password. Connections in use go on until they come back.
func (e *Engine) Invalidate() {
	e.turns.Invalidate()
}

// Reset closes all connections as soon as they are idle: idle ones now, those in use when they come
// back, and those that carry statements of many callers when all are answered. Use it after a
// failover, or after a change of what Events.Connect sets up. It waits for nothing.
func (e *Engine) Reset() {
	e.turns.Reset()
	if r, ok := e.shared.(backend.Renewer); ok {
		r.Renew()
	}
}

// URL returns the URL that the Engine was opened with. It prints without the password.
func (e *Engine) URL() *URL { return e.url }

// Dialect returns the Engine's dialect.
func (e *Engine) Dialect() Dialect { return e.dialect }

// Exec runs a statement, or a script without parameters, by itself. The statement has a connection
// while it runs. On PostgreSQL it shares one with the statements of other callers where it can.
// A script is no transaction: statements before the one that fails stay done.
func (e *Engine) Exec(ctx context.Context, query string, args ...any) (Result, error) {
	return e.exec(ctx, &e.conf.conn, query, args)
}

func (e *Engine) exec(ctx context.Context, conf *connConfig, query string, args []any) (Result, error) {
	var call call
	if err := e.prepare(ctx, &call, conf, query, args); err != nil {
		return Result{}, err
	}
	if err := e.once(ctx, "exec", &call); err != nil {
		return Result{}, err
	}
	return call.result(), nil
}

// Query runs a statement by itself, see [Engine.Exec], and returns all its rows.
func (e *Engine) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	return e.queryMax(ctx, 0, query, args)
}

// QueryRow runs a statement by itself, see [Engine.Exec], and returns its first row.
func (e *Engine) QueryRow(ctx context.Context, query string, args ...any) *Row {
	return e.queryRow(ctx, &e.conf.conn, query, args)
}

func (e *Engine) queryRow(ctx context.Context, conf *connConfig, query string, args []any) *Row {
	r := &Row{}
	r.call.Rows, r.call.MaxRows = true, 1
	if r.err = e.prepare(ctx, &r.call, conf, query, args); r.err == nil {
		r.err = e.once(ctx, "query", &r.call)
	}
	return r
}

func (e *Engine) queryMax(ctx context.Context, max int, query string, args []any) (*Rows, error) {
	return e.query(ctx, &e.conf.conn, max, query, args)
}

func (e *Engine) query(ctx context.Context, conf *connConfig, max int, query string, args []any) (*Rows, error) {
	r := &Rows{}
	r.call.Rows, r.call.MaxRows = true, max
	if err := e.prepare(ctx, &r.call, conf, query, args); err != nil {
		return nil, err
	}
	if err := e.once(ctx, "query", &r.call); err != nil {
		return nil, err
	}
	return r, nil
}

// InTx runs fn in a transaction, on a connection of its own, and commits it. If
// fn returns an error, panics or exits its goroutine, the transaction is rolled
// back; InTx returns fn's error as it is.
func (e *Engine) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	tx, err := e.beginTx(ctx, opts)
	if err != nil {
		return err
	}
	return tx.run(ctx, fn)
}

// BeginTx begins a transaction on a connection of its own, which the caller must
// end with Commit or Rollback. [Engine.InTx] does that by itself.
//
// BeginTx waits for nothing. The first statement waits for a connection and, where only one
// transaction can write at a time, for the turn to write.
func (e *Engine) BeginTx(ctx context.Context, opts ...TxOption) (*Tx, error) {
	tx, err := e.beginTx(ctx, opts)
	if err == nil {
		tx.conn.watch(1)
	}
	return tx, err
}

func (e *Engine) beginTx(ctx context.Context, opts []TxOption) (*Tx, error) {
	o := e.conf.conn.txOptions(opts)
	p := e.turns.PoolFor(!o.ReadOnly)
	if err := p.Closed(); err != nil {
		return nil, e.fail(ctx, "begin", nil, err)
	}
	tx, err := e.newConn(p).begin(ctx, nil, o)
	if err != nil {
		return nil, err
	}
	tx.owns = true
	return tx, nil
}

// Close closes the Engine. New calls, and calls that wait for a connection, fail with [ErrClosed].
// Close waits until all connections in use have come back or ctx ends; without a deadline it waits
// no longer than [PoolTimeout]. If some are still in use then, it returns [ErrTimeout]; they are
// closed when they come back.
func (e *Engine) Close(ctx context.Context) error {
	if _, ok := ctx.Deadline(); !ok {
		wait := e.conf.poolTimeout
		if wait == 0 {
			wait = defaults().poolTimeout
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, wait)
		defer cancel()
	}
	why := fail("use the engine", ErrClosed, "the Engine for %s is closed", e.url)
	e.door.close()
	e.turns.Gate.Close(why)
	out := e.shut(ctx, why)
	var unfinished error
	if s, ok := e.connector.(backend.Shared); ok {
		unfinished = s.Finish(ctx)
	}
	err := e.connector.Close()
	if out > 0 {
		busy := fail("close", ErrTimeout, "%d connections of %s are still in use%s", out, e.url, e.leaks.where())
		busy.Hint = "close every Conn and end every Tx before closing the Engine"
		return busy
	}
	if err == nil {
		err = unfinished
	}
	if err != nil {
		return e.wrap(ctx, "close", nil, err)
	}
	return nil
}

// shut closes the pools, and returns how many connections are still in use when ctx ends.
func (e *Engine) shut(ctx context.Context, why error) (out int) {
	ending, done := backend.Ending(ctx, e.cleanup)
	defer done()
	return e.turns.Close(ctx, ending, why)
}
