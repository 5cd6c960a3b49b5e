package turns

import (
	"context"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/loop"
)

// Pool keeps the connections of an engine. Callers wait in line for them, see queue. A place is a
// connection that exists or is being made, see dialing. If that fails, the place goes to the next
// caller in the line, so none waits for a connection that never comes.
type Pool struct {
	queue
	PoolConfig
	dials     context.Context // ends the making of connections; stopDials ends it
	stopDials context.CancelCauseFunc

	// Guarded by mu. places counts the connections of idle, those that have a user, and those that are
	// being made or closed; it is never above Max. While a caller waits, idle is empty.
	idle       []*Conn // the last one returned is the first one used
	places     int
	orphans    int                // of the places: connections being made for no caller, see dialing
	all        map[*Conn]struct{} // those that are open
	pauses     pauses
	generation uint64 // connections of earlier ones are replaced
	closed     error
	drained    *loop.Promise[struct{}] // after Close: no place is in use any more

	last      int64 // the last connection's number
	acquired  int64
	connects  int64
	failures  int64
	discarded int64
	outlived  int64 // connections closed at the end of their lifetime
	unused    int64 // connections closed since they were idle for long
}

// PoolConfig is what a Pool is made of. Its functions are called without a lock, but for TimedOut.
type PoolConfig struct {
	Size     int           // connections kept
	Max      int           // places
	Timeout  time.Duration // the longest wait; 0 is for ever
	Lifetime time.Duration // a connection older than this is replaced; 0 is never
	Jitter   time.Duration // up to this is added to each one's lifetime
	IdleTime time.Duration // one that was idle for this long is closed; 0 is never
	Health   time.Duration // how often idle ones are asked whether they are well; 0 is never
	Min      int           // connections that there are at least; at most Size
	MinIdle  int           // of them, those that are idle; at most Size
	Cleanup  time.Duration // for closing a connection, resetting or asking it; 0 is no limit
	Dial     time.Duration // for making a connection; 0 is no limit
	Ping     time.Duration // one that was idle for this long is asked whether it is well; negative is never

	Connect func(ctx context.Context) (backend.Session, error)
	// SetUp makes a new connection what its users expect; nil does nothing.
	SetUp func(ctx context.Context, c *Conn) error
	// Given and Back are told of a connection that is given out, and that is back; nil does nothing.
	Given, Back func(ctx context.Context, c *Conn)
	// Unreachable wraps the error of a caller that gets no connection.
	Unreachable func(ctx context.Context, err error) error
	// TimedOut returns the error of a caller that has waited too long, and GaveUp that of a caller
	// whose context has ended while it waited. They are called with the lock.
	TimedOut func(x Exhausted) error
	GaveUp   func(x Exhausted, why error) error
}

// NewPool returns a Pool without a connection.
func NewPool(conf PoolConfig) *Pool {
	p := &Pool{PoolConfig: conf, queue: queue{timeout: conf.Timeout}, all: map[*Conn]struct{}{}}
	p.dials, p.stopDials = context.WithCancelCause(context.Background())
	return p
}

// Acquire returns a connection, which the caller must release or abandon.
func (p *Pool) Acquire(ctx context.Context) (*Conn, error) {
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
			return nil, p.inVain(ctx, err)
		}
		return p.fresh(ctx, w.conn)
	}
	p.mu.Unlock()
	return p.fresh(ctx, c)
}

// TakeIdle returns an idle connection that can be used as it is, or nil.
func (p *Pool) TakeIdle() *Conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 || p.idle[n-1].raw || p.isStale(p.idle[n-1]) || p.Given != nil || p.isIdleLong(p.idle[n-1]) {
		return nil
	}
	c, _ := p.take()
	p.acquired++
	return c
}

// take returns an idle connection, or nil and a place for one, if there is
// either. The lock is held.
func (p *Pool) take() (c *Conn, ok bool) {
	switch n := len(p.idle); {
	case p.closed != nil:
		return nil, false
	case n > 0:
		c = p.idle[n-1]
		p.idle[n-1] = nil
		p.idle = p.idle[:n-1]
		return c, true
	case p.places < p.Max:
		p.places++
		return nil, true
	}
	return nil, false
}

// fresh returns the connection that the caller has, or a new one in its place if
// it is too old, or doesn't answer. Nil stands for a place without a connection.
func (p *Pool) fresh(ctx context.Context, c *Conn) (*Conn, error) {
	p.mu.Lock()
	p.acquired++
	usable := c != nil && !p.isStale(c)
	last := len(p.idle) == 0 && p.places >= p.Max
	p.mu.Unlock()
	if usable && p.isIdleLong(c) && !p.answers(ctx, c) {
		if err := loop.ContextError(ctx); err != nil {
			c.Bad = true // it may be in the middle of something
			p.putBack(ctx, c)
			return nil, err
		}
		p.Invalidate()
		usable = false
	}
	if !usable {
		var err error
		if c, err = p.dial(ctx, c); err != nil {
			return nil, err
		}
	}
	c.Last = last
	if c.raw {
		if err := p.makeReady(ctx, c); err != nil {
			return nil, err
		}
	}
	if p.Given != nil {
		told := false
		defer func() {
			if !told { // the function has panicked, or exited
				p.putBack(ctx, c)
			}
		}()
		p.Given(ctx, c)
		told = true
	}
	return c, nil
}

// answers asks a connection.
func (p *Pool) answers(ctx context.Context, c *Conn) bool {
	s, ok := c.Session.(backend.Pinger)
	if !ok {
		return true
	}
	killed := true
	defer func() {
		if killed {
			p.Abandon(c, func() {})
		}
	}()
	if p.Cleanup > 0 {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, p.Cleanup)
		defer done()
	}
	err := s.Ping(ctx)
	killed = false
	return err == nil
}

// isDoubtful tells whether fresh would do more than return c.
func (p *Pool) isDoubtful(c *Conn) bool {
	if p.Given != nil || c.raw || p.isIdleLong(c) {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.isStale(c)
}

func (p *Pool) isIdleLong(c *Conn) bool {
	return p.Ping >= 0 && !c.used.IsZero() && time.Since(c.used) >= p.Ping
}

// Exchange returns a new connection in the place of one that is dead. If there is none, the place is
// given up.
func (p *Pool) Exchange(ctx context.Context, dead *Conn) (*Conn, error) {
	told := p.Back == nil
	defer func() {
		if !told { // the function has panicked, or exited
			p.putBack(ctx, dead)
		}
	}()
	if !told {
		p.Back(ctx, dead)
		told = true
	}
	p.mu.Lock()
	p.discarded++
	p.mu.Unlock()
	return p.fresh(ctx, dead)
}

// Release takes a connection back, also if the function that is told of it panics.
func (p *Pool) Release(ctx context.Context, c *Conn) {
	if p.Back != nil {
		defer p.putBack(ctx, c)
		p.Back(ctx, c)
		return
	}
	p.putBack(ctx, c)
}

// putBack makes a connection the next user's, or closes it.
func (p *Pool) putBack(ctx context.Context, c *Conn) {
	if p.watchesIdle() {
		c.used = time.Now()
	}
	if c.Taken.Load() != nil {
		c.Taken.Store(nil)
	}
	p.mu.Lock()
	if c.Bad {
		p.discarded++
	}
	over := c.Bad || c.Dirty || c.Spent || p.closed != nil || p.isStale(c) || p.head == nil && p.places > p.Size
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
func (p *Pool) reset(ctx context.Context, c *Conn) (clean, gone bool) {
	s, ok := c.Session.(backend.Resetter)
	if !ok {
		return !c.Obscure, false
	}
	gone = true
	defer func() {
		if gone {
			p.Abandon(c, func() {})
		}
	}()
	thorough := c.Lent || c.Obscure
	if thorough || ctx.Err() != nil { // it will have to ask the database
		var done context.CancelFunc
		ctx, done = backend.Ending(ctx, p.Cleanup)
		defer done()
	}
	clean = s.Reset(ctx, thorough) == nil
	gone, c.Lent, c.Obscure = false, false, false
	return clean, gone
}

// Abandon takes back a connection whose user was killed while a call ran on it,
// and returns at once; then runs when nothing uses the connection any more.
func (p *Pool) Abandon(c *Conn, then func()) {
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
func (p *Pool) end(ctx context.Context, c *Conn) {
	p.mu.Lock()
	delete(p.all, c)
	if p.hasExpired(c) {
		p.outlived++
	}
	p.mu.Unlock()
	ctx, done := backend.Ending(ctx, p.Cleanup)
	defer done()
	// The error is of no use: the connection is gone either way.
	_ = c.Session.Close(ctx)
}

// vacate gives up a place; the first waiter gets it.
func (p *Pool) vacate(failed bool) {
	p.mu.Lock()
	if failed {
		p.failures++
	}
	p.handOn(nil)
}

// handOn gives a connection, or a place if c is nil, to the first waiter. The
// lock is held, and released.
func (p *Pool) handOn(c *Conn) {
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

func (p *Pool) takeBack(w *waiter) { p.handOn(w.conn) }

func (p *Pool) timedOut() error { return p.TimedOut(p.exhausted()) }

// Invalidate makes every connection that exists now be replaced before its next
// use: one of them was found dead, so the others probably are.
func (p *Pool) Invalidate() {
	p.mu.Lock()
	p.generation++
	p.mu.Unlock()
}

func (p *Pool) isStale(c *Conn) bool { return c.generation != p.generation || p.hasExpired(c) }

func (p *Pool) hasExpired(c *Conn) bool { return !c.expires.IsZero() && time.Now().After(c.expires) }

// watchesIdle reports whether it matters since when a connection is idle.
func (p *Pool) watchesIdle() bool { return p.Ping >= 0 || p.IdleTime > 0 || p.Health > 0 }

// Closed returns why there are no connections any more.
func (p *Pool) Closed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Close refuses new callers and those who wait, closes the idle connections, and
// waits until ctx ends for the others to come back. Later ones are closed when
// they come. It returns the number of those still out. ending is for closing the idle ones.
func (p *Pool) Close(ctx, ending context.Context, why error) (out int) {
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

// endAll closes connections without an owner, and gives up their places: all of them, even
// if one's session panics.
func (p *Pool) endAll(ctx context.Context, all []*Conn) {
	if len(all) == 0 {
		return
	}
	defer p.endAll(ctx, all[1:])
	defer p.vacate(false)
	p.end(ctx, all[0])
}
