package db

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/telling"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/loop"
)

// Conn is one connection, checked out of an Engine's pool. Statements that it
// runs itself commit by themselves; [Conn.InTx] and [Conn.BeginTx] begin
// transactions. While one is open, only its Tx may be used. With [AutoBegin]
// nothing lasts until [Conn.Commit].
//
// One task at a time can use a Conn: a call while another one runs is refused
// with ErrInUse. A Conn that is forgotten instead of closed is found by the
// garbage collector some time: its connection is closed and its place in the pool
// is free again, see also [ReportLeaks].
type Conn struct {
	e    *Engine
	p    *turns.Pool
	conf connConfig
	free bool // it doesn't wait at the gate, see Engine.freeToSetUp
	// setsUp: it is Events.Connect's. Its connection belongs to the caller that connects, which
	// also ends it.
	setsUp bool
	*checkout

	mu      sync.Mutex // guards what follows and the checkout; never held across a call to the session
	state   connState
	fresh   bool   // nothing has been done on its connection, see exchanged. It belongs to the running call
	running string // what a call is doing just now; "" if there is none
	place   place  // where that call was made
	tx      *Tx    // the innermost open one
}

// connState is the life of a Conn:
//
//	connUnbound  made for a transaction that has not done anything: it has no connection yet
//	connOpen     it has one
//	connClosing  it goes back as soon as the running call has ended
//	connClosed   it is back
type connState uint8

const (
	connUnbound connState = iota
	connOpen
	connClosing
	connClosed
)

// checkout is what a Conn has to give back. The collector's watch over the Conn
// refers to it, so it must not refer to the Conn.
type checkout struct {
	c    *turns.Conn // nil in a Conn that is unbound or closed
	held turns.Pass  // the gate's, while a transaction needs it
	leak *leak       // nil without ReportLeaks
	gone runtime.Cleanup
}

// Connect checks out a connection. The caller must Close it.
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

// watch has the Conn reported if it isn't closed. It was checked out skip calls
// above the caller.
func (c *Conn) watch(skip int) {
	e, p, out := c.e, c.p, c.checkout
	if e.conf.onLeak != nil {
		out.leak = e.leaks.watch(e.conf.leakAfter, e.conf.onLeak, skip+1)
	}
	out.gone = runtime.AddCleanup(c, func(out *checkout) { e.collected(p, out) }, out)
}

// collected gives back what a Conn had that the garbage collector has found.
func (e *Engine) collected(p *turns.Pool, out *checkout) {
	e.leaks.collected(out.leak, e.conf.onLeak)
	if out.c == nil {
		e.turns.Gate.Leave(out.held)
		return
	}
	e.turns.Abandon(p, out.c, out.held)
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

// InTx runs fn in a transaction and commits it. If fn returns an error, panics
// or exits its goroutine, the transaction is rolled back; InTx returns fn's
// error as it is. With AutoBegin it is a savepoint in what the next Commit commits.
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

// Commit commits what the Conn did since it was opened or last committed or rolled
// back. It is for a Conn with [AutoBegin].
func (c *Conn) Commit(ctx context.Context) error {
	tx, err := c.autoTx("commit")
	if tx == nil || err != nil {
		return err
	}
	return tx.Commit(ctx)
}

// Rollback undoes what the Conn did since it was opened or last committed or rolled
// back. It is for a Conn with [AutoBegin].
func (c *Conn) Rollback(ctx context.Context) error {
	tx, err := c.autoTx("rollback")
	if tx == nil || err != nil {
		return err
	}
	return tx.Rollback(ctx)
}

// Invalidate has the connection closed, not used again, when the Conn is closed.
func (c *Conn) Invalidate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.c != nil {
		c.c.Spent = true
	}
}

// Close gives the connection back to the pool; an open transaction is rolled
// back. Closing again does nothing. It never fails because of a context, since
// it has none, and while another task's call runs on the Conn it returns ErrInUse
// and the connection goes back when that call has ended.
func (c *Conn) Close() error { return c.close(context.Background()) }

// close is Close as a part of an ending whose context is ctx.
func (c *Conn) close(ctx context.Context) error {
	c.mu.Lock()
	if c.state >= connClosing {
		c.mu.Unlock()
		return nil
	}
	c.state = connClosing
	if c.running != "" {
		err := c.inUse("close")
		c.mu.Unlock()
		return err
	}
	c.running, c.place = "close", place{}
	c.mu.Unlock()
	c.finish(ctx)
	return nil
}

// auto returns the transaction that a statement of the Conn's own belongs to:
// with AutoBegin its own one, which it begins, else tx.
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

// autoTx returns the transaction that Commit or Rollback of the Conn is about, nil
// if there is none.
func (c *Conn) autoTx(op string) (*Tx, error) {
	if !c.conf.begin {
		err := misuse(op, "statements of this Conn commit by themselves")
		err.Hint = "use Begin, or Connect with AutoBegin"
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state >= connClosing {
		return nil, fail(op, ErrClosed, "the Conn is closed")
	}
	return c.tx.root(), nil
}

func (c *Conn) exec(ctx context.Context, tx *Tx, query string, args []any) (Result, error) {
	var call call
	if err := c.e.prepare(ctx, &call, &c.conf, query, args); err != nil {
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
	if err := c.e.prepare(ctx, &r.call, &c.conf, query, args); err != nil {
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
	if r.err = c.e.prepare(ctx, &r.call, &c.conf, query, args); r.err == nil {
		r.err = c.do(ctx, tx, "query", &r.call)
	}
	return r
}

// do runs a statement, in tx or, if that is nil, outside of a transaction.
func (c *Conn) do(ctx context.Context, tx *Tx, op string, call *call) error {
	tx, err := c.auto(ctx, tx)
	if err != nil {
		return err
	}
	if c.e.events.execution {
		return c.e.observe(ctx, op, call, tx != nil, func() error { return c.doCall(ctx, tx, op, call) })
	}
	return c.doCall(ctx, tx, op, call)
}

func (c *Conn) doCall(ctx context.Context, tx *Tx, op string, call *call) error {
	if err := c.start(tx, op, call.Statement.Source); err != nil {
		return c.e.fail(ctx, op, call, err)
	}
	held := turns.NoPass
	killed := true
	defer func() {
		c.end(ctx, killed, held)
	}()
	held, err := c.enter(ctx, tx, op, call)
	if err == nil {
		err = c.run(ctx, tx, op, call)
	}
	killed = false
	if err != nil {
		return c.e.fail(ctx, op, call, err)
	}
	call.forget()
	return nil
}

// enter checks whether the statement may run, and waits for its turn if it is in
// no transaction. The Conn is running.
func (c *Conn) enter(ctx context.Context, tx *Tx, op string, call *call) (turns.Pass, error) {
	st := call.Statement
	if err := loop.ContextError(ctx); err != nil {
		return turns.NoPass, err
	}
	switch {
	case tx == nil && c.conf.tx.ReadOnly && st.Writes:
		return turns.NoPass, fail(op, ErrReadOnly, "the Conn was opened as read-only")
	case tx == nil && c.free:
		return turns.NoPass, nil
	case tx == nil:
		if err := turn(ctx, st.Text); err != nil {
			return turns.NoPass, err
		}
		return c.e.turns.Gate.Enter(ctx, st.Writes, true, st.Source)
	case tx.opts.ReadOnly && st.Writes:
		return turns.NoPass, fail(op, ErrReadOnly, "the transaction was begun as read-only")
	case st.EndsTx:
		return turns.NoPass, misuse(op, "%s would commit the transaction before it runs this; run it outside of a transaction", c.e.dialect.Name())
	}
	return turns.NoPass, nil
}

// run runs the statement, and before it what begins the transaction, if that has
// not begun. The Conn is running.
func (c *Conn) run(ctx context.Context, tx *Tx, op string, call *call) error {
	for attempt := 0; ; attempt++ {
		ran, first := false, tx != nil && !tx.begun()
		err := c.e.makeRoom(ctx)
		if err != nil {
			return err
		}
		if first {
			if ran, err = c.first(ctx, tx, call); err != nil && !ran {
				return err
			}
		}
		if !ran {
			err = c.c.Session.Do(call.discreet(ctx), &call.Call)
		}
		c.c.Mark(call.st.Traits)
		again, err := c.exchanged(ctx, tx, attempt, err)
		if again {
			continue
		}
		if err == nil {
			return nil
		}
		return c.after(ctx, tx, call.Statement.Writes, err, c.e.wrap(ctx, op, call, err))
	}
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
	case c.state >= connClosing:
		return fail(op, ErrClosed, "the Conn is closed")
	case c.c != nil && c.c.Bad, c.c == nil && c.state == connOpen:
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
	if c.state != connUnbound || op != "begin" { // or else no other code knows of the Conn yet
		c.place.note()
	}
	return nil
}

// inUse returns the error for a call while another one runs. The lock is held, or the Conn is
// running.
func (c *Conn) inUse(op string) error {
	err := fail(op, ErrInUse, "another task is using the connection: %s, called at %s; this call is at %s",
		telling.Short(c.running, 100), c.place, here())
	err.Hint = "give each task its own Conn or Tx, or let it use the Engine"
	return err
}

// end ends a call. If it was left, by a panic, runtime.Goexit or because the caller's greenlet is
// killed, while it isn't known what the session is doing, the Conn is lost.
func (c *Conn) end(ctx context.Context, killed bool, held turns.Pass) {
	if killed && !c.isQuiet() {
		c.lose(held)
		return
	}
	c.e.turns.Gate.Leave(held)
	c.mu.Lock()
	closing := c.state == connClosing
	if !closing {
		c.running = ""
	}
	c.mu.Unlock()
	if closing {
		c.finish(ctx)
	}
}

// isQuiet tells, after a call that was left, whether the session is as the Conn believes it to be.
// The Conn is running.
func (c *Conn) isQuiet() bool {
	if c.c == nil {
		return true
	}
	status := backend.Idle
	if c.tx != nil && c.tx.begun() {
		status = backend.InTx
	}
	return c.c.IsQuiet(status)
}

// finish rolls back what is open and gives the connection back. The Conn is
// running: no other call touches it.
func (c *Conn) finish(ctx context.Context) {
	killed := true
	defer func() {
		if killed {
			c.lose(turns.NoPass)
		}
	}()
	lost := false
	if c.tx != nil && c.c != nil {
		var done context.CancelFunc
		ctx, done = backend.Ending(ctx, c.e.cleanup)
		defer done()
		lost = c.c.Session.Rollback(ctx) != nil
	}
	killed = false
	physical, held := c.leave()
	defer c.e.turns.Gate.Leave(held)
	if physical != nil && !c.setsUp {
		physical.Bad = physical.Bad || lost
		c.p.Release(ctx, physical)
	}
}

// takeBack ends the life of a Conn of Events.Connect. It fails if that has left something going on
// there: then the connection can't be another caller's.
func (c *Conn) takeBack() error {
	c.mu.Lock()
	running, tx := c.running, c.tx
	if running != "" {
		c.state = connClosing
		err := misuse("connect", "Events.Connect has returned while its Conn is in use: %s, called at %s", telling.Short(running, 100), c.place)
		c.mu.Unlock()
		return err
	}
	c.mu.Unlock()
	c.leave()
	if tx != nil {
		return misuse("connect", "Events.Connect has left a transaction open")
	}
	return nil
}

// lose gives up a connection on which a call may still be running.
func (c *Conn) lose(held turns.Pass) {
	physical, mine := c.leave()
	leave := func() {
		c.e.turns.Gate.Leave(held)
		c.e.turns.Gate.Leave(mine)
	}
	switch {
	case physical == nil:
		leave()
	case c.setsUp:
		physical.Bad = true
		leave()
	default:
		c.p.Abandon(physical, leave)
	}
}

// leave ends the Conn's life and returns what it had.
func (c *Conn) leave() (*turns.Conn, turns.Pass) {
	c.gone.Stop()
	c.e.leaks.forget(c.leak)
	c.mu.Lock()
	defer c.mu.Unlock()
	physical, held := c.c, c.held
	c.tx.close(errConnClosed)
	c.c, c.tx, c.held, c.running, c.state = nil, nil, turns.NoPass, "", connClosed
	return physical, held
}

var errConnClosed = errors.New("its connection was closed")

// after looks what an error has left behind, and returns it as it was wrapped for
// the caller. In a transaction that is more than the error: the database may have
// rolled it back, or it isn't known whether the statement took effect.
func (c *Conn) after(ctx context.Context, tx *Tx, wrote bool, err, wrapped error) error {
	if c.c == nil { // it has none, see exchanged
		return wrapped
	}
	if tx == nil {
		c.e.examine(c.p, c.c, err)
		return wrapped
	}
	status := c.c.Session.Status()
	_, cancelled := ofContext(ctx, err)
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case status == Broken:
		c.c.Bad = true
		fallthrough
	case status == Idle:
		for t := tx; t != nil; t = t.parent {
			t.state, t.why = txLost, wrapped
		}
	case status == backend.FailedTx, cancelled && wrote:
		tx.state, tx.why = txFailed, wrapped
	}
	return wrapped
}
