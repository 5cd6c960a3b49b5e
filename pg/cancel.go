package pg

import (
	"context"
	"slices"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

const (
	// cancelTimeout is how long a cancel request may take.
	cancelTimeout = 10 * time.Second

	// lookEvery is how often a connection is looked at that has nothing to do, or has abandoned statements.
	lookEvery = 100 * time.Millisecond
)

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
	idle := s.idleNow()
	s.mu.Unlock()
	for _, fn := range idle {
		fn()
	}
	return false
}

// startCancel asks the server to cancel what it is doing, in a goroutine. It needs the mutex.
func (c *conn) startCancel(g *segment) {
	if c.cancels > 0 {
		return
	}
	c.cancels++
	g.cancelled = true
	for i := range c.sent.len() {
		if other := c.sent.at(i); other != g {
			other.exposed = true
		}
	}
	c.sched.stats.Cancels++
	if !c.sched.db.spawn(func() { c.cancel(g) }) {
		c.cancels--
	}
}

func (c *conn) cancel(g *segment) {
	ctx, end := context.WithTimeout(c.sched.db.ctx, cancelTimeout)
	defer end()
	asked, err := c.w.cancel.cancel(ctx, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.sent.first() == g
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
	c.sched.finishUp(c)
}

// cancelFirst accepts nothing more on a session, and asks the server to cancel what it is doing there, if it is. It doesn't wait for the outcome, which is of no
// interest: the connection must be closed next. It reports whether anything was under way.
func (s *scheduler) cancelFirst(ctx context.Context) (busy bool, err error) {
	s.mu.Lock()
	s.closing = true
	var c *conn
	if len(s.conns) > 0 && s.conns[0].sent.len() > 0 && s.conns[0].dead == nil {
		c = s.conns[0]
	}
	s.mu.Unlock()
	if c == nil {
		return false, nil
	}
	asked := loop.NewPromise[struct{}](nil)
	asked.Future().SetName("a cancel request")
	started := s.db.spawn(func() {
		limited, end := context.WithTimeout(s.db.ctx, cancelTimeout)
		defer end()
		_, err := c.w.cancel.cancel(limited, func() bool { return true })
		asked.Complete(func() (struct{}, error) { return struct{}{}, err })
	})
	if !started {
		return true, ErrClosed
	}
	_, err = repaint.Await(ctx, asked.Future())
	return true, err
}

// arm sees to it that the connection is looked at. It needs the mutex.
func (c *conn) arm() {
	if !c.armed && c.dead == nil {
		c.armed = true
		c.timer.Reset(lookEvery)
	}
}

// onTimer looks at a connection. If it has had nothing to do for a while, the resident reads it, to notice if the server
// goes. If an abandoned statement is still being executed, the server is asked to cancel it, be it again: the first time
// the request may have come before the statement.
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
		if first.abandoned.Load() {
			if c.stuck == first && c.cancels == 0 {
				c.startCancel(first)
			}
			c.stuck = first
		}
		for i := range c.sent.len() {
			if c.sent.at(i).abandoned.Load() {
				c.arm()
				return
			}
		}
	}
}
