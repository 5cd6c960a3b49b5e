package pg

import (
	"context"
	"slices"
	"time"
)

// lookEvery is how often a connection is looked at that has nothing to do, or owes the driver an answer.
const lookEvery = 100 * time.Millisecond

// spareIdle is how long a lane that isn't one of the first few may have nothing to do until it is closed.
var spareIdle = time.Minute // a variable only for tests

// spare reports whether a connection is there only for times when there is much to do. It needs the mutex.
func (s *scheduler) spare(c *conn) bool {
	return s.lanes && slices.Index(s.conns, c) >= s.few
}

func afterWriteFailed() time.Time { return time.Now().Add(time.Second) }

// abandon says that nobody waits for the segment any more. It returns true if the segment was finished before:
// then its outcome counts.
//
//	queued                      dropped
//	sent, but not yet written   taken out of the buffer
//	behind others               left alone; its answer is thrown away
//	being executed              the server is asked to cancel it
//
// The connection stays. Until the server has both answered and closed the connection over which it was asked,
// nothing more is put on it, so that the cancel hits no other statement but those that were there already.
func (s *scheduler) abandon(g *segment) (finished bool) {
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
			s.stats.Dropped++
			g.state = stateFinished
			break
		}
		s.stats.Abandoned++
		g.abandoned.Store(true)
		c.unpark()
		if c.sent.first() == g {
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

// abandonUnread abandons what nobody reads any more, now that the transaction that it is in is rolled back anyway.
func (s *scheduler) abandonUnread() {
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

// startCancel asks the server to cancel what it is doing, in a goroutine. It returns false if that can't be done now. It needs the mutex.
func (c *conn) startCancel(g *segment) bool {
	if c.cancels > 0 || !c.sched.db.cancels.take() {
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
	c.sched.stats.Cancels++
	if !c.sched.db.spawn(func() { c.cancel(g) }) {
		c.cancels--
		c.sched.db.cancels.done()
	}
	c.sched.heedAll()
	return true
}

func (c *conn) cancel(g *segment) {
	ctx, end := context.WithTimeout(c.sched.db.ctx, c.sched.db.config.CancelTimeout)
	defer end()
	defer c.sched.db.cancels.done()
	asked, err := c.w.cancel.cancel(ctx, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.sent.first() == g || c.dead != nil // then it hits nobody else
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
			c.sched.pull(c)
			c.ensureReader()
		}
		c.arm()
	}
	c.sched.heedAll()
	c.sched.finishUp(c)
}

// arm sees to it that the connection is looked at. It needs the mutex.
func (c *conn) arm() {
	if !c.armed && c.dead == nil {
		c.armed = true
		c.timer.Reset(lookEvery)
	}
}

// onTimer looks at a connection. If it has had nothing to do for a while, the resident reads it, to notice if the server
// goes. If it owes the driver an answer, see listen: an abandoned statement may have to be cancelled again, because the first
// request can have come before the statement.
func (c *conn) onTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
	if c.dead != nil {
		return
	}
	first := c.sent.first()
	spare := c.sched.spare(c)
	if c.seen != c.served || first != nil {
		c.quiet = nanotime()
	}
	switch {
	case first == nil && spare && nanotime()-c.quiet > spareIdle.Nanoseconds():
		c.retire()
	case first == nil && spare && c.role != nobody:
		c.arm()
	case first == nil && c.role == nobody:
		if c.seen == c.served {
			c.watching = true
			c.giveToResident()
			if spare {
				c.arm()
			}
			return
		}
		c.seen = c.served
		c.arm()
	case first != nil:
		if c.owed(first) {
			c.listen(first)
		} else {
			c.silence = silence{}
		}
		for i := range c.sent.len() {
			if c.failed == nil && c.owed(c.sent.at(i)) {
				c.arm()
				return
			}
		}
	}
}
