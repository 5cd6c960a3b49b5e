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
	// Do runs on a goroutine of this package. A panic in it goes to the caller.
	Do(ctx context.Context, c *Conn) error
}

// Keeper is Work after which the caller keeps the connection, as a transaction does after its first
// statement.
type Keeper interface {
	Work
	// Keep gives the connection and the pass to the caller. It runs after Do, on the caller's
	// goroutine. If the caller is being killed, the connection is Bad.
	Keep(c *Conn, held Pass)
}

// Job is work on a blocking driver for which a caller has to wait. The job doesn't wake the caller
// when its turn comes: a goroutine that has a connection runs the job, and then at once the next
// job that waits for this connection or for its turn to write. Their callers stay suspended. So
// neither a connection nor the one writer is busy while results travel back to the callers, through
// their loops or the scheduler; and a loop learns of many results at once.
//
// A job has one of three lives:
//
//	Serve          waits for a connection, works, and gives it back
//	Serve, Keeper  waits for a connection, works, and leaves it to its caller
//	ServeOn        works on its caller's connection, and gives it back
//
// A Job is a field of its Work, so that both are one allocation.
type Job struct {
	Turns  *Turns
	Pool   *Pool
	Writes bool   // whether its work, or a transaction that it begins, may write
	What   string // the job's name in messages

	// One goroutine at a time owns the job, so that the following fields need no lock: first its
	// caller's, until the job waits in a line or is started; then the one that serves it, until the
	// promise is completed; then its caller's again.
	ctx    context.Context
	work   Work
	keeper Keeper // the work, if it is a Keeper; else nil
	given  bool   // it began with its caller's connection
	at     *queue // the line in which it waits; nil if it doesn't
	held   Pass
	err    error // the work's result, when the promise is resolved
	got    *Conn // what a Keeper's job leaves to its caller
	waiter       // its state is guarded by the lock of at

	taken atomic.Bool // set by the first of two: the job that leaves got, or a killed caller that refuses it
}

// Serve runs w as a job and waits for its end. It waits even after ctx has ended, for until then
// the work may go on. If w is a Keeper, the caller has the connection afterwards, unless the job
// got none.
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
			j.got.Bad = true // so that the pool closes it
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

// ServeOn runs w as a job on a connection that the caller has. It gives the connection and the pass
// back.
func (j *Job) ServeOn(ctx context.Context, w Work, c *Conn, held Pass) error {
	j.ctx, j.work, j.given, j.held = ctx, w, true, held
	j.ask()
	j.starts()
	go j.serve(c)
	return j.result()
}

// result waits for the job's end and returns its error.
func (j *Job) result() error {
	if err := j.wait(); err != nil {
		return err
	}
	return j.err
}

// begin starts the job as soon as it may begin: with the pass to write, with a connection, or with
// the place for one.
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

// starts notes that a goroutine runs the job, or is about to. The code that starts the goroutine
// calls starts before it does anything else that the job's loop can notice.
func (j *Job) starts() {
	j.state = granted
	j.promise.UnderWay(true)
}

// wait waits for the job's end. Its error is the error of the waiting, not of the work.
func (j *Job) wait() error {
	done := false
	defer func() {
		if !done { // the greenlet was killed
			j.CancelFuture(context.Canceled)
		}
	}()
	future := j.promise.Future()
	_, err := repaint.Await(j.ctx, future)
	if err != nil {
		// The error may be the context's, which has reached the job too. The job's own result
		// counts, even if the job ended earlier: it may have left a connection.
		_, err = repaint.Await(context.WithoutCancel(j.ctx), future)
	}
	if !future.Done() {
		return err // a callback of a loop can't wait
	}
	done = true
	if err == loop.ErrGoexit {
		runtime.Goexit()
	}
	return err
}

// CancelFuture drops the job if it still waits in a line. The driver ends a job that runs.
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

// enterGate starts the job, or puts it in the line of the Gate.
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

// enterPool starts the job, or puts it in the line of the pool.
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

// serve runs the job, and then those that can follow it on the same connection. A job of the pool
// begins with a connection or, if c is nil, with the place for one.
func (j *Job) serve(c *Conn) {
	defer func() {
		if j != nil {
			j.exited(c)
		}
	}()
	for j != nil {
		// The goroutine has the labels of the code that started it, or of the job before this one.
		pprof.SetGoroutineLabels(j.ctx)
		if j.isWrite() {
			j.held = WritePass
			j.Turns.Gate.writes(j.What)
		}
		had := c
		c = nil // connect takes care of had, whatever happens
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
		if next == nil || !j.isWrite() { // otherwise the next job gets the pass
			j.Turns.Gate.Leave(j.held)
		}
		j.held = NoPass
		j.promise.Resolve(struct{}{})
		j = next
	}
}

// leaveTo ends a Keeper's job and leaves the connection to its caller.
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

// connect gets the job a connection: the one that it has, if that is good, or else a new one. A job
// that reads then gets its pass. If that fails, connect gives up the place and returns nil.
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
	// This goroutine holds the connection, so it can wait here without blocking another job.
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

// catch passes a panic of the driver, or of a method of the dialect, to the caller.
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

// exited ends a job whose work ended its goroutine, as t.FailNow does.
func (j *Job) exited(c *Conn) {
	if c != nil {
		j.Turns.Abandon(j.Pool, c, j.held)
	} else {
		j.Turns.Gate.Leave(j.held)
	}
	j.promise.Reject(loop.ErrGoexit)
}

// next takes the first job in the line in which j waited, if it waits for the same as j did. It
// returns nil if there is none.
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
