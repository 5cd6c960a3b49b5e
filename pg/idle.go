package pg

import (
	"errors"
	"time"
)

// lookEvery is how often a connection is looked at that has nothing to do, or owes the driver an
// answer.
const lookEvery = 100 * time.Millisecond

// spareIdle is how long a lane that isn't one of the first few may have nothing to do until it is
// closed.
var spareIdle = time.Minute // a variable only for tests

func (db *DB) spareIdle() int64 {
	if limit := db.config.MaxConnIdleTime; limit > 0 {
		return int64(limit)
	}
	return int64(spareIdle)
}

// arm sees to it that the connection is looked at. It needs the mutex.
func (c *conn) arm() {
	if !c.armed && c.dead == nil {
		c.armed = true
		c.timer.Reset(lookEvery)
	}
}

// restful is how long a connection may have had nothing to do without being looked at before it gets a
// segment.
const restful = time.Millisecond

// isWell reports whether a connection can get a segment: it looks whether the server has ended it while
// it had nothing to do. If so the segment goes elsewhere, instead of into a void from which it isn't known
// what has become of it. It needs the mutex.
func (c *conn) isWell() bool {
	if c.sent.len() > 0 || c.w.glance == nil || nanotime()-c.rested < restful.Nanoseconds() || !c.w.glance.isOver() {
		return true
	}
	c.writeFailed(errHungUp)
	return false
}

var errHungUp = errors.New("the server has closed it while there was nothing to do")

// onTimer looks at a connection. If it has had nothing to do for a while, the resident reads it, to
// notice if the server goes. If it owes the driver an answer, see listen: an abandoned statement
// may have to be cancelled again, because the first request can have come before the statement.
func (c *conn) onTimer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed = false
	if c.dead != nil {
		return
	}
	first := c.sent.first()
	spare := c.line.of.spare(c)
	if c.seen != c.served || first != nil {
		c.quiet = nanotime()
	}
	switch {
	case first == nil && spare && nanotime()-c.quiet > c.line.db.spareIdle():
		c.line.stats.IdleClosed++
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
		if g := c.awaited(); g != nil {
			c.listen(g)
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
