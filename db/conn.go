package db

import (
	"context"
	"runtime"
	"sync"

	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/loop"
)

// Conn is one connection, checked out of an Engine's pool. Its statements commit by themselves;
// [Conn.InTx] and [Conn.BeginTx] begin transactions. While a transaction is open, only its Tx can be
// used. With [AutoBegin] nothing lasts until [Conn.Commit].
//
// One task or goroutine at a time can use a Conn: a call while another one runs fails with
// [ErrInUse]. Close and Invalidate may be called at any time. After Close, calls fail with
// [ErrClosed]. Other errors are an [*Error]; see [Querier].
//
// The garbage collector eventually finds a Conn that was forgotten instead of closed. Then its
// connection is closed, and its place in the pool is free again; see also [ReportLeaks].
type Conn struct {
	e    *Engine
	p    *turns.Pool
	conf connConfig
	free bool // it doesn't wait at the gate, see Engine.freeToSetUp
	// setsUp: it is the Conn of Events.Connect. Its connection belongs to the caller that connects,
	// which also ends it.
	setsUp bool
	*checkout

	mu      sync.Mutex // guards what follows and the checkout; never held across a call to the session
	state   connState
	fresh   bool   // nothing was done on its connection yet, see exchanged; the running call's
	running string // what the running call does; "" if there is none
	place   place  // where that call was made
	tx      *Tx    // the innermost open one
}

// connState is the life of a Conn:
//
//	connUnbound  made for a transaction that has not done anything: it has no connection yet
//	connOpen     it has one
//	connClosing  the connection goes back as soon as the running call has ended
//	connClosed   the connection is back
//	connGivenUp  a panic or the like has left a call, and the connection is being closed
type connState uint8

const (
	connUnbound connState = iota
	connOpen
	connClosing
	connClosed
	connGivenUp
)

// checkout is what a Conn has to give back. The Conn's cleanup refers to it, so it must not refer to
// the Conn.
type checkout struct {
	c    *turns.Conn // nil in a Conn that is unbound or closed
	held turns.Pass  // the gate's, while a transaction needs it
	leak *leak       // nil without ReportLeaks
	gone runtime.Cleanup
}

// Connect checks out a connection, which the caller must Close. It waits for one as long as ctx and
// [PoolTimeout] allow; then it returns [ErrPoolTimeout] or the context's error.
func (e *Engine) Connect(ctx context.Context, opts ...ConnOption) (*Conn, error) {
	if err := loop.ContextError(ctx); err != nil {
		return nil, e.fail(ctx, "connect", nil, err)
	}
	c := e.newConn(e.turns.Pool)
	for _, opt := range opts {
		opt.conn(&c.conf)
	}
	if err := checkIsolation("connect", c.conf.tx); err != nil {
		return nil, e.fail(ctx, "connect", nil, err)
	}
	physical, err := e.turns.Pool.Acquire(ctx)
	if err != nil {
		return nil, e.fail(ctx, "connect", nil, err)
	}
	physical.Lent = true
	c.c, c.state, c.fresh = physical, connOpen, true
	if e.samples(physical) {
		c.place.note()
		noteTaken(physical, c.place)
	}
	c.watch(1)
	return c, nil
}

// newConn returns an unbound Conn.
func (e *Engine) newConn(p *turns.Pool) *Conn {
	return &Conn{e: e, p: p, conf: e.conf.conn, checkout: &checkout{}}
}

// watch begins to watch for the Conn's being left open or forgotten. It was checked out skip calls
// above the caller.
func (c *Conn) watch(skip int) {
	e, p, out := c.e, c.p, c.checkout
	if e.conf.onLeak != nil {
		out.leak = e.leaks.watch(e.conf.leakAfter, e.conf.onLeak, skip+1)
	}
	out.gone = runtime.AddCleanup(c, func(out *checkout) { e.collected(p, out) }, out)
}

// Exec runs a statement, or a script without parameters. A script is no
// transaction: statements before the one that fails stay done.
func (c *Conn) Exec(ctx context.Context, query string, args ...any) (Result, error) {
	return c.exec(ctx, nil, query, args)
}

// Query runs a statement and returns all its rows.
func (c *Conn) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	return c.query(ctx, nil, 0, query, args)
}

// QueryRow runs a statement and returns its first row.
func (c *Conn) QueryRow(ctx context.Context, query string, args ...any) *Row {
	return c.queryRow(ctx, nil, query, args)
}

func (c *Conn) queryMax(ctx context.Context, max int, query string, args []any) (*Rows, error) {
	return c.query(ctx, nil, max, query, args)
}

// InTx runs fn in a transaction and commits it. If fn returns an error, panics
// or exits its goroutine, the transaction is rolled back; InTx returns fn's
// error as it is. With [AutoBegin] it is a savepoint in what the next Commit commits.
func (c *Conn) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	tx, err := c.BeginTx(ctx, opts...)
	if err != nil {
		return err
	}
	return tx.run(ctx, fn)
}

// BeginTx begins a transaction, which the caller must end with Commit or
// Rollback. [Conn.InTx] does that by itself.
func (c *Conn) BeginTx(ctx context.Context, opts ...TxOption) (*Tx, error) {
	parent, err := c.auto(ctx, nil)
	if err != nil {
		return nil, err
	}
	return c.begin(ctx, parent, c.conf.txOptions(opts))
}

// Commit commits what the Conn did since it was opened or since its last Commit or Rollback; see
// [Tx.Commit]. It is for a Conn with [AutoBegin], and [ErrMisuse] without.
func (c *Conn) Commit(ctx context.Context) error {
	tx, err := c.autoTx("commit")
	if tx == nil || err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// Rollback undoes what the Conn did since it was opened or since its last Commit or Rollback; see
// [Tx.Rollback]. It is for a Conn with [AutoBegin], and [ErrMisuse] without.
func (c *Conn) Rollback(ctx context.Context) error {
	tx, err := c.autoTx("rollback")
	if tx == nil || err != nil {
		return err
	}
	return tx.Rollback(ctx)
}

// Invalidate marks the connection as unfit for further use: closing the Conn closes it instead of
// giving it back to the pool.
func (c *Conn) Invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.c != nil {
		c.c.Spent = true
	}
}

// auto returns the transaction that a statement belongs to: tx, or, if that is nil and the Conn has
// AutoBegin, the Conn's own, which auto begins if need be.
func (c *Conn) auto(ctx context.Context, tx *Tx) (*Tx, error) {
	if tx != nil || !c.conf.begin {
		return tx, nil
	}
	c.mu.Lock()
	tx = c.tx.root()
	c.mu.Unlock()
	if tx != nil {
		return tx, nil
	}
	return c.begin(ctx, nil, c.conf.tx)
}

// autoTx returns the transaction that the Conn's Commit or Rollback ends; nil if there is none.
func (c *Conn) autoTx(op string) (*Tx, error) {
	if !c.conf.begin {
		err := misuse(op, "statements of this Conn commit by themselves")
		err.Hint = "use InTx or BeginTx, or Connect with AutoBegin"
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= connClosing {
		return nil, c.over(op)
	}
	return c.tx.root(), nil
}
