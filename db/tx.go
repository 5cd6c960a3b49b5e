package db

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/loop"
)

// Tx is a transaction, or a savepoint in one. It must be ended with Commit or
// Rollback; the function form, InTx, does that by itself. As with a Conn, one
// task at a time can use it.
type Tx struct {
	conn      *Conn
	parent    *Tx // nil for the transaction itself
	opts      TxOptions
	savepoint string // its name; "" for the transaction itself
	owns      bool   // the Conn was made for it
	started   bool   // the session has been told to begin it; a nested one always is

	// guarded by conn.mu
	state txState
	why   error // what made it failed or lost
}

// txState is what a Tx can still do:
//
//	txOpen    everything
//	txFailed  only Rollback: a statement was cancelled, or the database says so
//	txLost    only Rollback, which does nothing: the database has rolled it back
//	txDone    nothing
type txState uint8

const (
	txOpen txState = iota
	txFailed
	txLost
	txDone
)

// Exec runs a statement, or a script without parameters, in the transaction.
func (tx *Tx) Exec(ctx context.Context, query string, args ...any) (Result, error) {
	return tx.conn.exec(ctx, tx, query, args)
}

// Query runs a statement in the transaction and returns all its rows.
func (tx *Tx) Query(ctx context.Context, query string, args ...any) (*Rows, error) {
	return tx.conn.query(ctx, tx, 0, query, args)
}

// QueryRow runs a statement in the transaction for its first row.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) *Row {
	return tx.conn.queryRow(ctx, tx, query, args)
}

func (tx *Tx) queryMax(ctx context.Context, max int, query string, args []any) (*Rows, error) {
	return tx.conn.query(ctx, tx, max, query, args)
}

// InTx runs fn in a savepoint and releases it. If fn returns an error, panics
// or exits its goroutine, what it did is rolled back, and the transaction can go
// on; InTx returns fn's error as it is.
func (tx *Tx) InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error {
	nested, err := tx.BeginTx(ctx, opts...)
	if err != nil {
		return err
	}
	return nested.run(ctx, fn)
}

// BeginTx sets a savepoint, which the caller must end with Commit or Rollback
// before it uses tx again.
func (tx *Tx) BeginTx(ctx context.Context, opts ...TxOption) (*Tx, error) {
	return tx.conn.begin(ctx, tx, tx.conn.conf.txOptions(opts))
}

// Commit makes what the transaction did last, or part of the transaction around
// it. If it fails nothing of it is done, and the transaction has ended all the
// same. If ctx has ended already, Commit rolls back and returns that; once the
// commit is on its way it is no longer cancelled, but waited for until ctx has ended
// and [TeardownTimeout] has passed. After that, as after a lost connection, it isn't known
// whether it was done: that is [ErrUnknownOutcome].
func (tx *Tx) Commit(ctx context.Context) error { return tx.commit(ctx, false) }

// commit is Commit; nested has it take what is nested in the transaction along.
func (tx *Tx) commit(ctx context.Context, nested bool) error {
	c := tx.conn
	why, err := c.startEnd(tx, "commit", nested)
	if err != nil {
		return err
	}
	how := endCommit
	if err := loop.ContextError(ctx); err != nil {
		why = err
	}
	if why != nil {
		how = endRollback
	}
	if err := c.endTx(ctx, tx, how); why == nil {
		why = err
	}
	if why != nil {
		why = c.e.wrap(ctx, "commit", nil, why)
		if own, ok := why.(*Error); ok && how == endCommit {
			known := *own
			known.concealCommit(c.conf.telling)
			why = &known
		}
		why = c.e.events.fail(ctx, why)
	}
	c.e.events.end(ctx, tx, how == endCommit, why)
	return why
}

// Rollback undoes what the transaction did, nested ones included. It is not
// cancelled by ctx, but waited for no longer than [TeardownTimeout]: then the connection
// is closed, which rolls back, too. After Commit or Rollback it returns ErrTxDone and does
// nothing, so it can be deferred.
func (tx *Tx) Rollback(ctx context.Context) error {
	c := tx.conn
	if _, err := c.startEnd(tx, "rollback", true); err != nil {
		return err
	}
	err := c.endTx(ctx, tx, endRollback)
	if err != nil {
		err = c.e.fail(ctx, "rollback", nil, err)
	}
	c.e.events.end(ctx, tx, false, err)
	return err
}

// run runs fn and ends the transaction as it says.
func (tx *Tx) run(ctx context.Context, fn func(ctx context.Context, tx *Tx) error) error {
	returned := false
	defer func() {
		if !returned { // fn panicked, exited, or its greenlet was killed
			tx.abort(ctx)
		}
	}()
	err := fn(ctx, tx)
	returned = true
	if err != nil {
		tx.abort(ctx)
		return err
	}
	if err := tx.Commit(ctx); err != nil && !wasEnded(err) {
		tx.abort(ctx)
		return err
	}
	return nil
}

// wasEnded tells whether Commit failed because the transaction had been ended
// before: by fn itself, which is its right.
func wasEnded(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Err == errTxEnded
}

var errTxEnded = errors.New("Commit or Rollback was called before")

// abort rolls back whatever happens. If a task that fn started is still using
// the transaction, its connection is closed when that call ends, which rolls
// back too.
func (tx *Tx) abort(ctx context.Context) {
	err := tx.Rollback(ctx)
	if !errors.Is(err, ErrInUse) {
		return // done, or the connection is gone and the transaction with it
	}
	c := tx.conn
	c.mu.Lock()
	if c.c != nil {
		c.c.Bad = true
	}
	for t := c.tx; t != nil; t = t.parent {
		t.state, t.why = txFailed, err
	}
	c.mu.Unlock()
	_ = c.Close()
}

// begin begins a transaction, or a savepoint in parent.
func (c *Conn) begin(ctx context.Context, parent *Tx, o TxOptions) (*Tx, error) {
	tx, err := c.beginUntold(ctx, parent, o)
	if err != nil {
		return nil, err
	}
	told := false
	defer func() {
		if !told { // an event's function has panicked, so the caller has no transaction to end
			tx.abort(ctx)
		}
	}()
	c.e.events.begin(ctx, tx)
	told = true
	return tx, nil
}

func (c *Conn) beginUntold(ctx context.Context, parent *Tx, o TxOptions) (tx *Tx, err error) {
	if err := checkIsolation("begin", o); err != nil {
		return nil, c.e.fail(ctx, "begin", nil, err)
	}
	if err := c.start(parent, "begin", ""); err != nil {
		return nil, c.e.events.fail(ctx, err)
	}
	killed := true
	defer func() {
		c.end(ctx, killed, turns.NoPass)
	}()
	if err = loop.ContextError(ctx); err == nil {
		tx, err = c.beginRunning(ctx, parent, o)
	}
	killed = false
	if err != nil {
		return nil, c.e.fail(ctx, "begin", nil, err)
	}
	return tx, nil
}

// beginRunning makes the Tx. A transaction itself only begins with its first
// statement: until then it keeps no other caller waiting.
func (c *Conn) beginRunning(ctx context.Context, parent *Tx, o TxOptions) (*Tx, error) {
	tx := &Tx{conn: c, parent: parent, opts: o}
	if parent != nil {
		tx.opts.ReadOnly = o.ReadOnly || parent.opts.ReadOnly
		tx.savepoint = parent.nextSavepoint()
		used, err := c.use(ctx, parent, func() error { return c.c.Session.Savepoint(ctx, tx.savepoint) })
		switch {
		case err != nil && used:
			return nil, c.after(ctx, parent, false, err, c.e.wrap(ctx, "begin", nil, err))
		case err != nil:
			return nil, err
		}
	}
	c.mu.Lock()
	c.tx = tx
	c.mu.Unlock()
	return tx, nil
}

// root returns the transaction that tx is, or is nested in; nil for nil.
func (tx *Tx) root() *Tx {
	for tx != nil && tx.parent != nil {
		tx = tx.parent
	}
	return tx
}

// begun tells whether the session knows of the transaction.
func (tx *Tx) begun() bool { return tx.root().started }

// first begins the transaction with its first statement. If it has to get a
// connection for that, and can have it all done in one go, it runs the statement too.
func (c *Conn) first(ctx context.Context, tx *Tx, call *call) (ran bool, err error) {
	e := c.e
	if c.c == nil && c.held == turns.NoPass && e.offloads() && !e.isShort(call.st, &tx.root().opts) {
		if converted, err := e.converter.Convert(&call.Call); err != nil {
			return false, err
		} else if converted {
			return e.serveFirst(ctx, c, tx, call)
		}
	}
	if err := turn(ctx, "begin"); err != nil {
		return false, err
	}
	return false, c.bind(ctx, tx.root())
}

// bind gets what the transaction needs, a connection and the gate's pass, and has
// the session begin it. The Conn is running.
func (c *Conn) bind(ctx context.Context, tx *Tx) (err error) {
	switch {
	case c.c == nil:
		physical, held, err := c.e.turns.CheckOut(ctx, c.p, !tx.opts.ReadOnly, aTransaction)
		if err != nil {
			return err
		}
		c.take(physical, held)
	case c.held == turns.NoPass && !c.free:
		if c.held, err = c.e.turns.Gate.Enter(ctx, !tx.opts.ReadOnly, true, aTransaction); err != nil {
			return err
		}
	}
	if err := c.c.Session.Begin(ctx, tx.opts); err != nil {
		// What it has it keeps until it is ended, the connection and so the pass.
		return c.after(ctx, tx, false, err, c.e.wrap(ctx, "begin", nil, err))
	}
	tx.started = true
	return nil
}

// aTransaction is what a transaction is called where the one that writes is named.
const aTransaction = "a transaction"

// take makes a connection the Conn's.
func (c *Conn) take(physical *turns.Conn, held turns.Pass) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.c, c.held, c.fresh = physical, held, true
	if c.state == connUnbound { // or else it is closing
		c.state = connOpen
	}
	if c.e.samples(physical) {
		noteTaken(physical, c.place)
	}
}

func (c *Conn) unpass() {
	held := c.held
	c.held = turns.NoPass
	c.e.turns.Gate.Leave(held)
}

// nextSavepoint returns the name for a savepoint in tx. Depth is enough to make
// it unique, and repeated names mean repeated statements, which are prepared.
func (tx *Tx) nextSavepoint() string {
	depth := 1
	for t := tx; t.parent != nil; t = t.parent {
		depth++
	}
	return "repaint_" + strconv.Itoa(depth)
}

// startEnd takes the Conn to end tx. It returns why tx can only be rolled back,
// if so. nested has it end those nested in it too, of which each may be why.
func (c *Conn) startEnd(tx *Tx, op string, nested bool) (why, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case tx.state == txDone:
		return nil, tx.over(op)
	case c.running != "":
		return nil, c.inUse(op)
	case c.tx != tx && !nested && tx.state == txOpen:
		return nil, misuse(op, "a nested transaction is open; end it first")
	}
	c.running, c.place = op, place{}
	for t := c.tx; t != nil && t != tx.parent && why == nil; t = t.parent {
		if t.state != txOpen {
			why = t.over(op)
		}
	}
	return why, nil
}

// ending is how a transaction ends.
type ending uint8

const (
	endCommit ending = iota
	endRollback
)

// endTx ends tx and what is nested in it, and gives back what it held.
func (c *Conn) endTx(ctx context.Context, tx *Tx, how ending) error {
	killed := true
	defer func() {
		if killed {
			c.lose(turns.NoPass)
		}
	}()
	c.mu.Lock()
	nothing := tx.state == txLost || !tx.begun() || c.c == nil
	c.mu.Unlock()
	var err error
	if !nothing {
		inner, done := how.context(ctx, c.e.cleanup)
		defer done()
		if tx.parent == nil && tx.owns && c.e.offloads() && !c.endsSoon(how) {
			err = c.e.serveEnd(inner, c, tx, how)
		} else if err = how.do(inner, c.c.Session, tx); err != nil {
			c.afterEnd(inner, tx, err)
		}
		if inner.Err() != nil {
			c.noLonger()
		}
		err = late(ctx, inner, err)
		ctx = inner
	}
	killed = false
	c.ended(ctx, tx)
	return err
}

// endsSoon reports whether the end of the Conn's transaction is known to be short, so that it is
// made on the spot.
func (c *Conn) endsSoon(how ending) bool {
	s, ok := c.c.Session.(backend.HastyEnder)
	return ok && s.EndsSoon(how == endCommit)
}

// noLonger has the connection closed: what ended something there has taken too long. That counts
// also if it has succeeded at the last moment.
func (c *Conn) noLonger() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.c != nil {
		c.c.Bad = true
	}
}

// ended notes that tx, and what is nested in it, has ended, and gives back what it
// held. The Conn is running.
func (c *Conn) ended(ctx context.Context, tx *Tx) {
	c.mu.Lock()
	for t := c.tx; t != tx.parent; t = t.parent {
		t.state = txDone
	}
	c.tx = tx.parent
	if tx.owns {
		c.state = connClosing
	}
	held := turns.NoPass
	if tx.parent == nil && c.state != connClosing { // or else it goes after the connection
		held, c.held = c.held, turns.NoPass
	}
	c.mu.Unlock()
	c.end(ctx, false, held)
}

// context returns the context with which a transaction is ended.
func (how ending) context(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if how == endCommit {
		return backend.Committing(ctx, limit)
	}
	return backend.Ending(ctx, limit)
}

// do ends a transaction, or savepoint, on its session.
func (how ending) do(ctx context.Context, s backend.Session, tx *Tx) error {
	switch {
	case tx.parent == nil && how == endCommit:
		return s.Commit(ctx)
	case tx.parent == nil:
		return s.Rollback(ctx)
	case how == endCommit:
		return s.Release(ctx, tx.savepoint)
	}
	return s.RollbackTo(ctx, tx.savepoint)
}

// afterEnd looks what a failed end has left behind.
func (c *Conn) afterEnd(ctx context.Context, tx *Tx, err error) {
	status := c.c.Session.Status()
	if ctx.Err() != nil {
		status = backend.Broken // the database has not answered in time, and isn't waited for any longer
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case status == Broken:
		c.c.Bad = true
		for t := tx.parent; t != nil; t = t.parent {
			t.state, t.why = txLost, err
		}
	case tx.parent == nil && status != Idle:
		c.c.Bad = true // it wouldn't end: closing the connection ends it
	case status == Idle:
		for t := tx.parent; t != nil; t = t.parent {
			t.state, t.why = txLost, err
		}
	case tx.parent != nil:
		// The savepoint may still be there. Only the transaction around it
		// can make an end of it.
		tx.parent.state, tx.parent.why = txFailed, err
	}
}

// over returns the error for a call on a transaction that can't do it any more.
// The lock is held, or the Conn is running.
func (tx *Tx) over(op string) error {
	switch tx.state {
	case txFailed:
		return fail(op, ErrTxFailed, "the transaction can only be rolled back, after: %w", tx.why)
	case txLost:
		return fail(op, ErrTxFailed, "the database has rolled the transaction back, after: %w", tx.why)
	}
	err := &Error{Op: op, Fault: Fault{Condition: ErrTxDone}, Err: errTxEnded}
	if tx.why == errConnClosed {
		err.Err = errConnClosed
	}
	return err
}

// close marks tx and those around it as ended, whose Conn is going. The Conn's
// lock is held.
func (tx *Tx) close(why error) {
	for t := tx; t != nil; t = t.parent {
		t.state, t.why = txDone, why
	}
}
