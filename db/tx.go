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

// Tx is a transaction, or a savepoint in one. The caller must end it with Commit or Rollback; the
// function form, InTx, does that by itself. After that, calls fail with [ErrTxDone]. If the
// transaction can only be rolled back, they fail with [ErrTxFailed].
//
// As with a Conn, one task or goroutine at a time can use a Tx: a call while another one runs fails
// with [ErrInUse]. Other errors are an [*Error]; see [Querier].
type Tx struct {
	conn      *Conn
	parent    *Tx // nil for the transaction itself
	opts      TxOptions
	savepoint string // its name; "" for the transaction itself
	owns      bool   // the Conn was made for it
	started   bool   // the session has begun it; used only in the transaction itself

	// guarded by conn.mu
	state txState
	why   error // what made it failed or lost
}

// txState is what a Tx can still do:
//
//	txOpen    everything
//	txFailed  only Rollback: a write was cancelled, or the database refuses everything else
//	txLost    only Rollback, which does nothing: the database has rolled it back already
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

// QueryRow runs a statement in the transaction and returns its first row.
func (tx *Tx) QueryRow(ctx context.Context, query string, args ...any) *Row {
	return tx.conn.queryRow(ctx, tx, query, args)
}

func (tx *Tx) queryMax(ctx context.Context, max int, query string, args []any) (*Rows, error) {
	return tx.conn.query(ctx, tx, max, query, args)
}

// InTx runs fn in a savepoint and releases it. If fn returns an error, panics
// or exits its goroutine, InTx rolls back to the savepoint, and the transaction can go
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

// Commit commits the transaction, or releases the savepoint. Either way the Tx has ended. If Commit
// fails, nothing was committed, except with [ErrUnknownOutcome]: then the connection was lost, or the
// answer came too late, and it isn't known.
//
// If ctx has ended before, Commit rolls back and returns the context's error. Once the commit is on
// its way it isn't cancelled: Commit waits for the answer until ctx has ended and [TeardownTimeout]
// has passed.
func (tx *Tx) Commit(ctx context.Context) error { return tx.commit(ctx, false) }

// commit is Commit. nested also commits the transactions that are nested in tx; otherwise an open one
// is an error.
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

// Rollback undoes what the transaction did, nested transactions included. The end of ctx doesn't
// cancel it, but it waits no longer than [TeardownTimeout]: then it closes the connection, which rolls
// back, too. After Commit or Rollback it does nothing and returns [ErrTxDone], so it can be deferred.
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

// run calls fn, and commits or rolls back by what it returns.
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

// wasEnded reports whether Commit failed because the transaction had ended before. fn may end it
// itself.
func wasEnded(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Err == errTxEnded
}

var errTxEnded = errors.New("Commit or Rollback has been called already")

// abort rolls back in any case. If a task that fn started is still using the transaction, the
// connection is closed when that call ends, which rolls back, too.
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
		if !told { // an event's function has panicked, so the caller gets no Tx to end
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

// beginRunning makes the Tx, and sets the savepoint of a nested one. A transaction itself begins with
// its first statement: until then it keeps no other caller waiting.
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

// begun reports whether the session has begun the transaction.
func (tx *Tx) begun() bool { return tx.root().started }

// first begins the transaction for its first statement. If one job can get the connection, begin the
// transaction and run the statement, it does all of that, and ran is true.
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

// bind gets what the transaction needs, a connection and the gate's pass, and begins it on the
// session. The Conn is running.
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
		// The transaction keeps the connection, and so the pass, until its end.
		return c.after(ctx, tx, false, err, c.e.wrap(ctx, "begin", nil, err))
	}
	tx.started = true
	return nil
}

// aTransaction is the name of a transaction in the errors of callers that wait for the turn to write.
const aTransaction = "a transaction"

// take makes a connection and a pass the Conn's.
func (c *Conn) take(physical *turns.Conn, held turns.Pass) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.c, c.held, c.fresh = physical, held, true
	if c.state == connUnbound { // otherwise it is closing
		c.state = connOpen
	}
	if c.e.samples(physical) {
		noteTaken(physical, c.place)
	}
}

// unpass gives the gate's pass back.
func (c *Conn) unpass() {
	held := c.held
	c.held = turns.NoPass
	c.e.turns.Gate.Leave(held)
}

// nextSavepoint returns the name for a savepoint in tx. The depth makes it unique enough, and a name
// that comes again means a statement that is prepared already.
func (tx *Tx) nextSavepoint() string {
	depth := 1
	for t := tx; t.parent != nil; t = t.parent {
		depth++
	}
	return "repaint_" + strconv.Itoa(depth)
}

// startEnd takes the Conn for the end of tx. why is the reason if tx, or a transaction nested in it,
// can only be rolled back. If nested is false, a nested transaction that is open is an error.
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
// called inline.
func (c *Conn) endsSoon(how ending) bool {
	s, ok := c.c.Session.(backend.HastyEnder)
	return ok && s.EndsSoon(how == endCommit)
}

// noLonger marks the connection for closing because an ending took too long there, even one that
// succeeded at the last moment.
func (c *Conn) noLonger() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.c != nil {
		c.c.Bad = true
	}
}

// ended notes that tx and the transactions nested in it have ended, and gives back what they held.
// The Conn is running.
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
	if tx.parent == nil && c.state != connClosing { // otherwise the pass goes after the connection
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

// afterEnd examines what a failed end has done to the connection and to the transactions around tx.
func (c *Conn) afterEnd(ctx context.Context, tx *Tx, err error) {
	status := c.c.Session.Status()
	if ctx.Err() != nil {
		status = backend.Broken // the database has not answered in time
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case status == backend.Broken:
		c.c.Bad = true
		for t := tx.parent; t != nil; t = t.parent {
			t.state, t.why = txLost, err
		}
	case tx.parent == nil && status != backend.Idle:
		c.c.Bad = true // closing the connection ends the transaction
	case status == backend.Idle:
		for t := tx.parent; t != nil; t = t.parent {
			t.state, t.why = txLost, err
		}
	case tx.parent != nil:
		// The savepoint may still be there. Only the transaction around it can end it.
		tx.parent.state, tx.parent.why = txFailed, err
	}
}

// over returns the error of a call that the transaction can no longer run. c.mu is held, or the Conn
// is running.
func (tx *Tx) over(op string) error {
	switch tx.state {
	case txFailed:
		return fail(op, ErrTxFailed, "the transaction can only be rolled back, because of an earlier error: %w", tx.why)
	case txLost:
		return fail(op, ErrTxFailed, "the database has rolled the transaction back, because of an earlier error: %w", tx.why)
	}
	err := &Error{Op: op, Fault: Fault{Condition: ErrTxDone}, Err: errTxEnded}
	if tx.why == errConnClosed || tx.why == errCallLeft {
		err.Err = tx.why
	}
	return err
}

// close marks tx and the transactions around it as ended, because their Conn is closed. c.mu is held.
func (tx *Tx) close(why error) {
	for t := tx; t != nil; t = t.parent {
		t.state, t.why = txDone, why
	}
}
