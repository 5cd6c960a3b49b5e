package pg

import (
	"math/rand/v2"
	"time"
)

// startUpkeep starts the goroutine that replaces connections at the end of their lifetime, closes
// those that have been idle for too long, opens missing ones, and asks for signs of life. It starts
// none if no option asks for any of that.
func (db *DB) startUpkeep() {
	c := db.config
	if c.MaxConnLifetime+c.MaxConnIdleTime+c.HealthCheckPeriod == 0 && c.MinLanes+c.MinSessions+c.MinIdleSessions == 0 {
		return
	}
	db.spawn(db.upkeep)
}

func (db *DB) upkeep() {
	db.keepUp()
	looks := time.NewTicker(db.config.upkeepPeriod())
	defer looks.Stop()
	asked := nanotime()
	for {
		select {
		case <-looks.C:
		case <-db.ctx.Done():
			return
		}
		db.keepUp()
		if every := db.config.HealthCheckPeriod; every > 0 && nanotime()-asked >= int64(every) {
			asked = nanotime()
			db.doubt()
		}
	}
}

func (db *DB) keepUp() {
	for _, s := range db.allLanes() {
		s.keepUp()
	}
	db.pool.keepUp()
}

// upkeepPeriod returns how often the goroutine looks at the connections: often enough that it
// exceeds a short time only by a little.
func (c *Config) upkeepPeriod() time.Duration {
	period := time.Minute
	if c.HealthCheckPeriod > 0 {
		period = c.HealthCheckPeriod
	}
	for _, limit := range []time.Duration{c.MaxConnLifetime, c.MaxConnIdleTime} {
		if limit > 0 {
			period = min(period, limit/4)
		}
	}
	return max(period, 10*time.Millisecond)
}

// expiry returns when a connection that is opened now is to be replaced, on the clock of nanotime.
// 0 means never.
func (c *Config) expiry() int64 {
	if c.MaxConnLifetime == 0 {
		return 0
	}
	return nanotime() + int64(c.MaxConnLifetime) + rand.N(int64(c.MaxConnLifetimeJitter)+1)
}

// Reset makes the DB replace every connection as soon as it is free, as at the end of
// Config.MaxConnLifetime: after a failover, say, or when a hook sets connections up differently
// from now on. It returns at once, and any goroutine may call it. What is under way goes on: lanes
// answer what they have, and sessions and transactions keep their connection until they end.
// Listeners keep theirs.
func (db *DB) Reset() {
	for _, s := range db.allLanes() {
		s.outdate()
	}
	p := db.pool
	p.mu.Lock()
	p.generation++
	p.mu.Unlock()
	db.keepUp()
}

// outdate makes the next keepUp replace every lane.
func (s *lanes) outdate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.generation++
	for _, c := range s.conns {
		c.expires = longPast
	}
}

// longPast is an expiry that has passed.
const longPast = -1

// rest says since when a lane has had nothing to do, as far as keepUp has seen. Signs of life don't
// count as work.
type rest struct {
	served uint64
	since  int64
}

// works reports whether a lane has anything under way but a sign of life. It needs the mutex.
func (c *conn) works() bool {
	return c.sent.len() > 1 || c.sent.len() == 1 && !c.sent.at(0).isSign()
}

// keepUp replaces and closes lanes, and opens missing ones.
func (s *lanes) keepUp() {
	now := nanotime()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		if served := c.served - c.signs; c.works() || served != c.rest.served || c.rest.since == 0 {
			c.rest = rest{served, now}
		}
	}
	s.closeIdle(now)
	s.renew(now)
	s.fill()
}

// closeIdle closes lanes that have been idle for too long. It needs the mutex.
func (s *lanes) closeIdle(now int64) {
	limit := s.db.config.MaxConnIdleTime
	if limit == 0 || s.closing {
		return
	}
	for _, c := range s.serving() {
		if s.open() > s.least && !c.works() && now-c.rest.since >= int64(limit) {
			s.stats.IdleClosed++
			c.retire()
		}
	}
}

// serving returns the lanes that take statements, now or soon again. It needs the mutex.
func (s *lanes) serving() (all []*conn) {
	for _, c := range s.conns {
		if c.serves() {
			all = append(all, c)
		}
	}
	return all
}

// open returns how many lanes are serving. It needs the mutex.
func (s *lanes) open() (n int) {
	for _, c := range s.conns {
		if c.serves() {
			n++
		}
	}
	return n
}

func (c *conn) serves() bool { return !c.retiring && c.dead == nil && c.failed == nil }

// renew replaces the lanes whose lifetime has ended, one at a time. It opens the new lane first. So
// for a moment there is one lane more than the limit, and callers notice nothing. While an old lane
// with a long statement takes up that room, renew closes expired lanes at once if other lanes can
// take over. It needs the mutex.
func (s *lanes) renew(now int64) {
	if s.closing {
		return
	}
	for _, c := range s.serving() {
		switch {
		case c.expires == 0 || now < c.expires:
		case s.spare(c) && c.sent.len() == 0:
			s.stats.LifetimeClosed++
			c.retire()
		case s.renewing:
			return
		case len(s.conns)+s.connecting <= s.most && s.places.lane(false):
			s.replace(c)
			return
		case s.open() > 1 || s.places != nil && len(s.conns) == 1:
			s.stats.LifetimeClosed++
			c.retire()
		}
	}
}

// replace starts to open a connection that takes a lane's place. It needs the mutex.
func (s *lanes) replace(c *conn) {
	s.renewing = true // with a place
	wait, generation := s.pauses.wait(), s.generation
	if !s.db.spawn(func() { s.openInstead(c, wait, generation) }) {
		s.renewing = false
		s.places.leave(1, 0)
	}
}

func (s *lanes) openInstead(old *conn, wait time.Duration, generation int) {
	w, err := s.db.connectAfter(wait, s.purpose, s.node)
	s.mu.Lock()
	s.renewing = false
	var c *conn
	switch {
	case err == nil && (s.closing || !old.serves() && len(s.conns)+s.connecting >= s.most):
		s.db.discard(w, func() { s.places.leave(1, 0) }) // the new lane isn't needed any more
	case err != nil:
		s.places.leave(1, 0)
		s.stats.ConnectErrors++
		s.pauses.failed(err) // the old lane goes on; the next keepUp tries again
	default:
		if c = s.addLane(w, generation); c != nil {
			if old.serves() {
				s.stats.LifetimeClosed++
				old.retire()
			}
			s.renew(nanotime())
		}
	}
	s.finishUp(c)
}

// fill opens lanes up to the minimum. It needs the mutex.
func (s *lanes) fill() {
	for !s.closing && s.connecting < maxConnecting && s.open()+s.connecting < s.least && len(s.conns)+s.connecting < s.most && s.places.lane(false) {
		if !s.connect(s.pauses.wait()) {
			return
		}
	}
}

// keepUp closes sessions without an owner that have been idle for too long or are too old, and
// opens missing ones.
func (p *pool) keepUp() {
	now := nanotime()
	limit := p.db.config.MaxConnIdleTime
	var outworn []*owned
	p.mu.Lock()
	if p.closing {
		p.mu.Unlock()
		return
	}
	kept := make([]*owned, 0, len(p.idle))
	for i, s := range p.idle { // those at the front have been idle longest
		if s.since == 0 {
			s.since = now
		}
		least := min(len(p.all)-p.dialed-len(outworn)-p.db.config.MinSessions, len(kept)+len(p.idle)-i-p.db.config.MinIdleSessions)
		switch {
		case p.isOutworn(s, now):
			p.lifetimeClosed++
			outworn = append(outworn, s)
		case limit > 0 && now-s.since >= int64(limit) && least > 0:
			p.idleClosed++
			outworn = append(outworn, s)
		default:
			kept = append(kept, s)
		}
	}
	p.idle = kept
	p.mu.Unlock()
	for _, s := range outworn {
		s.quit()
		p.lost(s)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fill()
}

// isOutworn reports whether a session's connection is to be replaced. It needs the mutex.
func (p *pool) isOutworn(s *owned, now int64) bool {
	return !s.dialed && (s.generation != p.generation || s.expires != 0 && now >= s.expires)
}

// fill opens sessions up to the minimums. It needs the mutex.
func (p *pool) fill() {
	c := p.db.config
	for !p.closing && p.places() < p.most && (p.places() < c.MinSessions || len(p.idle)+p.connecting-len(p.waiters) < c.MinIdleSessions) && p.db.places.session(false) {
		if !p.connect() {
			return
		}
	}
}
