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

// once runs a statement on a connection of its own.
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

// refuseLost refuses what would do nothing on a connection that is given up after it.
func refuseLost(op string, st *statements.Statement) error {
	if st.Lost == "" {
		return nil
	}
	err := misuse(op, "%s does nothing here: what it leaves ends with its connection, which the Engine doesn't keep", st.Lost)
	err.Hint = "use a Conn, from Connect, or a transaction; or Events.Connect for all connections"
	return err
}

// attempt runs the statement: in a plain goroutine on the spot, if there is nothing to wait for,
// and in a loop, too, if it is known to be short. Otherwise, on a driver that blocks, it becomes a
// job.
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

// offloads reports whether what the caller asks for becomes a job, because the driver would block
// its loop. In a loop that explores schedules it doesn't: there nothing goes on meanwhile.
func (e *Engine) offloads() bool {
	return e.converter != nil && repaint.InGreenlet() && !explores() && !e.suspends()
}

// isShort reports whether a statement, and the begin of a transaction before it, are known to be
// short, so that they are made on the spot in a loop.
func (e *Engine) isShort(st *statements.Statement, begins *TxOptions) bool {
	return e.hasty != nil && e.hasty.Short(&st.Statement, begins)
}

// fewCalls is after how many calls on the spot, each of 50 µs at most, a loop lets others run. It
// is a prime number, so that callers of other loops, which are counted, too, don't take the same
// one's turn each time.
const fewCalls = 31

// makeRoom lets the loop's other tasks run after a few calls on the spot. Calls that suspend their
// task would do so each time, and a task may rely on it: one that asks the database again and again
// until another one has done something.
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

// turn waits, in a loop that explores schedules, until the schedule comes to a statement. It comes
// before what the statement needs is waited for: a caller that has that holds others up.
func turn(ctx context.Context, text string) error {
	if e := explore.At(repaint.CurrentLoop); e != nil {
		return e.Turn(ctx, text)
	}
	return nil
}

// explores reports whether the caller is in a loop that explores schedules.
func explores() bool { return explore.At(repaint.CurrentLoop) != nil }

// on runs the statement on the connection c of p, and gives that and the pass back. If the
// caller is killed while it runs, that happens when the database is done with it.
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

// examine marks a connection that is of no use after an error.
func (e *Engine) examine(p *turns.Pool, c *turns.Conn, err error) {
	switch c.Session.Status() {
	case Broken:
		c.Bad = true
		if e.dialect.Fault(err).Condition == ErrDisconnected {
			p.Invalidate()
		}
	case backend.InTx, FailedTx:
		// Outside of a Tx there should be none: a statement has begun one that its text doesn't
		// show.
		c.Bad = true
	}
}
