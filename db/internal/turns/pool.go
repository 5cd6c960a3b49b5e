package turns

import (
	"context"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/loop"
)

// Pool keeps the connections of an engine. Callers wait in line for them; see queue. A place is a
// connection that exists, or that a dialing is making. If the dialing fails, the place goes to the
// next caller in line, so that no caller waits for a connection that never comes.
type Pool struct {
	queue
	PoolConfig
	dials     context.Context // ends when the pool closes, and ends all dialings; stopDials ends it
	stopDials context.CancelCauseFunc

	// Guarded by mu. places counts the connections that are idle, that have a user, and that are
	// being made or closed; it never exceeds Max. While a caller waits, idle is empty.
	idle       []*Conn // the last one returned is the first one used
	places     int
	orphans    int                // places whose dialing has no caller; see dialing
	all        map[*Conn]struct{} // the connections that are open
	pauses     pauses
	generation uint64 // the pool replaces connections of earlier generations
	closed     error
	drained    *loop.Promise[struct{}] // resolved after Close, once no place is in use

	last      int64 // the last connection's number
	acquired  int64
	connects  int64
	failures  int64
	discarded int64
	outlived  int64 // connections closed at the end of their lifetime
	unused    int64 // connections closed after a long time idle
}

// PoolConfig configures a Pool. The Pool calls its functions without holding a lock, except
// TimedOut and GaveUp.
type PoolConfig struct {
	Size     int           // how many connections the pool keeps open when no caller waits
	Max      int           // the most places
	Timeout  time.Duration // the longest wait for a connection; 0 means no limit
	Lifetime time.Duration // the pool replaces connections older than this; 0 means never
	Jitter   time.Duration // a random time up to this is added to each connection's lifetime
	IdleTime time.Duration // the pool closes a connection after this long idle; 0 means never
	Health   time.Duration // how often the pool pings idle connections; 0 means never
	Min      int           // the fewest connections; at most Size
	MinIdle  int           // the fewest idle connections; at most Size
	Cleanup  time.Duration // the time limit for closing, resetting or pinging a connection; 0 means none
	Dial     time.Duration // the time limit for making a connection; 0 means none
	Ping     time.Duration // the pool pings a connection after this long idle, before use; negative means never

	Connect func(ctx context.Context) (backend.Session, error)
	// SetUp prepares a new connection for its users; nil does nothing.
	SetUp func(ctx context.Context, c *Conn) error
	// The Pool calls Given when it gives a connection out, and Back when the connection returns;
	// nil does nothing.
	Given, Back func(ctx context.Context, c *Conn)
	// Unreachable wraps the error of a caller that gets no connection.
	Unreachable func(ctx context.Context, err error) error
	// TimedOut returns the error of a caller that has waited longer than Timeout, and GaveUp the
	// error of a caller whose context ended while it waited. The Pool calls them with its lock
	// held, so they must not call it.
	TimedOut func(x Exhausted) error
	GaveUp   func(x Exhausted, why error) error
}

// NewPool returns a Pool that has no connections yet.
func NewPool(conf PoolConfig) *Pool {
	p := &Pool{PoolConfig: conf, queue: queue{timeout: conf.Timeout}, all: map[*Conn]struct{}{}}
	p.dials, p.stopDials = context.WithCancelCause(context.Background())
	return p
}

// Acquire returns a connection, which the caller must release or abandon. It waits until there is
// one, ctx ends, PoolConfig.Timeout has passed, or the pool closes.
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

// take returns an idle connection, or nil and a place for one. ok is false if there is neither. The
// lock is held.
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

// fresh returns the connection that the caller has. If that is too old or doesn't answer, it
// returns a new one in its place. A nil c stands for a place without a connection.
func (p *Pool) fresh(ctx context.Context, c *Conn) (*Conn, error) {
	p.mu.Lock()
	p.acquired++
	usable := c != nil && !p.isStale(c)
	last := len(p.idle) == 0 && p.places >= p.Max
	p.mu.Unlock()
	if usable && p.isIdleLong(c) && !p.answers(ctx, c) {
		if err := loop.ContextError(ctx); err != nil {
			c.Bad = true // a ping may still be under way
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

// answers pings a connection and reports whether it answers.
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

// isDoubtful reports whether fresh would do more than return c.
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

// Exchange returns a new connection in the place of a dead one. If it can't make one, it gives up
// the place and returns the error.
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

// Release takes a connection back, even if PoolConfig.Back panics.
func (p *Pool) Release(ctx context.Context, c *Conn) {
	if p.Back != nil {
		defer p.putBack(ctx, c)
		p.Back(ctx, c)
		return
	}
	p.putBack(ctx, c)
}

// putBack gives a connection to the next user, keeps it idle, or closes it.
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

// reset undoes what the last user left behind, and reports whether nothing of it remains. gone
// reports that the caller is being killed, and that the connection is no longer the caller's.
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
	if thorough || ctx.Err() != nil { // the reset has to ask the database
		var done context.CancelFunc
		ctx, done = backend.Ending(ctx, p.Cleanup)
		defer done()
	}
	clean = s.Reset(ctx, thorough) == nil
	gone, c.Lent, c.Obscure = false, false, false
	return clean, gone
}

// Abandon takes back a connection whose user was killed while a call ran on it. It returns at once,
// and calls then after nothing uses the connection any more.
func (p *Pool) Abandon(c *Conn, then func()) {
	done := repaint.CurrentLoop().Bridge().Busy()
	go func() {
		defer done()
		defer then()
		defer p.vacate(false)
		defer func() {
			_ = recover() // a panic of the session's Close is dropped, as its error is: the caller has its own panic
			p.mu.Lock()
			p.discarded++
			p.mu.Unlock()
		}()
		p.end(context.Background(), c)
	}()
}

// end closes a connection. The connection's place stays in use.
func (p *Pool) end(ctx context.Context, c *Conn) {
	p.mu.Lock()
	delete(p.all, c)
	if p.hasExpired(c) {
		p.outlived++
	}
	p.mu.Unlock()
	ctx, done := backend.Ending(ctx, p.Cleanup)
	defer done()
	// The error doesn't matter: the connection is gone either way.
	_ = c.Session.Close(ctx)
}

// vacate gives up a place, which goes to the first waiter.
func (p *Pool) vacate(failed bool) {
	p.mu.Lock()
	if failed {
		p.failures++
	}
	p.handOn(nil)
}

// handOn gives a connection, or a place if c is nil, to the first waiter. The lock is held, and
// released.
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
	if c != nil { // the pool has closed since the caller looked
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

// Invalidate marks all open connections stale, so that the pool replaces each before its next use:
// one of them was found dead, so the others probably are.
func (p *Pool) Invalidate() {
	p.mu.Lock()
	p.generation++
	p.mu.Unlock()
}

func (p *Pool) isStale(c *Conn) bool { return c.generation != p.generation || p.hasExpired(c) }

func (p *Pool) hasExpired(c *Conn) bool { return !c.expires.IsZero() && time.Now().After(c.expires) }

// watchesIdle reports whether the pool needs to know how long a connection has been idle.
func (p *Pool) watchesIdle() bool { return p.Ping >= 0 || p.IdleTime > 0 || p.Health > 0 }

// Closed returns the error that Close was given, or nil if the pool is open.
func (p *Pool) Closed() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// Close refuses waiting and new callers with why, closes the idle connections, and waits until ctx
// ends for the others to come back. It closes connections that come back later, too. It returns how
// many are still out. ending is the context for closing the idle connections.
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

// endAll closes connections that have no owner, and gives up their places. It closes all of them
// even if a session panics.
func (p *Pool) endAll(ctx context.Context, all []*Conn) {
	if len(all) == 0 {
		return
	}
	defer p.endAll(ctx, all[1:])
	defer p.vacate(false)
	p.end(ctx, all[0])
}
