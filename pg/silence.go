package pg

import (
	"fmt"
	"sync"
	"time"
)

// A network can swallow a connection: nothing that is sent arrives, and nothing comes. A caller
// with a deadline gives up, but the connection looks like one on which the server is busy, until
// the driver asks the server for something that it answers at once. So the driver closes a
// connection, which frees its place, when the server has been silent for Config.CancelTimeout about
// something that it owes to the driver itself:
//
//	an abandoned statement                 the server was asked to cancel it
//	rolling back, resetting, closing       they wait for no other caller
//	a sign of life                         asked for when another connection is silent
//
// Every other caller that waits on that connection gets a LostError.

// suspicion is the part of that time after which the driver asks the other connections for a sign
// of life.
const suspicion = 3

// A silence is what a connection's timer knows about the first segment on the list. It is guarded
// by the mutex.
type silence struct {
	of      *segment // nil if nothing was owed when the timer looked last
	heard   uint64   // as of then
	since   int64    // when something was heard last; on the clock of nanotime
	cancels int      // requests so far
	next    int64    // when there may be another one
	told    bool     // the others have been asked
}

// owed reports whether the server must answer the segment soon, because of its kind or because the
// driver has asked the server to cancel it. The caller must hold the mutex.
func (c *conn) owed(g *segment) bool {
	return g.abandoned.Load() || g.soon || c.line.forced
}

// listen checks whether data have come for a segment that is owed, and asks the server to cancel it
// if no request is under way. The caller must hold the mutex.
func (c *conn) listen(g *segment) {
	now := nanotime()
	q := &c.silence
	heard := c.heard.Load()
	if q.of != g {
		*q = silence{of: g, heard: heard, since: now}
		if c.held == g {
			q.cancels, q.next = 1, now+int64(cancelPause)
		}
		return // the statement may just have begun
	}
	if heard != q.heard && !c.line.forced { // or else it has been told to end
		q.heard, q.since, q.told = heard, now, false
	}
	patience := c.line.db.config.CancelTimeout
	switch silent := time.Duration(now - q.since); {
	case silent >= patience:
		c.giveUp(fmt.Errorf("nothing was heard of it for %v, though the server was asked to end its work there: the network has swallowed the connection, or the server hangs", patience))
		return
	case silent >= patience/suspicion && !q.told:
		q.told = true
		c.line.db.spawn(c.line.db.doubt)
	}
	if (g.abandoned.Load() || c.line.forced) && now >= q.next && c.startCancel(g) {
		q.next = now + int64(cancelPause<<min(q.cancels, 10))
		q.cancels++
	}
}

// cancelPause is the time until the driver asks again to cancel a statement. It doubles each time.
const cancelPause = 2 * lookEvery

// giveUp ends a silent connection. The caller must hold the mutex.
func (c *conn) giveUp(why error) {
	if c.drop(why) {
		c.line.stats.Silent++
	}
}

// drop ends a connection, whatever is under way on it. It reports false if it has ended already. It
// needs the mutex.
func (c *conn) drop(why error) bool {
	if c.dead != nil || c.failed != nil {
		return false
	}
	c.failed = why
	c.unpark()
	if c.role == nobody {
		c.giveToResident()
	}
	c.hangUp() // the reader notices
	return true
}

// doubt asks all idle connections for a sign of life, because one is silent and the network may
// have swallowed others, too. Until it comes they get no statements.
func (db *DB) doubt() {
	for _, s := range db.allLanes() {
		s.owner.doubt()
	}
	db.pool.doubt()
}

// signOfLife is the text that asks a lane for a sign of life. It is about one connection, so it
// isn't sent again on another.
const signOfLife = "-- a sign of life"

// isSign reports whether the segment is a sign of life.
func (g *segment) isSign() bool { return g.sql == signOfLife }

// doubt is for the lanes. Their lease never ends, so the question needs no acceptance, and goes
// straight to its connection.
func (s *lease) doubt() {
	var room [16]toWrite
	writes := room[:0]
	s.mu.Lock()
	for _, c := range s.conns {
		if !c.open() || c.sent.len() > 0 {
			continue
		}
		g := &segment{sql: signOfLife, simple: ";", harmless: true, soon: true, losses: maxLosses, lease: s, then: func() {}}
		g.steps = append(g.oneStep[:0], step{})
		if c.put(g, nanotime()) != nil {
			continue
		}
		c.held = g
		c.ensureReader()
		if buf := c.startWrite(); buf != nil {
			writes = append(writes, toWrite{c, buf})
		}
	}
	s.mu.Unlock()
	for _, w := range writes {
		w.conn.write(w.buf)
	}
}

// doubt is for the connections without an owner.
func (p *pool) doubt() {
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.readying += len(idle)
	p.mu.Unlock()
	for _, s := range idle {
		s.driver.fire(&segment{sql: ";", losses: maxLosses}, func(err error) {
			if err != nil {
				s.force()
				p.ready(-1)
				return
			}
			s.whenIdle(func() {
				p.deliver(s)
				p.ready(-1)
			})
		})
	}
}

// A cancelBudget limits the cancel requests: each is a connection, and they often come in large
// numbers.
type cancelBudget struct {
	mu      sync.Mutex
	running int
	left    float64 // of those that may begin; grows with time
	at      int64   // when left was right, on the clock of nanotime
}

const (
	cancelsAtOnce    = 16
	cancelsPerSecond = 100
)

// take reports whether another request may begin, which must be followed by done.
func (b *cancelBudget) take() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := nanotime()
	if b.at == 0 {
		b.left = cancelsPerSecond
	} else {
		b.left = min(b.left+time.Duration(now-b.at).Seconds()*cancelsPerSecond, cancelsPerSecond)
	}
	b.at = now
	if b.running >= cancelsAtOnce || b.left < 1 {
		return false
	}
	b.running++
	b.left--
	return true
}

func (b *cancelBudget) done() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running--
}
