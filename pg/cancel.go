package pg

import (
	"context"
	"time"
)

func afterWriteFailed() time.Time { return time.Now().Add(time.Second) }

// abandon records that the caller no longer waits for the segment. It returns true if the segment
// was finished before; then its result counts.
//
//	queued                      dropped
//	sent, but not yet written   taken out of the buffer
//	sent, and waits for others  left alone; its answer is thrown away
//	being executed              the server is asked to cancel it
//	in a group with others      left alone while the others wait; if the group takes long, the server is asked to cancel its present statement
//
// The connection stays. Nothing more is put on it until the server has both answered and closed the
// connection of the cancel request. So the cancel can hit only statements that were there already.
func (s *line) abandon(g *segment) (finished bool) {
	s.mu.Lock()
	switch g.state {
	case stateFinished:
		s.mu.Unlock()
		return true
	case stateCollected:
		s.stats.Dropped++
		g.state = stateFinished
	case stateQueued:
		s.queuedNow--
		s.stats.Dropped++
		g.state = stateFinished
	case stateSent:
		c := g.conn
		if c.unput(g) {
			c.takeFromLoop()
			s.stats.Dropped++
			g.state = stateFinished
			break
		}
		s.stats.Abandoned++
		g.abandoned.Store(true)
		c.unpark()
		if c.mayBeCancelled(g) {
			c.startCancel(g)
		}
		c.arm()
	}
	if g.state == stateFinished && g.promise != nil { // or else it will be told
		g.promise.UnderWay(false)
	}
	idle := s.idleNow()
	s.mu.Unlock()
	for _, fn := range idle {
		fn()
	}
	return false
}

// abandonUnread abandons streams that aren't read any more, because their transaction is being
// rolled back.
func (s *owned) abandonUnread() {
	if !s.unread.Swap(false) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		for i := range c.sent.len() {
			if g := c.sent.at(i); g.unread && !g.abandoned.Swap(true) {
				if i == 0 {
					c.startCancel(g)
				}
				c.arm()
			}
		}
	}
}

// startCancel starts a goroutine that asks the server to cancel what it is doing. It returns false
// if that isn't possible now. The caller must hold the mutex.
func (c *conn) startCancel(g *segment) bool {
	if c.cancels > 0 || !c.line.db.cancels.take() {
		return false
	}
	c.cancels++
	c.held = g
	g.cancelled = true
	for i := range c.sent.len() {
		if other := c.sent.at(i); other != g {
			other.exposed = true
		}
	}
	c.line.stats.Cancels++
	if !c.line.db.spawn(func() { c.cancel(g) }) {
		c.cancels--
		c.line.db.cancels.done()
	}
	c.line.heedAll()
	return true
}

func (c *conn) cancel(g *segment) {
	ctx, end := context.WithTimeout(c.line.db.ctx, c.line.db.config.CancelTimeout)
	defer end()
	defer c.line.db.cancels.done()
	asked, err := c.w.cancel.cancel(ctx, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.mayRun(g) || c.dead != nil // then it hits no caller outside of its group
	})
	c.mu.Lock()
	c.cancels--
	if err != nil && asked {
		// It may hit whatever runs here at some time.
		c.retiring = true
	}
	if c.dead == nil {
		if c.retiring {
			c.retire()
		} else {
			c.line.pull(c, nanotime())
			c.ensureReader()
		}
		c.arm()
	}
	c.line.heedAll()
	c.line.finishUp(c)
}
