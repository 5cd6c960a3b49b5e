package db

import (
	"context"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/loop"
)

// On a blocking driver, a statement of the Engine's own that has to wait becomes a job, see
// [turns.Job]. In a loop every such statement is a job, unless it is known to be short.
//
// A transaction in a loop begins and ends with jobs. The first job begins it and runs its first
// statement; then the connection is the transaction's. The last job ends it, and its goroutine goes
// on with the next waiter. In between the loop decides when a statement runs.

// statementJob is a statement of the Engine's own.
type statementJob struct {
	turns.Job
	e    *Engine
	call *call
}

// serve runs a statement as a job.
func (e *Engine) serve(ctx context.Context, call *call) error {
	e.countJob()
	j := &statementJob{Job: e.job(e.turns.PoolFor(call.Statement.Writes), call.Statement.Writes, call.Statement.Source), e: e, call: call}
	return j.Serve(ctx, j)
}

// countJob counts a job if the caller is in a loop.
func (e *Engine) countJob() {
	if repaint.CurrentLoop() != nil {
		e.jobs.Add(1)
	}
}

func (e *Engine) job(p *turns.Pool, writes bool, what string) turns.Job {
	return turns.Job{Turns: &e.turns, Pool: p, Writes: writes, What: what}
}

// Do implements [turns.Work].
func (j *statementJob) Do(ctx context.Context, c *turns.Conn) error {
	if err := loop.ContextError(ctx); err != nil {
		return err
	}
	return j.e.do(ctx, j.Pool, c, j.call)
}

// firstJob begins a transaction and runs its first statement.
type firstJob struct {
	turns.Job
	conn *Conn
	tx   *Tx
	call *call
	ran  bool
}

// serveFirst begins a transaction and runs its first statement, as a job. ran reports whether the
// statement was sent; then the connection is the Conn's.
func (e *Engine) serveFirst(ctx context.Context, c *Conn, tx *Tx, call *call) (ran bool, err error) {
	e.countJob()
	j := &firstJob{Job: e.job(c.p, !tx.opts.ReadOnly, aTransaction), conn: c, tx: tx, call: call}
	err = j.Serve(ctx, j)
	if j.ran {
		tx.root().started = true
	}
	return j.ran, err
}

// Do implements [turns.Work]. It begins the transaction even if the context has ended: the connection
// is the transaction's, and another statement may follow.
func (j *firstJob) Do(ctx context.Context, c *turns.Conn) error {
	if err := c.Session.Begin(context.WithoutCancel(ctx), j.tx.root().opts); err != nil {
		return err
	}
	return c.Session.Do(ctx, &j.call.Call)
}

// Keep implements [turns.Keeper].
func (j *firstJob) Keep(c *turns.Conn, held turns.Pass) {
	j.conn.take(c, held)
	j.ran = true
}

// endJob ends a transaction.
type endJob struct {
	turns.Job
	tx  *Tx
	how ending
}

// serveEnd ends a transaction as a job, which also gives back the connection.
func (e *Engine) serveEnd(ctx context.Context, c *Conn, tx *Tx, how ending) error {
	e.countJob()
	j := &endJob{Job: e.job(c.p, !tx.opts.ReadOnly, aTransaction), tx: tx, how: how}
	c.mu.Lock()
	physical, held := c.c, c.held
	c.c, c.held = nil, turns.NoPass
	c.mu.Unlock()
	return j.ServeOn(ctx, j, physical, held)
}

// Do implements [turns.Work].
func (j *endJob) Do(ctx context.Context, c *turns.Conn) error {
	err := j.how.do(ctx, c.Session, j.tx)
	if ctx.Err() != nil || err != nil && c.Session.Status() != backend.Idle {
		c.Bad = true // closing the connection ends it
	}
	return err
}
