package pg

import (
	"sync"
	"sync/atomic"
	"time"
)

// Places are the connections that Config.MaxConns allows, for the lanes and the pool of sessions
// together. Each takes a place before it opens a connection, and leaves it when the server has
// ended that connection. So the server never has more connections than there are places.
//
// Where no place is free, one kind lends to the other:
//
//   - Sessions get the places of lanes beyond a quarter at once, because other lanes carry the
//     statements on. Of the first quarter they get those that have been idle for lendAfter. One
//     lane stays.
//   - Lanes get the places of idle sessions, up to a quarter at once, beyond that of sessions that
//     have been idle for lendAfter. Up to a quarter they get the place of the next session that is
//     given back, before its next owner, if a statement has waited for long.
//
// A nil *places has no limit.
type places struct {
	db   *DB
	most int
	few  int // so many, a quarter, the lanes get before sessions do

	// owed is how many sessions the pool must close when they are given back.
	owed atomic.Int32

	mu       sync.Mutex // the innermost one: no other is taken inside, except jobs
	lanes    int        // places taken
	sessions int
	asked    wants         // who was refused a place since the balancer last looked
	balances bool          // the balancer runs
	closing  bool          // nothing is balanced any more, and connections are closed at once
	wake     chan struct{} // wakes the balancer; has room for one
	yields   uint64
}

// wants says who needs a place.
type wants struct{ lane, session bool }

func newPlaces(db *DB) *places {
	most := db.config.MaxConns
	if most == 0 || !db.config.Pipeline {
		return nil
	}
	return &places{db: db, most: most, few: max(1, most/4), wake: make(chan struct{}, 1)}
}

// limit returns how many connections of one kind there may be: one place stays for the other kind.
func (p *places) limit(own int) int {
	if p == nil {
		return own
	}
	return min(own, p.most-1)
}

// lane takes a place for a lane, and reports whether it did. If not, and the place is needed, the
// balancer tries to get one.
func (p *places) lane(needed bool) bool {
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lanes+p.sessions < p.most && (p.lanes < p.few || !p.asked.session) {
		p.lanes++
		return true
	}
	if needed {
		p.asked.lane = true
		p.balance()
	}
	return false
}

// session is lane for a session.
func (p *places) session(needed bool) bool {
	if p == nil {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lanes+p.sessions < p.most && (p.lanes >= p.few || !p.asked.lane) {
		p.sessions++
		return true
	}
	if needed {
		p.asked.session = true
		p.balance()
	}
	return false
}

// leave gives back the places of lanes and of sessions.
func (p *places) leave(lanes, sessions int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lanes -= lanes
	p.sessions -= sessions
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// collects reports whether a session that is given back must be closed, because the lanes need its
// place.
func (p *places) collects() bool {
	if p == nil || p.owed.Load() == 0 || !p.owed.CompareAndSwap(1, 0) {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.yields++
	return true
}

// full reports whether no place is free.
func (p *places) full() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lanes+p.sessions >= p.most
}

// stop ends the balancing, because the DB is being closed.
func (p *places) stop() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
}

// counts reports whether a connection that is being closed has its place until the server has ended
// it.
func (p *places) counts() bool {
	if p == nil {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.closing
}

// lendAfter is how long a connection must have been idle before the other kind gets its place, if
// it isn't one too many.
const lendAfter = 100 * time.Millisecond

// balanceEvery is how often the balancer looks again while it can't help.
const balanceEvery = 5 * time.Millisecond

// balance starts the balancer if it doesn't run. The caller must hold the mutex.
func (p *places) balance() {
	if !p.balances && !p.closing {
		p.balances = p.db.spawn(p.keepBalance)
	}
}

// keepBalance is the balancer. It runs as long as a place is needed.
func (p *places) keepBalance() {
	again := time.NewTimer(balanceEvery)
	defer again.Stop()
	lanes, pool := p.db.lanes.of.(*lanes), p.db.pool
	for p.goesOn() {
		wanted := pool.useFree()
		waits := lanes.useFree()
		held := p.held()
		lent := 0
		if wanted > 0 {
			closed, coming := lanes.yield(wanted, held.lanes, p.few)
			lent += closed
			pool.expect(coming)
		}
		if waits && wanted == 0 || waits && held.lanes < p.few {
			lent += pool.yield(held.sessions, held.lanes < p.few)
		} else {
			p.owed.Store(0)
		}
		p.note(lent)
		again.Reset(balanceEvery)
		select {
		case <-p.wake:
		case <-again.C:
		case <-p.db.ctx.Done():
			return
		}
	}
	p.owed.Store(0)
}

// goesOn reports whether a place has been asked for since the last look. If not, the balancer ends.
func (p *places) goesOn() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.balances = p.asked != wants{} && !p.closing
	p.asked = wants{}
	return p.balances
}

// held returns how many places are taken.
func (p *places) held() (now struct{ lanes, sessions int }) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now.lanes, now.sessions = p.lanes, p.sessions
	return now
}

// count adds to the figures of lanes and sessions, which must be there.
func (p *places) count(st *Stats) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	st.MaxConns, st.Yielded = p.most, p.yields
	st.Departing = max(0, p.lanes+p.sessions-(st.Lanes+st.RetiringLanes+st.Connecting+st.Sessions+st.SessionsConnecting))
}

func (p *places) note(lent int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.yields += uint64(lent)
}

// useFree opens sessions for waiting callers where a place is free, and returns how many callers
// still need one.
func (p *pool) useFree() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.grow()
	return max(0, min(len(p.waiters)-p.connecting-p.readying, p.most-p.places()))
}

// expect notes how many places the lanes are about to give up.
func (p *pool) expect(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.coming = n
	p.heed()
}

// yield closes a session for a place that the lanes need, and returns how many it has closed. held
// is how many places the sessions have; if that is more than there are, one is about to be free. If
// first is true, the lanes come first.
func (p *pool) yield(held int, first bool) int {
	p.mu.Lock()
	now := nanotime()
	for _, s := range p.idle {
		if s.since == 0 {
			s.since = now
		}
	}
	if p.closing || held > p.places() {
		p.mu.Unlock()
		return 0
	}
	if len(p.idle) == 0 || !first && now-p.idle[0].since < int64(lendAfter) {
		if first {
			p.db.places.owed.Store(1)
		}
		p.mu.Unlock()
		return 0
	}
	s := p.idle[0] // it has been idle longest
	p.idle = append(p.idle[:0], p.idle[1:]...)
	p.mu.Unlock()
	s.quit()
	p.lost(s)
	return 1
}

// vacate gives back the place of a session that has ended, if nothing is left of its connection.
func (p *pool) vacate(s *owned) {
	if p.db.places == nil || s.dialed {
		return
	}
	s.mu.Lock()
	gone := len(s.conns)+s.connecting+s.departing == 0
	s.mu.Unlock()
	p.mu.Lock()
	_, alive := p.all[s]
	leaves := gone && !alive && s.placed
	if leaves {
		s.placed = false
	}
	p.mu.Unlock()
	if leaves {
		p.db.places.leave(0, 1)
	}
}

// useFree opens a lane if one is needed and a place is free. It reports whether one is needed.
func (s *lanes) useFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	needed := s.queuedNow > 0 && (len(s.conns) == 0 || s.waitsLong()) && len(s.conns)+s.connecting < s.most
	if needed {
		s.grow()
	}
	return needed
}

// yield retires lanes for sessions that are needed, and returns how many. held is how many places
// the lanes have, and few how many of these they keep while they use them. coming is how many
// places sessions can expect soon.
func (s *lanes) yield(wanted, held, few int) (closed, coming int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := nanotime()
	serving := s.serving()
	left := len(serving) + s.connecting
	coming = held - left // these are being closed
	for _, c := range s.conns {
		if c.retiring && c.dead == nil && c.failed == nil && now-c.retired > int64(lendAfter) {
			coming-- // it has a slow statement
		}
	}
	for coming < wanted && left > 1 {
		c := s.leastUsed(serving, now, left <= few)
		if c == nil {
			break
		}
		c.retire()
		serving = s.serving()
		left--
		closed++
		coming++
	}
	for _, c := range serving {
		if left > 1 && c.sent.len() == 0 {
			left-- // it will have been idle for long
			coming++
		}
	}
	return closed, coming
}

// leastUsed returns the lane that others can do without most easily, the last of these. If rested
// is true, it must have been idle for lendAfter. leastUsed needs the mutex.
func (s *lanes) leastUsed(serving []*conn, now int64, rested bool) (best *conn) {
	for _, c := range serving {
		if rested && (c.sent.len() > 0 || now-max(c.rested, c.made) < int64(lendAfter)) {
			continue
		}
		if best == nil || c.sent.len() <= best.sent.len() {
			best = c
		}
	}
	return best
}
