package db

import (
	"context"
	"runtime"
	"runtime/pprof"
	"sync/atomic"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/loop"
)

// On a blocking driver, a statement of the Engine's own that has to wait isn't
// woken to run when its turn comes. It becomes a job: a goroutine that has a
// connection runs it, and then at once the next that waits for this connection or
// for its turn to write, while their callers stay suspended. So the way back to
// the callers, through their loops or the scheduler, isn't part of the time in
// which a connection, or the one writer, is busy; and a loop is told of many
// results in one go. In a loop every such statement is a job.
//
// A transaction in a loop begins and ends with jobs: the first one is its begin and
// its first statement, after which the connection is the transaction's; the last one
// is its end, and goes on with the next who waits. In between the loop decides.

// job is a statement, or the end of a transaction, that a goroutine of the Engine
// runs for a suspended caller.
type job struct {
	e    *Engine
	ctx  context.Context
	call *call // nil for the end of a transaction
	pool *pool
	at   *queue // where it waits, if it does
	held pass
	err  error // the call's result, when the promise is resolved
	waiter

	// Of a transaction:
	tx    *Tx // nil if it is none
	how   ending
	got   *physical   // the connection that its first job leaves to it
	taken atomic.Bool // by whoever is first: the job, to leave it; a killed caller, to refuse it
}

// serve has a call run as a job, and waits for its end: also when ctx ends, for
// until then the call may be in use.
func (e *Engine) serve(ctx context.Context, call *call) error {
	j := &job{e: e, ctx: ctx, call: call, pool: e.poolFor(call.st)}
	j.begin()
	if err := j.wait(); err != nil {
		return err
	}
	return j.err
}

// serveFirst has the begin of a transaction and its first statement run as a job.
// ran tells whether it came to that; then the connection is the Conn's.
func (e *Engine) serveFirst(ctx context.Context, c *Conn, tx *Tx, call *call) (ran bool, err error) {
	j := &job{e: e, ctx: ctx, call: call, pool: c.p, tx: tx}
	returned := false
	defer func() {
		if !returned && !j.taken.CompareAndSwap(false, true) && j.got != nil {
			j.got.bad = true // so that the caller loses it
			c.take(j.got, j.held)
		}
	}()
	j.begin()
	err = j.wait()
	returned = true
	if err != nil || j.got == nil {
		if err == nil {
			err = j.err
		}
		return false, err
	}
	c.take(j.got, j.held)
	tx.root().started = true
	return true, j.err
}

// serveEnd has the end of a transaction run as a job, which also gives back the
// connection.
func (e *Engine) serveEnd(ctx context.Context, c *Conn, tx *Tx, how ending) error {
	c.mu.Lock()
	physical := c.c
	j := &job{e: e, ctx: ctx, pool: c.p, held: c.held, tx: tx, how: how}
	c.c, c.held = nil, noPass
	c.mu.Unlock()
	j.ask()
	j.starts()
	go j.serve(physical)
	if err := j.wait(); err != nil {
		return err
	}
	return j.err
}

// begin has the job begin when it may: with the pass to write, or with a connection, or the
// place for one.
func (j *job) begin() {
	j.ask()
	if j.isWrite() {
		j.enterGate()
		return
	}
	j.enterPool()
}

// ask makes the job a request of the caller's loop, if there is one.
func (j *job) ask() {
	j.waiter.job = j
	j.promise.Bind(nil, j)
	j.promise.AskedBy(repaint.CurrentLoop())
}

// starts notes that a goroutine runs the job, or is about to. Whoever starts it calls starts before anything else that
// the job's loop can notice.
func (j *job) starts() {
	j.state = granted
	j.promise.UnderWay(true)
}

// wait waits for the job's end. Its error is that of the waiting.
func (j *job) wait() error {
	done := false
	defer func() {
		if !done { // or the greenlet was killed
			j.CancelFuture(context.Canceled)
		}
	}()
	future := j.promise.Future()
	_, err := repaint.Await(j.ctx, future)
	if err != nil {
		// It may be the context's, whose end the job knows of by now. What the job
		// says counts, even if it was done before: it may have left something.
		_, err = repaint.Await(context.WithoutCancel(j.ctx), future)
	}
	if !future.Done() {
		return err // it can't be waited for here, in a callback of a loop
	}
	done = true
	if err == loop.ErrGoexit {
		runtime.Goexit()
	}
	return err
}

// CancelFuture drops the job while it waits. When it runs, the driver ends it.
func (j *job) CancelFuture(cause error) {
	if j.at == nil {
		return
	}
	j.at.mu.Lock()
	waits := j.state == waiting
	if waits {
		j.state = left
		j.at.remove(&j.waiter)
	}
	j.at.mu.Unlock()
	if waits {
		j.promise.Reject(cause)
	}
}

// enterGate begins the job when it may write.
func (j *job) enterGate() {
	g := j.e.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed != nil:
		j.promise.Reject(g.closed)
	case g.head != nil || !g.admits(false):
		j.at = &g.queue
		g.join(g, &j.waiter)
	default:
		g.admit(false)
		j.starts()
		go j.serve(nil)
	}
}

// enterPool begins the job when there is a connection for it.
func (j *job) enterPool() {
	p := j.pool
	p.mu.Lock()
	c, ok := p.take()
	closed := p.closed
	switch {
	case ok:
		j.starts()
		go j.serve(c)
	case closed == nil:
		j.at = &p.queue
		p.join(p, &j.waiter)
	}
	p.mu.Unlock()
	if !ok && closed != nil {
		j.promise.Reject(closed)
	}
}

// serve runs the job, and those that can follow it on the same connection. A job
// of the pool begins with a connection or, if c is nil, with the place for one.
func (j *job) serve(c *physical) {
	defer func() {
		if j != nil {
			j.exited(c)
		}
	}()
	for j != nil {
		// The goroutine was started by a job that made way for this one, or is that job's.
		pprof.SetGoroutineLabels(j.ctx)
		if j.isWrite() {
			j.held = writePass
			j.e.gate.writes(j.what())
		}
		had := c
		c = nil // whatever happens in connect, what was had is seen to there
		if c = j.connect(had); c != nil {
			j.run(c)
		}
		if j.isFirst() {
			j.leaveTo(c)
			j = nil
			return
		}
		var next *job
		if c != nil && !c.bad && !c.dirty && !c.obscure && !c.spent {
			next = j.next()
		}
		if next == nil && c != nil {
			mine := c
			c = nil
			j.giveBack(mine)
		}
		if next == nil || !j.isWrite() { // or else the pass goes on to it
			j.e.gate.leave(j.held)
		}
		j.held = noPass
		j.promise.Resolve(struct{}{})
		j = next
	}
}

// isFirst tells whether the job begins a transaction.
func (j *job) isFirst() bool { return j.tx != nil && j.call != nil }

// writes tells whether what the job does, or begins, may write.
func (j *job) writes() bool {
	if j.tx != nil {
		return !j.tx.opts.ReadOnly
	}
	return j.call.Statement.Writes
}

// what names the job in messages.
func (j *job) what() string {
	if j.tx != nil {
		return aTransaction
	}
	return j.call.Statement.Source
}

// leaveTo ends the first job of a transaction: the connection is the transaction's.
func (j *job) leaveTo(c *physical) {
	if c == nil {
		j.e.gate.leave(j.held)
		j.held = noPass
	}
	j.got = c
	if !j.taken.CompareAndSwap(false, true) && c != nil {
		j.pool.abandon(c, func() { j.e.gate.leave(j.held) })
	}
	j.promise.Resolve(struct{}{})
}

func (j *job) isWrite() bool { return j.e.reserved(j.pool) }

// connect gets the job a connection, the one that it has, if that is good, and then, if it
// reads, the pass. It returns nil, and gives up the place, if that fails.
func (j *job) connect(had *physical) (c *physical) {
	if j.call == nil {
		return had
	}
	defer j.catch(nil)
	switch {
	case had != nil && !j.pool.isDoubtful(had):
		c = had
	case j.isWrite() && had == nil:
		c, j.err = j.pool.acquire(j.ctx)
	default:
		c, j.err = j.pool.fresh(j.ctx, had)
	}
	if j.err != nil || j.isWrite() {
		return c
	}
	// This goroutine has the connection, so it may as well wait with it.
	if j.held, j.err = j.e.gate.enterFor(j, j.ctx, j.writes(), true, j.what()); j.err != nil {
		j.pool.release(j.ctx, c)
		return nil
	}
	return c
}

func (j *job) giveBack(c *physical) {
	defer j.catch(nil)
	j.pool.release(j.ctx, c)
}

func (j *job) run(c *physical) {
	defer j.catch(c)
	switch {
	case j.call == nil:
		j.err = j.how.do(j.ctx, c.session, j.tx)
		if j.ctx.Err() != nil || j.err != nil && c.session.Status() != backend.Idle {
			c.bad = true // closing the connection ends it
		}
		return
	case j.tx != nil:
		// Even if the context has ended by now: the connection is the
		// transaction's, and another statement may follow.
		if j.err = c.session.Begin(context.WithoutCancel(j.ctx), j.tx.root().opts); j.err == nil {
			j.err = c.session.Do(j.ctx, &j.call.Call)
		}
		return
	}
	if j.err = loop.ContextError(j.ctx); j.err == nil {
		j.err = j.e.do(j.ctx, j.pool, c, j.call)
	}
}

// catch makes a panic, of the driver or of a method of the dialect, the caller's.
func (j *job) catch(c *physical) {
	r := recover()
	if r == nil {
		return
	}
	if c != nil {
		c.bad = true
	}
	j.promise.Reject(loop.Recovered(r))
}

// exited ends a job that ended its goroutine, as t.FailNow does.
func (j *job) exited(c *physical) {
	leave := func() { j.e.gate.leave(j.held) }
	if c != nil {
		j.pool.abandon(c, leave)
	} else {
		leave()
	}
	j.promise.Reject(loop.ErrGoexit)
}

// next takes the job that waits for the same as j had, if that is first in line.
func (j *job) next() *job {
	q := &j.pool.queue
	if j.isWrite() {
		q = &j.e.gate.queue
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	w := q.head
	if w == nil || w.job == nil || w.job.isWrite() != j.isWrite() {
		return nil
	}
	q.remove(w)
	w.job.starts()
	return w.job
}
