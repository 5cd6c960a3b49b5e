package turns

import (
	"context"
	"runtime"
	"runtime/pprof"
	"sync/atomic"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// Work is what a Job does on a connection.
type Work interface {
	// Do is called on a goroutine of the package's own. A panic in it is the caller's.
	Do(ctx context.Context, c *Conn) error
}

// Keeper is Work after which the caller keeps the connection, as a transaction does from its first
// statement on.
type Keeper interface {
	Work
	// Keep makes the connection and the pass the caller's, after Do, on the caller's goroutine. If
	// the caller is being killed, the connection is Bad.
	Keep(c *Conn, held Pass)
}

// Job is work for a blocking driver that a caller has to wait for. The caller isn't woken to run
// when its turn comes: a goroutine that has a connection runs the job, and then at once the next
// one that waits for this connection or for its turn to write, while their callers stay suspended.
// So the way back to the callers, through their loops or the scheduler, isn't part of the time in
// which a connection, or the one writer, is busy; and a loop is told of many results in one go.
//
// A job has one of three lives:
//
//	Serve          waits for a connection, works, and gives it back
//	Serve, Keeper  waits for a connection, works, and leaves it to its caller
//	ServeOn        works on its caller's connection, and gives it back
//
// A Job is a part of its Work, so that both are one allocation.
type Job struct {
	Turns  *Turns
	Pool   *Pool
	Writes bool   // whether what it does, or begins, may write
	What   string // names it in messages

	// One goroutine at a time has the job: its caller's until it waits in a line or is started,
	// then the one that serves it until the promise is completed, then its caller's again. So what
	// follows needs no lock.
	ctx    context.Context
	work   Work
	keeper Keeper // the work, if it keeps its connection; else nil
	given  bool   // it began with its caller's connection
	at     *queue // where it waits, if it does
	held   Pass
	err    error // the work's result, when the promise is resolved
	got    *Conn // what a Keeper's job leaves to its caller
	waiter       // its state is guarded by the lock of at

	taken atomic.Bool // by the first of two: the job, to leave got; a killed caller, to refuse it
}

// Serve has w run as a job, and waits for its end: also when ctx ends, for until then the work may
// be going on. If w is a Keeper, its connection is the caller's afterwards, unless none was got.
func (j *Job) Serve(ctx context.Context, w Work) error {
	j.ctx, j.work = ctx, w
	k, keeps := w.(Keeper)
	if !keeps {
		j.begin()
		return j.result()
	}
	j.keeper = k
	returned := false
	defer func() {
		if !returned && !j.taken.CompareAndSwap(false, true) && j.got != nil {
			j.got.Bad = true // so that the caller loses it
			k.Keep(j.got, j.held)
		}
	}()
	j.begin()
	err := j.wait()
	returned = true
	if err != nil {
		return err
	}
	if j.got != nil {
		k.Keep(j.got, j.held)
	}
	return j.err
}

// ServeOn has w run as a job on a connection that the caller has, and gives that back, with the
// pass.
func (j *Job) ServeOn(ctx context.Context, w Work, c *Conn, held Pass) error {
	j.ctx, j.work, j.given, j.held = ctx, w, true, held
	j.ask()
	j.starts()
	go j.serve(c)
	return j.result()
}

// result waits for the job's end, and returns how it ended.
func (j *Job) result() error {
	if err := j.wait(); err != nil {
		return err
	}
	return j.err
}

// begin has the job begin when it may: with the pass to write, or with a connection, or the
// place for one.
func (j *Job) begin() {
	j.ask()
	if j.isWrite() {
		j.enterGate()
		return
	}
	j.enterPool()
}

// ask makes the job a request of the caller's loop, if there is one.
func (j *Job) ask() {
	j.waiter.job = j
	j.promise.Bind(nil, j)
	j.promise.AskedBy(repaint.CurrentLoop())
}

// starts notes that a goroutine runs the job, or is about to. The code that starts it calls starts
// before anything else that the job's loop can notice.
func (j *Job) starts() {
	j.state = granted
	j.promise.UnderWay(true)
}

// wait waits for the job's end. Its error is that of the waiting.
func (j *Job) wait() error {
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
func (j *Job) CancelFuture(cause error) {
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
func (j *Job) enterGate() {
	g := j.Turns.Gate
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
func (j *Job) enterPool() {
	p := j.Pool
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
func (j *Job) serve(c *Conn) {
	defer func() {
		if j != nil {
			j.exited(c)
		}
	}()
	for j != nil {
		// The goroutine was started by a job that made way for this one, or is that job's.
		pprof.SetGoroutineLabels(j.ctx)
		if j.isWrite() {
			j.held = WritePass
			j.Turns.Gate.writes(j.What)
		}
		had := c
		c = nil // whatever happens in connect, what was had is seen to there
		if c = j.connect(had); c != nil {
			j.run(c)
		}
		if j.keeper != nil {
			j.leaveTo(c)
			j = nil
			return
		}
		var next *Job
		if c != nil && c.isClean() {
			next = j.next()
		}
		if next == nil && c != nil {
			mine := c
			c = nil
			j.giveBack(mine)
		}
		if next == nil || !j.isWrite() { // or else the pass goes on to it
			j.Turns.Gate.Leave(j.held)
		}
		j.held = NoPass
		j.promise.Resolve(struct{}{})
		j = next
	}
}

// leaveTo ends a Keeper's job: the connection is its caller's.
func (j *Job) leaveTo(c *Conn) {
	if c == nil {
		j.Turns.Gate.Leave(j.held)
		j.held = NoPass
	}
	j.got = c
	if !j.taken.CompareAndSwap(false, true) && c != nil {
		j.Turns.Abandon(j.Pool, c, j.held)
	}
	j.promise.Resolve(struct{}{})
}

// isWrite reports whether the job needs the pass to write before its connection.
func (j *Job) isWrite() bool { return j.Turns.Reserved(j.Pool) }

// connect gets the job a connection, the one that it has, if that is good, and then, if it
// reads, the pass. It returns nil, and gives up the place, if that fails.
func (j *Job) connect(had *Conn) (c *Conn) {
	if j.given {
		return had
	}
	defer j.catch(nil)
	switch {
	case had != nil && !j.Pool.isDoubtful(had):
		c = had
	case j.isWrite() && had == nil:
		c, j.err = j.Pool.Acquire(j.ctx)
	default:
		c, j.err = j.Pool.fresh(j.ctx, had)
	}
	if j.err != nil || j.isWrite() {
		return c
	}
	// This goroutine has the connection, so it may as well wait with it.
	if j.held, j.err = j.Turns.Gate.enterFor(j, j.ctx, j.Writes, true, j.What); j.err != nil {
		j.Pool.Release(j.ctx, c)
		return nil
	}
	return c
}

func (j *Job) giveBack(c *Conn) {
	defer j.catch(nil)
	j.Pool.Release(j.ctx, c)
}

func (j *Job) run(c *Conn) {
	defer j.catch(c)
	j.err = j.work.Do(j.ctx, c)
}

// catch makes a panic, of the driver or of a method of the dialect, the caller's.
func (j *Job) catch(c *Conn) {
	r := recover()
	if r == nil {
		return
	}
	if c != nil {
		c.Bad = true
	}
	j.promise.Reject(loop.Recovered(r))
}

// exited ends a job that ended its goroutine, as t.FailNow does.
func (j *Job) exited(c *Conn) {
	if c != nil {
		j.Turns.Abandon(j.Pool, c, j.held)
	} else {
		j.Turns.Gate.Leave(j.held)
	}
	j.promise.Reject(loop.ErrGoexit)
}

// next takes the job that waits for the same as j had, if that is first in line.
func (j *Job) next() *Job {
	q := &j.Pool.queue
	if j.isWrite() {
		q = &j.Turns.Gate.queue
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
