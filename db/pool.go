package db

import (
	"context"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/statements"
	"github.com/seed1239206e/repaint/loop"
)

// pool keeps the connections of an engine. Callers wait in line for them, see queue. A place is a
// connection that exists or is being made, see dialing. If that fails, the place goes to the next
// caller in the line, so none waits for a connection that never comes.
type pool struct {
	queue
	connect func(ctx context.Context, c *physical) error // sets c.session
	// unreachable wraps the error of a caller that gets no connection.
	unreachable func(ctx context.Context, err error) error
	setUp       func(ctx context.Context, c *physical) error // Events.Connect; nil does nothing
	dials       context.Context                              // ends the making of connections; stopDials ends it
	size        int                                          // connections kept
	max         int                                          // places
	lifetime    time.Duration                                // a connection older than this is replaced; 0 is never
	cleanup     time.Duration                                // for closing a connection, resetting or asking it; 0 is no limit
	ping        time.Duration                                // one that was idle for this long is asked whether it is well; negative is never
	given       func(ctx context.Context, c *physical)       // Events.Checkout and Checkin; nil does nothing
	back        func(ctx context.Context, c *physical)

	stopDials context.CancelCauseFunc

	idle       []*physical // the last one returned is the first one used
	places     int         // connections, those being made included
	orphans    int         // of them being made for no caller, see dialing
	generation uint64      // connections of earlier ones are replaced
	closed     error
	drained    *loop.Promise[struct{}] // after close: no place is in use any more

	last      int64 // the last connection's number
	acquired  int64
	connects  int64
	failures  int64
	discarded int64
}

// physical is a connection of a pool.
type physical struct {
	session    backend.Session
	id         int64     // connections of a pool count from 1
	made       time.Time // zero unless somebody wants to know
	used       time.Time // when it came back last; likewise
	generation uint64
	raw        bool // it isn't set up yet, see makeReady
	dirty      bool // it may have settings or temporary objects of its last user
	obscure    bool // the same, but the texts don't show it
	lent       bool // its user had it for its own, from Connect to Close
	bad        bool // it is lost, or nobody knows its state
	spent      bool // it is to be replaced all the same
}

// isQuiet tells, after a call that was left by a panic, runtime.Goexit or a kill, whether the
// connection isn't in the middle of anything, and has the status that it should have.
func (c *physical) isQuiet(status Status) bool {
	s, ok := c.session.(backend.CallTracker)
	return ok && !c.bad && !s.Calling() && c.session.Status() == status
}

// mark notes what a statement may leave behind.
func (c *physical) mark(st *statements.Statement) {
	c.dirty, c.obscure = c.dirty || st.Session, c.obscure || st.Obscure
}

// acquire returns a connection, which the caller must release or abandon.
func (p *pool) acquire(ctx context.Context) (*physical, error) {
	p.mu.Lock()
	c, ok := p.take()
	if !ok {
		if p.closed != nil {
			defer p.mu.Unlock()
			return nil, p.closed
		}
		w := &waiter{}
		p.join(p, w)
		p.mu.Unlock()
		if err := p.wait(ctx, p, w); err != nil {
			return nil, err
		}
		return p.fresh(ctx, w.conn)
	}
	p.mu.Unlock()
	return p.fresh(ctx, c)
}

// takeIdle returns an idle connection that can be used as it is, or nil.
func (p *pool) takeIdle() *physical {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 || p.idle[n-1].raw || p.isStale(p.idle[n-1]) || p.given != nil || p.isIdleLong(p.idle[n-1]) {
		return nil
	}
	c, _ := p.take()
	p.acquired++
	return c
}

// take returns an idle connection, or nil and a place for one, if there is
// either. The lock is held.
func (p *pool) take() (c *physical, ok bool) {
	switch n := len(p.idle); {
	case p.closed != nil:
		return nil, false
	case n > 0:
		c = p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		return c, true
	case p.places < p.max:
		p.places++
		return nil, true
	}
	return nil, false
}

// fresh returns the connection that the caller has, or a new one in its place if
// it is too old, or doesn't answer. Nil stands for a place without a connection.
func (p *pool) fresh(ctx context.Context, c *physical) (*physical, error) {
	p.mu.Lock()
	p.acquired++
	usable := c != nil && !p.isStale(c)
	p.mu.Unlock()
	if usable && p.isIdleLong(c) && !p.answers(ctx, c) {
		if err := loop.ContextError(ctx); err != nil {
			c.bad = true // it may be in the middle of something
			p.putBack(ctx, c)
			return nil, err
		}
		p.invalidate()
		usable = false
	}
	if !usable {
		var err error
		if c, err = p.dial(ctx, c); err != nil {
			return nil, err
		}
	}
	if c.raw {
		if err := p.makeReady(ctx, c); err != nil {
			return nil, err
		}
	}
	if p.given != nil {
		told := false
		defer func() {
			if !told { // the function has panicked, or exited
				p.putBack(ctx, c)
			}
		}()
		p.given(ctx, c)
		told = true
	}
	return c, nil
}

// answers asks a connection.
func (p *pool) answers(ctx context.Context, c *physical) bool {
	s, ok := c.session.(backend.Pinger)
	if !ok {
		return true
	}
	killed := true
	defer func() {
		if killed {
			p.abandon(c, func() {})
		}
	}()
	if p.cleanup > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, p.cleanup)
		defer done()
	}
	err := s.Ping(ctx)
	killed = false
	return err == nil
}

// isDoubtful tells whether fresh would do more than return c.
func (p *pool) isDoubtful(c *physical) bool {
	if p.given != nil || c.raw || p.isIdleLong(c) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isStale(c)
}

func (p *pool) isIdleLong(c *physical) bool {
	return p.ping >= 0 && !c.used.IsZero() && time.Since(c.used) >= p.ping
}

// release takes a connection back, also if the function that is told of it panics.
func (p *pool) release(ctx context.Context, c *physical) {
	if p.back != nil {
		defer p.putBack(ctx, c)
		p.back(ctx, c)
		return
	}
	p.putBack(ctx, c)
}

// putBack makes a connection the next user's, or closes it.
func (p *pool) putBack(ctx context.Context, c *physical) {
	if p.ping >= 0 {
		c.used = time.Now()
	}
	p.mu.Lock()
	if c.bad {
		p.discarded++
	}
	over := c.bad || c.dirty || c.spent || p.closed != nil || p.isStale(c) || p.head == nil && p.places > p.size
	p.mu.Unlock()
	if !over {
		clean, gone := p.reset(ctx, c)
		if gone {
			return
		}
		over = !clean
	}
	if over {
		defer p.vacate(false)
		p.end(ctx, c)
		return
	}
	p.mu.Lock()
	p.handOn(c)
}

// reset has undone what the last user has left behind, and reports whether nothing of it is there any
// more. gone tells that the caller is being killed, and that the connection isn't its any more.
func (p *pool) reset(ctx context.Context, c *physical) (clean, gone bool) {
	s, ok := c.session.(backend.Resetter)
	if !ok {
		return !c.obscure, false
	}
	gone = true
	defer func() {
		if gone {
			p.abandon(c, func() {})
		}
	}()
	thorough := c.lent || c.obscure
	if thorough || ctx.Err() != nil { // it will have to ask the database
		var done context.CancelFunc
		ctx, done = backend.Ending(ctx, p.cleanup)
		defer done()
	}
	clean = s.Reset(ctx, thorough) == nil
	gone, c.lent, c.obscure = false, false, false
	return clean, gone
}

// abandon takes back a connection whose user was killed while a call ran on it,
// and returns at once; then runs when nothing uses the connection any more.
func (p *pool) abandon(c *physical, then func()) {
	done := repaint.CurrentLoop().Bridge().Busy()
	go func() {
		defer done()
		defer then()
		defer p.vacate(false)
		defer func() {
			_ = recover() // of the session's Close, like its error: the caller has gone with a panic of its own
			p.mu.Lock()
			p.discarded++
			p.mu.Unlock()
		}()
		p.end(context.Background(), c)
	}()
}

// end closes a connection. Its place stays in use.
func (p *pool) end(ctx context.Context, c *physical) {
	ctx, done := backend.Ending(ctx, p.cleanup)
	defer done()
	// The error is of no use: the connection is gone either way.
	_ = c.session.Close(ctx)
}

// vacate gives up a place; the first who waits gets it.
func (p *pool) vacate(failed bool) {
	p.mu.Lock()
	if failed {
		p.failures++
	}
	p.handOn(nil)
}

// handOn gives a connection, or a place if c is nil, to the first who waits. The
// lock is held, and released.
func (p *pool) handOn(c *physical) {
	for w := p.head; w != nil; w = p.head {
		w.conn = c
		if p.grant(w) {
			p.mu.Unlock()
			return
		}
		w.conn = nil
	}
	if c != nil && p.closed == nil {
		p.idle = append(p.idle, c)
		p.mu.Unlock()
		return
	}
	if c != nil { // the pool was closed since the caller looked
		p.mu.Unlock()
		p.end(context.Background(), c)
		p.mu.Lock()
	}
	p.places--
	drained := p.places == 0 && p.closed != nil
	promise := p.drained
	p.mu.Unlock()
	if drained && promise != nil {
		promise.Resolve(struct{}{})
	}
}

func (p *pool) takeBack(w *waiter) { p.handOn(w.conn) }

func (p *pool) timedOut(*waiter) error {
	err := fail("connect", ErrPoolTimeout, "waited %v for a connection: all %d are in use, and %d more callers wait",
		p.timeout, p.places, p.length)
	err.Hint = "close every Conn, don't ask for a second one while holding the first, or raise pool_size or pool_timeout"
	return err
}

// invalidate makes every connection that exists now be replaced before its next
// use: one of them was found dead, so the others probably are.
func (p *pool) invalidate() {
	p.mu.Lock()
	p.generation++
	p.mu.Unlock()
}

func (p *pool) isStale(c *physical) bool {
	return c.generation != p.generation || p.lifetime > 0 && time.Since(c.made) > p.lifetime
}

// isClosed returns why there are no connections any more.
func (p *pool) isClosed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// close refuses new callers and those who wait, closes the idle connections, and
// waits until ctx ends for the others to come back. Later ones are closed when
// they come. It returns the number of those still out. ending is for closing the idle ones.
func (p *pool) close(ctx, ending context.Context, why error) (out int) {
	p.mu.Lock()
	p.closed = why
	idle := p.idle
	p.idle = nil
	if p.drained == nil {
		p.drained = loop.NewPromise[struct{}](nil)
		p.drained.AskedBy(repaint.CurrentLoop())
	}
	promise := p.drained
	p.refuseAll(why)
	p.stopDials(why)

	p.endAll(ending, idle)
	p.mu.Lock()
	out = p.places
	p.mu.Unlock()
	if out == 0 {
		return 0
	}
	if _, err := repaint.Await(ctx, promise.Future()); err == nil {
		return 0
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.places
}

// endAll closes connections that nobody has any more, and gives up their places: all of them, even
// if one's session panics.
func (p *pool) endAll(ctx context.Context, all []*physical) {
	if len(all) == 0 {
		return
	}
	defer p.endAll(ctx, all[1:])
	defer p.vacate(false)
	p.end(ctx, all[0])
}
