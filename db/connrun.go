package db

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/telling"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/loop"
)

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

// do runs a statement in tx, or outside of a transaction if tx is nil.
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

// enter checks that the statement may run. Outside of a transaction it also waits for the turn to
// run. The Conn is running.
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
		return turns.NoPass, misuse(op, "%s would commit the transaction before it runs this statement; run it outside of a transaction", c.e.dialect.Name())
	}
	return turns.NoPass, nil
}

// run begins the transaction if it has not begun, and runs the statement. The Conn is running.
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
		return c.over(op)
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
	if c.state != connUnbound || op != "begin" { // otherwise no other code knows the Conn yet
		c.place.note()
	}
	return nil
}

// over returns the error of a call after the Conn's end. c.mu is held.
func (c *Conn) over(op string) error {
	if c.state != connGivenUp {
		return fail(op, ErrClosed, "the Conn is closed")
	}
	err := fail(op, ErrClosed, "the Conn is closed, because %w", errCallLeft)
	err.Hint = "take another one from Connect"
	return err
}

// inUse returns the error of a call that comes while another one runs. c.mu is held, or the Conn is
// running.
func (c *Conn) inUse(op string) error {
	err := fail(op, ErrInUse, "another task is using the connection: %s, called at %s; this call is at %s",
		telling.Short(c.running, 100), c.place, here())
	err.Hint = "give each task its own Conn or Tx, or let it use the Engine"
	return err
}

// end ends a call. killed reports that a panic, runtime.Goexit or the kill of a greenlet has left the
// call; then the Conn is lost unless the session is known to be quiet.
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

// isQuiet reports, after a call that was left, whether the session is in the state that the Conn
// expects. The Conn is running.
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

// after examines what an error has done to the connection and to tx, and returns wrapped, which is the
// error for the caller. The database may have rolled the transaction back, or it isn't known whether
// the statement took effect.
func (c *Conn) after(ctx context.Context, tx *Tx, wrote bool, err, wrapped error) error {
	if c.c == nil { // the Conn has no connection, see exchanged
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
	case status == backend.Broken:
		c.c.Bad = true
		fallthrough
	case status == backend.Idle:
		for t := tx; t != nil; t = t.parent {
			t.state, t.why = txLost, wrapped
		}
	case status == backend.FailedTx, cancelled && wrote:
		tx.state, tx.why = txFailed, wrapped
	}
	return wrapped
}
