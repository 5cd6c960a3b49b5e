package turns

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// OrphanTime is how long a connection may take to be made after its caller has gone, unless the
// dialect's connect_timeout ends it earlier. It equals the dialects' default.
const OrphanTime = 10 * time.Second

var errOrphan = errors.New("connecting has taken too long, and its caller has gone")

// dialing makes one connection. It runs apart from its caller, with a context of its own, which
// Pool.Close ends. If the caller gives up, the dialing goes on: its connection goes to the next
// waiter, or becomes idle. The pool's lock decides which side owns the result:
//
//	dialing → made      the caller takes the connection
//	dialing → failed    the caller takes the error; the place has been given up
//	dialing → orphaned  the caller has gone: the dialing hands its connection on, or gives up the place
type dialing struct {
	p      *Pool
	old    *Conn // the connection to close first; nil if there is none
	c      *Conn
	prompt bool // it doesn't wait for a pause
	ctx    context.Context
	cancel context.CancelCauseFunc
	began  time.Time // when the attempt began, after the pause

	// Guarded by p.mu.
	state dialState
	err   error       // why the attempt failed
	limit *time.Timer // ends an orphan
}

type dialState uint8

const (
	dialRunning dialState = iota
	dialMade
	dialFailed
	dialOrphaned
)

// dial makes a connection for a place that the caller has. If the place holds an old connection,
// dial closes that first. If dial fails, it gives up the place.
func (p *Pool) dial(ctx context.Context, old *Conn) (*Conn, error) {
	if why := loop.ContextError(ctx); why != nil { // the caller had gone before the attempt began
		if old != nil {
			p.putBack(ctx, old)
		} else {
			p.vacate(false)
		}
		return nil, p.Unreachable(ctx, why)
	}
	p.mu.Lock()
	p.last++
	d := &dialing{p: p, old: old, c: &Conn{generation: p.generation, ID: p.last, raw: p.SetUp != nil}}
	p.mu.Unlock()
	d.ctx, d.cancel = context.WithCancelCause(context.WithoutCancel(ctx))
	returned := false
	defer func() {
		if returned {
			return
		}
		// The caller is being killed, or the driver has panicked.
		if c, _ := d.leave(nil); c != nil {
			go p.putBack(context.Background(), c)
		}
	}()
	_, err := repaint.Await(ctx, d.start(ctx))
	returned = true
	if err == loop.ErrGoexit {
		runtime.Goexit()
	}
	c, err := d.leave(err)
	why := loop.ContextError(ctx)
	switch {
	case c != nil && why != nil:
		p.putBack(ctx, c)
		return nil, p.Unreachable(ctx, why)
	case err != nil:
		return nil, p.Unreachable(ctx, err)
	}
	return c, nil
}

// start runs the dialing on another goroutine. In a loop that explores schedules, start blocks
// until the dialing ends: making a connection is no step of a schedule, and no other task runs
// meanwhile.
func (d *dialing) start(ctx context.Context) *loop.Future[struct{}] {
	promise := loop.NewPromise[struct{}](nil)
	promise.Future().SetName("a connection that is being made")
	l := repaint.CurrentLoop()
	if explore.Of(l) == nil {
		promise.AskedBy(l)
		promise.UnderWay(true)
		promise.Certain(true)
		go promise.Complete(d.run)
		return promise.Future()
	}
	d.prompt = true
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		promise.Complete(d.run)
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return promise.Future()
}

func (d *dialing) run() (struct{}, error) {
	p, returned := d.p, false
	stop := context.AfterFunc(p.dials, func() { d.cancel(context.Cause(p.dials)) })
	defer func() {
		stop()
		d.cancel(nil)
		if !returned { // the driver has panicked
			d.fail(errors.New("the driver has panicked"))
		}
	}()
	if d.old != nil {
		p.end(d.ctx, d.old)
	}
	session, err := d.connect()
	d.c.Session = session
	if closed := p.Closed(); closed != nil {
		if err == nil {
			p.end(d.ctx, d.c)
		}
		err = closed
	}
	returned = true
	if err != nil {
		d.fail(err)
		return struct{}{}, err
	}
	d.finish()
	return struct{}{}, nil
}

// connect makes the connection. If earlier attempts have failed, it pauses first.
func (d *dialing) connect() (backend.Session, error) {
	p, ctx := d.p, d.ctx
	if !d.prompt {
		p.mu.Lock()
		wait := p.pauses.wait()
		p.mu.Unlock()
		if err := pause(ctx, wait); err != nil {
			return nil, err
		}
	}
	d.began = time.Now()
	if p.Dial <= 0 {
		return p.Connect(ctx)
	}
	ctx, done := context.WithTimeout(ctx, p.Dial)
	defer done()
	session, err := p.Connect(ctx)
	if err != nil && ctx.Err() != nil && d.ctx.Err() == nil {
		err = fmt.Errorf("it took longer than connect_timeout=%v: %w", p.Dial, errors.Join(context.DeadlineExceeded, err))
	}
	return session, err
}

// fail notes the error and gives up the place.
func (d *dialing) fail(err error) {
	d.p.mu.Lock()
	d.end(dialFailed)
	d.err = err
	d.p.failures++
	d.p.pauses.failed(d.began, err)
	d.p.handOn(nil)
}

// finish gives the connection to the caller or, if the caller has gone, hands it on.
func (d *dialing) finish() {
	p := d.p
	if p.Lifetime > 0 {
		d.c.expires = time.Now().Add(p.Lifetime + rand.N(p.Jitter+1))
	}
	p.mu.Lock()
	p.connects++
	p.pauses.ended()
	p.all[d.c] = struct{}{}
	if !d.end(dialMade) {
		p.mu.Unlock()
		return
	}
	if p.closed != nil || p.isStale(d.c) || p.head == nil && p.places > p.Size {
		p.mu.Unlock()
		defer p.vacate(false)
		p.end(d.ctx, d.c)
		return
	}
	if p.watchesIdle() {
		d.c.used = time.Now()
	}
	p.handOn(d.c)
}

// end notes how the dialing has ended, and reports whether it is orphaned. The lock is held.
func (d *dialing) end(state dialState) (orphaned bool) {
	if d.state == dialOrphaned {
		d.limit.Stop()
		d.p.orphans--
		return true
	}
	d.state = state
	return false
}

// leave ends the caller's part. It returns the result. If the dialing goes on without the caller,
// it returns the reason.
func (d *dialing) leave(why error) (*Conn, error) {
	d.p.mu.Lock()
	defer d.p.mu.Unlock()
	switch d.state {
	case dialMade:
		return d.c, nil
	case dialFailed:
		return nil, d.err
	}
	d.orphan()
	if last := d.p.pauses.why; last != nil && why != nil {
		why = fmt.Errorf("%w; the last attempt to connect: %w", why, last)
	}
	return nil, why
}

// orphan marks the dialing as one without a caller. The lock is held.
func (d *dialing) orphan() {
	d.state = dialOrphaned
	d.p.orphans++
	d.limit = time.AfterFunc(OrphanTime, func() { d.cancel(errOrphan) })
}

// makeReady sets up a new connection; see PoolConfig.SetUp. If that fails, it gives up the place.
func (p *Pool) makeReady(ctx context.Context, c *Conn) error {
	killed := true
	defer func() {
		if killed {
			p.Abandon(c, func() {})
		}
	}()
	err := p.SetUp(ctx, c)
	killed = false
	if err != nil {
		p.end(ctx, c)
		p.vacate(true)
		return err
	}
	c.raw = false
	return nil
}
