package db

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// On a blocking driver, a statement of the Engine's own that has to wait isn't
// woken to run when its turn comes. It becomes a job: a goroutine that has a
// connection runs it, and then at once the next that waits for this connection or
// for its turn to write, while their callers stay suspended. So the way back to
// the callers, through their loops or the scheduler, isn't part of the time in
// which a connection, or the one writer, is busy; and a loop is told of many
// results in one go. In a loop every such statement is a job.

// job is a statement that a goroutine of the Engine runs for a suspended caller.
type job struct {
	e    *Engine
	ctx  context.Context
	call *Call
	pool *pool
	at   *queue // where it waits, if it does
	held pass
	err  error // the call's result, when the promise is resolved
	waiter
}

// converter is a Connector whose Sessions block, so that its calls had better be
// jobs. Arguments have methods of the caller's, so they are converted before.
type converter interface {
	converts() bool
	convert(call *Call) error
}

// serve has a call run as a job, and waits for its end: also when ctx ends, for
// until then the call may be in use.
func (e *Engine) serve(ctx context.Context, call *Call) error {
	j := &job{e: e, ctx: ctx, call: call, pool: e.pool}
	j.waiter.job = j
	j.promise.Bind(nil, j)
	if call.Statement.Writes && e.gate != nil {
		j.pool = e.writers
		j.enterGate()
	} else {
		var err error
		if j.held, err = e.gate.enter(ctx, false, ""); err != nil {
			return err
		}
		j.enterPool()
	}
	done := false
	defer func() {
		if !done { // or the greenlet was killed
			j.CancelFuture(context.Canceled)
		}
	}()
	future := j.promise.Future()
	_, err := repaint.Await(ctx, future)
	if !future.Done() {
		_, err = repaint.Await(context.WithoutCancel(ctx), future)
	}
	if !future.Done() {
		return err // it can't be waited for here, in a callback of a loop
	}
	done = true
	if err == loop.ErrGoexit {
		runtime.Goexit()
	}
	if err != nil {
		return err
	}
	return j.err
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
		j.refuse(cause)
	}
}

// refuse ends a job that has not begun and no longer waits.
func (j *job) refuse(err error) {
	j.e.gate.leave(j.held)
	j.promise.Reject(err)
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
		j.state = granted
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
		j.state = granted
		go j.serve(c)
	case closed == nil:
		j.at = &p.queue
		p.join(p, &j.waiter)
	}
	p.mu.Unlock()
	if !ok && closed != nil {
		j.refuse(closed)
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
		e, p := j.e, j.pool
		if j.isWrite() {
			j.held = writePass
			e.gate.writes(j.call.Statement.Source)
		}
		if c == nil {
			c = j.connect()
		}
		if c != nil {
			j.run(c)
		}
		var next *job
		if c != nil && !c.bad && !c.dirty {
			next = j.next()
		}
		switch {
		case next != nil && j.isWrite(): // the pass goes on to it
		case next != nil:
			e.gate.leave(j.held)
		default:
			if c != nil {
				p.release(j.ctx, c)
			}
			e.gate.leave(j.held)
		}
		j.promise.Resolve(struct{}{})
		j = next
	}
}

func (j *job) isWrite() bool { return j.e.gate != nil && j.pool == j.e.writers }

// connect gets the job a connection. It returns nil, and gives up the place, if
// that fails.
func (j *job) connect() (c *physical) {
	defer j.catch(nil)
	if j.isWrite() {
		c, j.err = j.pool.acquire(j.ctx)
	} else {
		c, j.err = j.pool.fresh(j.ctx, nil)
	}
	return c
}

func (j *job) run(c *physical) {
	defer j.catch(c)
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
	p, ok := r.(*loop.PanicError)
	if !ok {
		p = &loop.PanicError{Value: r, Stack: debug.Stack()}
	}
	j.promise.Reject(p)
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
	w.state = granted
	return w.job
}
