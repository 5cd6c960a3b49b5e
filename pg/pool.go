package pg

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A pool has the connections that single callers own, each with a line of its own. Callers that
// wait are served in the order in which they came.
//
//	idle       in the list, for the next owner
//	owned      by a session or transaction
//	returning  being made ready for the next owner
type pool struct {
	db   *DB
	most int

	mu         sync.Mutex // held for moments. A line's mutex is never taken inside
	all        map[*owned]struct{}
	idle       []*owned // the one that was used last is used first
	connecting int
	dialed     int  // connections in all that DB.Dial has opened, which most doesn't count
	readying   int  // connections that are being made ready for their next owner
	coming     int  // places that the lanes are about to give up
	heeded     bool // a loop had to know what one of the waiters waits for
	waiters    []*loop.Promise[*owned]
	closing    bool
	generation int    // connections of an older one are worn out
	pauses     pauses // between attempts to connect
	returned   []func()

	acquires, waits, givenUp, opens, connectErrors, lifetimeClosed, idleClosed uint64
	waited                                                                     time.Duration
}

// acquire gives the lease a connection. Its owner must give it back with recycle.
func (p *pool) acquire(ctx context.Context, own *lease) error {
	for {
		s, sampled, err := p.take(ctx)
		if err != nil {
			return err
		}
		if own.take(s) {
			p.note(s, sampled)
			return nil
		}
	}
}

// take takes an idle session, or waits for one. sampled reports whether to record the place that
// acquires it. It is true for every caller that has to wait, because then no session is free.
func (p *pool) take(ctx context.Context) (s *owned, sampled bool, err error) {
	if err := loop.ContextError(ctx); err != nil {
		return nil, false, err
	}
	p.mu.Lock()
	if p.closing {
		p.mu.Unlock()
		return nil, false, ErrClosed
	}
	p.acquires++
	if n := len(p.idle); n > 0 && len(p.waiters) == 0 {
		s := p.idle[n-1]
		p.idle = p.idle[:n-1]
		s.since = 0
		if p.db.config.MinIdleSessions > 0 {
			p.fill()
		}
		sampled := p.samples()
		p.mu.Unlock()
		return s, sampled, nil
	}
	began := nanotime()
	w := loop.NewPromise[*owned](nil)
	w.Future().SetName("a session of the database")
	if explorer() == nil { // otherwise the pool waits for it on the spot, if it is on its way
		w.AskedBy(repaint.CurrentLoop())
	}
	p.waiters = append(p.waiters, w)
	p.waits++
	p.grow()
	p.heeded = w.UnderWay(false) || p.heeded
	p.heed()
	p.mu.Unlock()
	killed := true
	defer func() {
		p.noteWait(nanotime() - began)
		if killed { // its greenlet is being unwound
			p.giveUp(w, context.Canceled)
		}
	}()
	p.untilConnected()
	s, err = repaint.Await(ctx, w.Future())
	killed = false
	if err != nil {
		if isEnd(err) {
			err = p.inVain(err)
		}
		p.giveUp(w, err)
		return nil, false, err
	}
	return s, true, nil
}

func (p *pool) noteWait(took int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waited += time.Duration(took)
}

// giveUp ends the wait of a caller that gives up.
func (p *pool) giveUp(w *loop.Promise[*owned], why error) {
	if w.Future().Cancel(why); w.Future().Err() == nil { // it had come all the same
		if s, _ := w.Future().Result(); s != nil {
			p.deliver(s)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.givenUp++
	p.waiters = slices.DeleteFunc(p.waiters, func(o *loop.Promise[*owned]) bool { return o == w })
	p.heed()
}

// heed tells the waiters' loops for whom a connection is being made, or a place. The other waiters wait for
// owners, which may be tasks that sleep. The caller must hold the mutex.
func (p *pool) heed() {
	if !p.heeded {
		return
	}
	for i, w := range p.waiters {
		made := p.connecting + p.readying
		w.UnderWay(i < made+p.coming)
		w.Certain(i < made)
	}
}

// ready counts connections that are being made ready, or no longer are.
func (p *pool) ready(change int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.readying += change
	p.heed()
}

// grow opens connections for the waiters, as far as the limit allows. The caller must hold the
// mutex.
func (p *pool) grow() {
	for p.connecting < len(p.waiters) && p.places() < p.most {
		if !p.db.places.session(true) {
			p.coming = max(p.coming, 1) // the balancer knows better
			return
		}
		if !p.connect() {
			return
		}
	}
	p.coming = 0
}

// places returns how many connections exist or are being made. The caller must hold the mutex.
func (p *pool) places() int { return len(p.all) - p.dialed + p.connecting }

// connect starts to open another connection, and reports whether it did. The connection has a
// place, which connect leaves if it doesn't. The caller must hold the mutex.
func (p *pool) connect() bool {
	p.connecting++
	wait, generation := p.pauses.wait(), p.generation
	if p.db.spawn(func() { p.open(wait, generation) }) {
		return true
	}
	p.connecting--
	p.db.places.leave(0, 1)
	return false
}

// open connects, after a pause if the last attempt failed, for the caller that has waited longest
// by then. If it fails, that caller gets the error. If there is no connection and none is being
// made, all waiting callers get it.
func (p *pool) open(wait time.Duration, generation int) {
	w, err := p.db.connectAfter(wait, forAll, nil)
	s := newOwned(p.db, p.db.config.StatementCache)
	s.places, s.placed = p.db.places, true
	p.mu.Lock()
	p.connecting--
	p.readying++ // until this function has dealt with it
	defer p.ready(-1)
	if err == nil && p.closing {
		err = errors.Join(ErrClosed, w.net.Close())
	}
	if err != nil {
		p.db.places.leave(0, 1)
	}
	if err == nil {
		p.all[s] = struct{}{}
		p.opens++
		p.pauses.ended()
		s.generation, s.expires = generation, p.db.config.expiry()
	} else {
		p.connectErrors++
		p.pauses.failed(err)
		if p.closing {
			err = ErrClosed
		}
		alone := p.places() == 0
		for len(p.waiters) > 0 && (!p.shift().Reject(err) || alone) {
		}
		p.grow() // the others try for themselves
	}
	p.mu.Unlock()
	if err != nil {
		return
	}
	p.ready(1)
	p.setUp(s, w, func(alive bool) {
		if alive {
			p.deliver(s)
		}
		p.ready(-1)
	})
}

// setUp makes a new connection the connection of a session, and calls then when its first owner may
// have it, or when it is lost.
func (p *pool) setUp(s *owned, w *wire, then func(alive bool)) {
	s.onLost = func() { p.lost(s) }
	s.mu.Lock()
	c := s.add(w)
	s.driver.line, s.owner = &s.line, &s.driver // until it is delivered
	s.mu.Unlock()
	switch {
	case c == nil:
		p.lost(s)
		then(false)
	case !p.db.config.setsUp():
		then(true)
	default:
		s.keep(&s.driver, func(error) { then(true) })
	}
}

// shift takes the first waiter. It needs the mutex.
func (p *pool) shift() *loop.Promise[*owned] {
	w := p.waiters[0]
	p.waiters[0] = nil
	p.waiters = p.waiters[1:]
	return w
}

// deliver gives a ready connection to the caller that has waited longest, or makes it idle. It
// closes a connection that is worn out, or whose place the lanes need, instead.
func (p *pool) deliver(s *owned) {
	if !p.pass(s) {
		s.quit()
		p.lost(s)
	}
}

// pass is deliver for a connection that stays. It reports false for one that must be closed.
func (p *pool) pass(s *owned) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, alive := p.all[s]; !alive {
		return true
	}
	if (s.generation != p.generation || s.expires != 0) && p.isOutworn(s, nanotime()) {
		p.lifetimeClosed++
		return false
	}
	if !s.dialed && p.db.places.collects() {
		return false
	}
	if s.taken.Load() != nil {
		s.taken.Store(nil)
	}
	for len(p.waiters) > 0 {
		if p.shift().Resolve(s) {
			s.since = 0
			p.heed()
			return true
		}
	}
	p.idle = append(p.idle, s)
	p.checkReturned()
	return true
}

// lost forgets a connection that has broken, wherever it was, so that there can be another one.
func (p *pool) lost(s *owned) {
	defer p.vacate(s)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, alive := p.all[s]; alive && s.dialed {
		p.dialed--
	}
	delete(p.all, s)
	p.idle = slices.DeleteFunc(p.idle, func(o *owned) bool { return o == s })
	p.grow()
	p.checkReturned()
	if p.db.config.MinSessions+p.db.config.MinIdleSessions > 0 {
		p.fill()
	}
}

// recycleTimeout is how long statements may run on a connection after the end of its owner, until
// they are cancelled.
var recycleTimeout = 20 * time.Second // a variable only for tests

// recycle takes a connection back from its owner. It restores the connection, without blocking the
// caller, and delivers it. If that fails, it closes the connection.
func (p *pool) recycle(own *lease, thorough bool) {
	own.revoke()
	s := own.session()
	defer p.untilReturned()
	s.abandonUnread()
	if !thorough && s.isClean() {
		p.deliver(s) // as after most transactions
		return
	}
	p.ready(1)
	done := repaint.CurrentLoop().Bridge().Busy()
	late := time.AfterFunc(recycleTimeout, s.cancel)
	s.restore(thorough, func(clean bool) {
		p.back(s, late.Stop() && clean) // otherwise it is being closed already
		p.ready(-1)
		done()
	})
}

// back delivers a connection without an owner, if it is clean, and closes it otherwise.
func (p *pool) back(s *owned, clean bool) {
	s.mu.Lock()
	private := s.private
	s.mu.Unlock()
	if clean && !private {
		p.deliver(s)
		return
	}
	s.quit()
	p.lost(s)
}

// stop makes the pool accept no more owners, and tells the waiters.
func (p *pool) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	for len(p.waiters) > 0 {
		p.shift().Reject(ErrClosed)
	}
}

// whenReturned calls fn once no connection has an owner.
func (p *pool) whenReturned(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.returned = append(p.returned, fn)
	p.checkReturned()
}

func (p *pool) checkReturned() {
	if len(p.idle) < len(p.all) {
		return
	}
	for _, fn := range p.returned {
		fn()
	}
	p.returned = nil
}

// list returns all connections.
func (p *pool) list() (all []*line) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for s := range p.all {
		all = append(all, &s.line)
	}
	return all
}

// owned returns the connections that aren't idle.
func (p *pool) owned() []*owned {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []*owned
	for s := range p.all {
		if !slices.Contains(p.idle, s) {
			all = append(all, s)
		}
	}
	return all
}

func (p *pool) quit() {
	for _, s := range p.list() {
		s.quit()
	}
}
