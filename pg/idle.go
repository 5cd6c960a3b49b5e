package pg

import (
	"errors"
	"time"
)

// lookEvery is how often the driver checks a connection that has nothing to do, or owes the driver
// an answer.
const lookEvery = 100 * time.Millisecond

// spareIdle is how long a lane that isn't one of the first few may be idle before it is closed.
var spareIdle = time.Minute // a variable only for tests

func (db *DB) spareIdle() int64 {
	if limit := db.config.MaxConnIdleTime; limit > 0 {
		return int64(limit)
	}
	return int64(spareIdle)
}

// arm sets the timer that checks the connection. The caller must hold the mutex.
func (c *conn) arm() {
	if !c.armed && c.dead == nil {
		c.armed = true
		c.timer.Reset(lookEvery)
	}
}

// restful is how long a connection may have been idle and still get a segment without a check.
const restful = time.Millisecond

// isWell reports whether a connection can get a segment: it checks whether the server has ended the
// connection while it was idle. If so, the segment goes elsewhere; otherwise its fate would be
// unknown. now is on the clock of nanotime. The caller must hold the mutex.
func (c *conn) isWell(now int64) bool {
	if c.sent.len() > 0 || c.w.glance == nil || now-c.rested < restful.Nanoseconds() || !c.w.glance.isOver() {
		return true
	}
	c.writeFailed(errHungUp)
	return false
}

var errHungUp = errors.New("the server closed it while it was idle")

// onTimer checks a connection. If it has been idle for a while, the resident reads it, to notice if
// the server ends. If it owes the driver an answer, see listen: an abandoned statement may have to
// be cancelled again, because the first request can have come before the statement.
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
