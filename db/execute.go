package db

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/statements"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// once runs a single statement, which needs no particular connection.
func (e *Engine) once(ctx context.Context, op string, call *call) error {
	if e.events.execution {
		return e.observe(ctx, op, call, false, func() error { return e.onceCall(ctx, op, call) })
	}
	return e.onceCall(ctx, op, call)
}

func (e *Engine) onceCall(ctx context.Context, op string, call *call) error {
	err := loop.ContextError(ctx)
	if err == nil {
		err = refuseLost(op, call.st)
	}
	if err == nil && call.ReadOnly && call.Statement.Writes {
		err = fail(op, ErrReadOnly, "%s", e.whyReadOnly())
	}
	for attempt := 0; err == nil; attempt++ {
		if err = e.attempt(ctx, call); err == nil {
			call.forget()
			return nil
		}
		// ErrBadConn means that the statement never reached the database.
		if attempt < 2 && errors.Is(err, driver.ErrBadConn) {
			err = nil
		}
	}
	return e.fail(ctx, op, call, err)
}

// whyReadOnly says why one of the Engine's own statements may only read.
func (e *Engine) whyReadOnly() string {
	if e.conf.conn.tx.ReadOnly {
		return "the Engine was opened as read-only"
	}
	return "a Reader only reads"
}

// refuseLost refuses a statement that would have no effect because its connection is given up
// afterwards.
func refuseLost(op string, st *statements.Statement) error {
	if st.Lost == "" {
		return nil
	}
	err := misuse(op, "%s has no effect here: it acts on its connection only, which the Engine doesn't keep", st.Lost)
	err.Hint = "use a Conn, from Connect, or a transaction; or Events.Connect for all connections"
	return err
}

// attempt runs the statement. In a plain goroutine it does so inline if there is nothing to wait
// for. In a loop it does so if the statement is known to be short. Otherwise the statement becomes a
// job if the driver blocks.
func (e *Engine) attempt(ctx context.Context, call *call) error {
	st := call.st
	if err := turn(ctx, st.Text); err != nil {
		return err
	}
	if e.shared != nil && !st.Session {
		if err := e.turns.Pool.Closed(); err != nil {
			return err
		}
		if err := e.shared.Once(ctx, &call.Call); err != driver.ErrSkip {
			return err
		}
	}
	converted, err := false, error(nil)
	if e.converter != nil {
		if converted, err = e.converter.Convert(&call.Call); err != nil {
			return err
		}
	}
	if !converted || explores() || e.suspends() {
		p := e.turns.PoolFor(st.Writes)
		c, held, err := e.turns.CheckOut(ctx, p, st.Writes, st.Source)
		if err != nil {
			return err
		}
		return e.on(ctx, p, held, c, call)
	}
	if !repaint.InGreenlet() || e.isShort(st, nil) {
		if err := e.makeRoom(ctx); err != nil {
			return err
		}
		if p, held, c := e.turns.Idle(st.Writes, st.Source); c != nil {
			return e.on(ctx, p, held, c, call)
		}
	}
	return e.serve(ctx, call)
}

// offloads reports whether the caller's statement becomes a job, because the driver would block the
// caller's loop. In a loop that explores schedules it doesn't: nothing else goes on there meanwhile.
func (e *Engine) offloads() bool {
	return e.converter != nil && repaint.InGreenlet() && !explores() && !e.suspends()
}

// isShort reports whether a statement, and the begin of a transaction before it, are known to be
// short, so that they run inline in a loop.
func (e *Engine) isShort(st *statements.Statement, begins *TxOptions) bool {
	return e.hasty != nil && e.hasty.Short(&st.Statement, begins)
}

// fewCalls is the number of inline calls, each of 50 µs at most, after which a loop lets its other
// tasks run. It is a prime number, so that calls of other loops, which are counted, too, don't always
// hit the same caller.
const fewCalls = 31

// makeRoom lets the loop's other tasks run after a few inline calls. Other calls let them run each
// time, and a task may rely on that: it may poll the database until another task has done something.
func (e *Engine) makeRoom(ctx context.Context) error {
	if e.hasty == nil || !repaint.MayHold() {
		return nil
	}
	if n := e.hasty.Calls().Inline; n == 0 || n%fewCalls != 0 {
		return nil
	}
	return repaint.Sleep(ctx, 0)
}

// suspends reports whether a call of the driver suspends only the caller.
func (e *Engine) suspends() bool { return e.suspender != nil && e.suspender.Suspends() }

// turn waits, in a loop that explores schedules, until the schedule comes to a statement. It is
// called before the statement waits for a connection or a pass: a caller that had one would hold
// others up.
func turn(ctx context.Context, text string) error {
	if e := explore.At(repaint.CurrentLoop); e != nil {
		return e.Turn(ctx, text)
	}
	return nil
}

// explores reports whether the caller is in a loop that explores schedules.
func explores() bool { return explore.At(repaint.CurrentLoop) != nil }

// on runs the statement on the connection c of p, and gives back both the connection and the pass. If
// the caller is killed meanwhile, they go back when the database is done with the statement.
func (e *Engine) on(ctx context.Context, p *turns.Pool, held turns.Pass, c *turns.Conn, call *call) error {
	killed := true
	defer func() { e.turns.GiveBack(ctx, p, held, c, killed && !c.IsQuiet(backend.Idle)) }()
	err := e.do(ctx, p, c, call)
	killed = false
	return err
}

// do runs the statement on a connection outside of any transaction.
func (e *Engine) do(ctx context.Context, p *turns.Pool, c *turns.Conn, call *call) error {
	err := c.Session.Do(call.discreet(ctx), &call.Call)
	c.Mark(call.st.Traits)
	if err != nil {
		e.examine(p, c, err)
	}
	return err
}

// examine marks a connection that can't be used after an error.
func (e *Engine) examine(p *turns.Pool, c *turns.Conn, err error) {
	switch c.Session.Status() {
	case Broken:
		c.Bad = true
		if e.dialect.Fault(err).Condition == ErrDisconnected {
			p.Invalidate()
		}
	case backend.InTx, FailedTx:
		// A transaction is open without a Tx: a statement has begun it, though its text doesn't show
		// that.
		c.Bad = true
	}
}
