package pg

import "fmt"

// A server ends connections that are idle for long, and all of them when it restarts. It can do so
// just before an owner's first statement. As long as the server has executed nothing for the owner,
// one connection is as good as another. So the session gets another connection, and the owner keeps
// its session, its lease, its segments, and the transaction that it is about to begin.

// replaceable reports whether the session may get another connection if its own breaks. It needs
// the mutex.
func (s *owned) replaceable() bool { return s.unused && !s.closing }

// repeats reports whether what was sent may be sent again on another connection. That is all or
// nothing, because what is sent on a session may rely on what was sent before. What the server may
// have executed isn't repeated, even if the server has rolled it back: a rollback doesn't undo
// every effect.
func (s *owned) repeats(sent []*segment, fates []aftermath) bool {
	can := s.unused && !s.closing
	for i, g := range sent {
		can = can && fates[i] == unmoved && g.losses < maxLosses && (g.harmless || !g.abandoned.Load())
	}
	s.unused = can
	return can
}

// replace starts to open another connection if the session has none and segments wait for it. It
// needs the mutex.
func (s *owned) replace() {
	if len(s.conns) > 0 || s.connecting > 0 || s.queuedNow == 0 || !s.replaceable() {
		return
	}
	s.connecting++
	if !s.db.spawn(s.reconnect) {
		s.connecting--
	}
	s.heedAll()
}

// reconnect opens another connection for the segments that wait on the session.
func (s *owned) reconnect() {
	w, err := s.db.pool.openInstead(s)
	s.mu.Lock()
	s.connecting--
	var c *conn
	switch {
	case err == nil && !s.closing:
		c = s.add(w)
	case err == nil:
		s.departing++
		s.db.discard(w, s.departed) // nothing was done on it
	}
	if c != nil {
		s.pull(c, nanotime())
		c.ensureReader()
		s.heedAll()
		s.finishUp(c)
		return
	}
	if s.closing || err == nil {
		err = ErrClosed
	}
	s.unused = false
	s.lost = fmt.Errorf("%w; and there is no other connection: %w", s.lost, err)
	told := s.failQueue(&LostError{MaybeApplied: false, Err: s.lost})
	idle := s.idleNow()
	s.mu.Unlock()
	s.onLost()
	for _, g := range told {
		g.tell()
	}
	for _, fn := range idle {
		fn()
	}
}

// openInstead opens a connection for a session that has lost its own. The pool counts it as one of
// its own: it waits for the pool's pause, and has the lifetime and generation of a new connection.
func (p *pool) openInstead(s *owned) (*wire, error) {
	p.mu.Lock()
	wait, generation := p.pauses.wait(), p.generation
	p.mu.Unlock()
	w, err := p.db.connectAfter(wait, forAll, nil)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.connectErrors++
		p.pauses.failed(err)
		return nil, err
	}
	p.opens++
	p.pauses.ended()
	s.generation, s.expires = generation, p.db.config.expiry()
	return w, nil
}

// useless notes that a session's connection broke before it was of any use. For the pause before
// the next attempt, that counts as a failure to connect.
func (p *pool) useless(s *owned, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, mine := p.all[s]               // a listener has pauses of its own
	if mine && p.pauses.wait() <= 0 { // many that break at once count as one
		p.pauses.failed(why)
	}
}

// lostBy returns why the session has no connection.
func (s *owned) lostBy() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lost == nil {
		return ErrClosed
	}
	return s.lost
}
