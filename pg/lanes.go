package pg

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// lanes are the connections that carry the statements of all callers of a DB. More of them are
// opened if need be. Nothing may be left behind on them.
type lanes struct {
	line
	most int // connections
	few  int // of these, so many are opened freely, and preferred

	// Guarded by the mutex.
	backoff   time.Duration
	notBefore time.Time // the next attempt to connect
	timer     *time.Timer
	watching  bool // the timer is set
}

func newLanes(db *DB, most, few, depth int, descs *descriptions) *lanes {
	s := &lanes{line: line{db: db, depth: depth, descs: descs}, most: most, few: few}
	s.of = s
	return s
}

func (s *lanes) refusesNow(*segment) error { return nil }

func (s *lanes) mayWait() error {
	if most := s.db.config.QueueLimit; most > 0 && s.queuedNow >= most {
		return ErrQueueFull
	}
	return nil
}

func (s *lanes) took(*segment) {}

// pick prefers the first few lanes: what shares a lane shares system calls, too. The others are for
// when these are full.
func (s *lanes) pick() *conn {
	if s.queuedNow > 0 {
		return nil
	}
	var best *conn
	for i, c := range s.conns {
		if i == s.few && best != nil {
			break
		}
		if !c.open() {
			continue
		}
		n := c.sent.len()
		if n == 0 {
			return c
		}
		if n >= s.room(c) {
			continue
		}
		if best == nil || n < best.sent.len() {
			best = c
		}
	}
	if best != nil && len(s.conns) < s.few {
		s.grow()
	}
	return best
}

func (s *lanes) room(c *conn) int { return c.pace.depth }

// refills has a lane filled again when it is half empty, so that several segments are one write.
// Until then the server has the other half.
func (s *lanes) refills(c *conn) bool { return c.sent.len() <= c.pace.depth/2 }

// longWait is how long a statement may wait for a lane before there is another one, if there may
// be. With many short statements a few lanes do; where some take long, more of them keep the others
// going.
const longWait = 2 * time.Millisecond

func (s *lanes) waits() {
	if len(s.conns) < s.few {
		s.grow()
	}
	s.watch()
}

// watch sees to it that the queue is looked at.
func (s *lanes) watch() {
	if s.watching || s.queuedNow == 0 || s.forced || len(s.conns)+s.connecting >= s.most {
		return
	}
	s.watching = true
	if s.timer == nil {
		s.timer = time.AfterFunc(longWait, s.onTimer)
		return
	}
	s.timer.Reset(longWait)
}

// onTimer opens a lane if there is one that waits for long.
func (s *lanes) onTimer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watching = false
	if s.waitsLong() {
		s.grow()
	}
	s.watch()
}

// waitsLong reports whether the first of the queue has waited for long.
func (s *lanes) waitsLong() bool {
	g := s.queue.first()
	if g == nil {
		return false
	}
	patience := max(int64(longWait), 4*s.trip.shortest) // far away, a wait of some round trips is none
	return nanotime()-g.since > patience
}

const maxConnecting = 4

// grow opens another lane if there may be more.
func (s *lanes) grow() {
	if s.forced || len(s.conns)+s.connecting >= s.most || s.connecting >= maxConnecting {
		return
	}
	if s.connecting > 0 && s.connecting >= s.queuedNow+1 {
		return
	}
	wait := time.Until(s.notBefore)
	if wait > 0 && s.connecting > 0 {
		return
	}
	s.connecting++
	if !s.db.spawn(func() { s.openLane(wait) }) {
		s.connecting--
	}
	s.heedAll()
}

// openLane connects, after a pause if the last attempt failed.
func (s *lanes) openLane(wait time.Duration) {
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.db.ctx.Done():
		}
	}
	w, err := s.db.connect(s.db.ctx)
	s.mu.Lock()
	s.connecting--
	if err == nil && s.forced {
		err = errors.Join(ErrClosed, w.net.Close())
	}
	if err != nil {
		told := s.connectFailed(err)
		idle := s.idleNow()
		s.mu.Unlock()
		for _, g := range told {
			g.tell()
		}
		for _, fn := range idle {
			fn()
		}
		return
	}
	c := s.add(w)
	if c != nil {
		s.pull(c)
		c.ensureReader()
	}
	s.heedAll()
	s.finishUp(c)
}

const (
	firstBackoff = 20 * time.Millisecond
	maxBackoff   = time.Second
)

// connectFailed notes a failed attempt. If there is no lane left, and none on its way, those who
// wait have waited in vain.
func (s *lanes) connectFailed(err error) (told []*segment) {
	s.stats.ConnectErrors++
	s.pause()
	if len(s.conns) > 0 || s.connecting > 0 {
		s.heedAll()
		return nil
	}
	if s.forced {
		err = ErrClosed
	}
	return s.failQueue(err)
}

// pause puts off the next attempt to connect, the longer the more have failed in a row.
func (s *lanes) pause() {
	s.backoff = min(max(2*s.backoff, firstBackoff), maxBackoff)
	s.notBefore = time.Now().Add(s.backoff/2 + rand.N(s.backoff/2+1))
}

func (s *lanes) connLost(c *conn) (told []*segment) {
	if c.served == 0 {
		s.pause() // a connection that was of no use is as good as none
	} else {
		s.backoff, s.notBefore = 0, time.Time{}
	}
	if s.forced {
		return s.failQueue(ErrClosed)
	}
	s.spread()
	return nil
}

func (s *lanes) repeats() bool { return !s.forced }

// spread gives what is queued to the other connections, or to a new one.
func (s *lanes) spread() {
	if s.queuedNow == 0 {
		return
	}
	for _, other := range s.conns {
		if other.sent.len() < s.of.room(other) && other.open() {
			s.kick(other)
		}
	}
	s.grow()
}

func (s *lanes) spare(c *conn) bool { return slices.Index(s.conns, c) >= s.few }

func (s *lanes) answered(c *conn, g *segment, status byte) error {
	if status == 'I' {
		s.noteState(c, g)
		return nil
	}
	fault := fmt.Errorf("%w: the statement left a transaction open: use Begin", ErrRefusedOnLane)
	g.err, g.again = fault, false
	s.stats.Poisoned++
	return fault
}

func (s *lanes) succeeded(_ *conn, g *segment) {
	if g.effects&(effectAlter|effectDrop) != 0 {
		s.stats.Reprepared += s.descs.forget() // so all lanes prepare anew
	}
}

func (s *lanes) crowded(err error) error {
	switch {
	case len(s.conns) == 0:
		return s.db.connecting(err)
	case len(s.conns) < s.most:
		return err
	}
	return fmt.Errorf("%w; all %d lanes are busy, and %d statements wait: look for slow statements, or raise pool_lanes", err, s.most, s.queuedNow)
}
