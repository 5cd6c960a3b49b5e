package db

import (
	"context"
	"errors"
	"sync"

	"github.com/seed1239206e/repaint/loop"
)

// Conn is one connection, checked out of an Engine's pool. Statements that it
// runs itself commit by themselves; [Conn.Begin] and [Conn.BeginTx] begin
// transactions. While one is open, only its Tx may be used.
//
// One task at a time can use a Conn: a call while another one runs is refused
// with ErrInUse.
type Conn struct {
	e *Engine
	p *pool

	mu      sync.Mutex // guards what follows; never held across a call to the session
	c       *physical  // nil when closed
	running string     // what a call is doing just now
	tx      *Tx        // the innermost open one
	held    pass       // the gate's, while a transaction needs it
	closing bool       // close as soon as the running call has ended
	leak    *leak
}

// connOf checks out a connection of p.
func (e *Engine) connOf(ctx context.Context, p *pool) (*Conn, error) {
	if err := loop.ContextError(ctx); err != nil {
		return nil, e.wrap(ctx, "connect", nil, err)
	}
	c, err := p.acquire(ctx)
	if err != nil {
		return nil, e.wrap(ctx, "connect", nil, err)
	}
	conn := &Conn{e: e, p: p, c: c}
	if e.conf.onLeak != nil {
		conn.leak = e.leaks.watch(e.conf.leakAfter, e.conf.onLeak)
	}
	return conn, nil
}

// Exec runs a statement, or a script without parameters. A script is no
// transaction: what precedes a failing statement stays done.
func (c *Conn) Exec(ctx context.Context, query string, args ...any) (Result, error) {
	return c.exec(ctx, nil, query, args)
}

// Query runs a statement and returns all its rows.
func (c *Conn) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	return c.query(ctx, nil, 0, query, args)
}

// QueryRow runs a statement for its first row.
func (c *Conn) QueryRow(ctx context.Context, query string, args ...any) *Row {
	return c.queryRow(ctx, nil, query, args)
}

func (c *Conn) queryMax(ctx context.Context, max int, query string, args []any) (*Rows, error) {
	return c.query(ctx, nil, max, query, args)
}

// Begin runs fn in a transaction and commits it. If fn returns an error, panics
// or exits its goroutine, the transaction is rolled back; Begin returns fn's
// error as it is.
func (c *Conn) Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	tx, err := c.BeginTx(ctx, opts...)
	if err != nil {
		return err
	}
	return tx.run(ctx, fn)
}

// BeginTx begins a transaction, which the caller must end with Commit or
// Rollback. [Conn.Begin] does that by itself.
func (c *Conn) BeginTx(ctx context.Context, opts ...TxOption) (*Tx, error) {
	return c.begin(ctx, nil, txOptions(opts))
}

// Close gives the connection back to the pool; an open transaction is rolled
// back. Closing again does nothing. It never fails because of a context, since
// it has none, and while another task's call runs on the Conn it returns ErrInUse
// and the connection goes back when that call has ended.
func (c *Conn) Close() error {
	c.mu.Lock()
	if c.c == nil || c.closing {
		c.mu.Unlock()
		return nil
	}
	c.closing = true
	if c.running != "" {
		err := c.inUse("close")
		c.mu.Unlock()
		return err
	}
	c.running = "close"
	c.mu.Unlock()
	c.finish(context.Background())
	return nil
}

func (c *Conn) exec(ctx context.Context, tx *Tx, query string, args []any) (Result, error) {
	var call Call
	if err := c.e.prepare(&call, query, args); err != nil {
		return Result{}, err
	}
	if err := c.do(ctx, tx, "exec", &call); err != nil {
		return Result{}, err
	}
	return call.result(), nil
}

func (c *Conn) query(ctx context.Context, tx *Tx, max int, query string, args []any) (*Rows, error) {
	r := &Rows{}
	r.call.Rows, r.call.MaxRows = true, max
	if err := c.e.prepare(&r.call, query, args); err != nil {
		return nil, err
	}
	if err := c.do(ctx, tx, "query", &r.call); err != nil {
		return nil, err
	}
	return r, nil
}

func (c *Conn) queryRow(ctx context.Context, tx *Tx, query string, args []any) *Row {
	r := &Row{}
	r.call.Rows, r.call.MaxRows = true, 1
	if r.err = c.e.prepare(&r.call, query, args); r.err == nil {
		r.err = c.do(ctx, tx, "query", &r.call)
	}
	return r
}

// do runs a statement, in tx or, if that is nil, outside of a transaction.
func (c *Conn) do(ctx context.Context, tx *Tx, op string, call *Call) error {
	st := call.Statement
	if err := c.start(tx, op, st.Source); err != nil {
		return err
	}
	held := noPass
	killed := true
	defer func() {
		c.end(ctx, killed, held)
	}()

	err := loop.ContextError(ctx)
	switch {
	case err != nil:
	case tx == nil:
		held, err = c.e.gate.enter(ctx, st.Writes, st.Source)
	case tx.opts.ReadOnly && st.Writes:
		err = fail(op, ErrReadOnly, "the transaction was begun as read-only")
	}
	if err == nil {
		err = c.c.session.Do(ctx, call)
		c.c.dirty = c.c.dirty || st.Session
		if err != nil {
			err = c.after(ctx, tx, st.Writes, err, c.e.wrap(ctx, op, call, err))
		}
	}
	killed = false
	if err != nil {
		return c.e.wrap(ctx, op, call, err)
	}
	call.forget()
	return nil
}

// start takes the Conn for a call in tx, or outside of a transaction.
func (c *Conn) start(tx *Tx, op, what string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.running != "":
		return c.inUse(op)
	case tx != nil && tx.state != txOpen:
		return tx.over(op)
	case c.c == nil || c.closing:
		return fail(op, ErrClosed, "the Conn is closed")
	case c.c.bad:
		return fail(op, ErrDisconnected, "the connection was lost; close the Conn and Connect again")
	case tx == nil && c.tx != nil:
		return misuse(op, "a transaction is open on the Conn; use its Tx until it has ended")
	case tx != c.tx:
		return misuse(op, "a nested transaction is open; use its Tx until it has ended")
	}
	if what == "" {
		what = op
	}
	c.running = what
	return nil
}

// inUse returns the error for a call while another one runs. The lock is held.
func (c *Conn) inUse(op string) error {
	err := fail(op, ErrInUse, "another task is using the connection: %s", short(c.running, 100))
	err.Hint = "give each task its own Conn or Tx, or let it use the Engine"
	return err
}

// end ends a call. If the caller was killed while it ran, nobody knows what the
// session is doing, and the Conn is lost.
func (c *Conn) end(ctx context.Context, killed bool, held pass) {
	if killed {
		c.lose(held)
		return
	}
	c.e.gate.leave(held)
	c.mu.Lock()
	closing := c.closing
	if !closing {
		c.running = ""
	}
	c.mu.Unlock()
	if closing {
		c.finish(ctx)
	}
}

// finish rolls back what is open and gives the connection back. The Conn is
// running: nobody else touches it.
func (c *Conn) finish(ctx context.Context) {
	killed := true
	defer func() {
		if killed {
			c.lose(noPass)
		}
	}()
	lost := false
	if c.tx != nil {
		lost = c.c.session.Rollback(context.WithoutCancel(ctx)) != nil
	}
	killed = false

	c.e.leaks.forget(c.leak)
	c.mu.Lock()
	physical, held := c.c, c.held
	physical.bad = physical.bad || lost
	c.tx.close(errConnClosed)
	c.c, c.tx, c.held, c.running = nil, nil, noPass, ""
	c.mu.Unlock()
	defer c.e.gate.leave(held)
	c.p.release(ctx, physical)
}

// lose gives up a connection on which a call may still be running.
func (c *Conn) lose(held pass) {
	c.e.leaks.forget(c.leak)
	c.mu.Lock()
	physical, mine := c.c, c.held
	c.tx.close(errConnClosed)
	c.c, c.tx, c.held, c.running = nil, nil, noPass, ""
	c.mu.Unlock()
	c.p.abandon(physical, func() {
		c.e.gate.leave(held)
		c.e.gate.leave(mine)
	})
}

var errConnClosed = errors.New("its connection was closed")

// after looks what an error has left behind, and returns it as it was wrapped for
// the caller. In a transaction that is more than the error: the database may have
// rolled it back, or nobody knows whether the statement took effect.
func (c *Conn) after(ctx context.Context, tx *Tx, wrote bool, err, wrapped error) error {
	if tx == nil {
		c.e.examine(c.p, c.c, err)
		return wrapped
	}
	status := c.c.session.Status()
	_, cancelled := ofContext(ctx, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case status == Broken:
		c.c.bad = true
		fallthrough
	case status == Idle:
		for t := tx; t != nil; t = t.parent {
			t.state, t.why = txLost, wrapped
		}
	case status == FailedTx, cancelled && wrote:
		tx.state, tx.why = txFailed, wrapped
	}
	return wrapped
}
