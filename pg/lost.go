package pg

import (
	"errors"

	"github.com/seed1239206e/repaint/loop"
)

// maxLosses is how many connections may break under a segment without an effect before the driver
// gives it up.
const maxLosses = 3

// lost ends the connection. Only the reader calls it. Segments that certainly had no effect go to
// another connection. The waiters of the others get a LostError.
func (c *conn) lost(reason error) {
	c.leaveLoop()
	counts := c.line.places != nil
	if !counts {
		_ = c.w.net.Close() // its error doesn't matter
	}
	c.mu.Lock()
	if c.line.forced {
		reason = ErrClosed
	}
	if c.failed != nil && !errors.Is(reason, ErrClosed) && c.fatal == nil {
		reason = c.failed
	}
	c.dead = reason
	c.role, c.until, c.head, c.parked = nobody, nil, nil, false
	c.timer.Stop()
	close(c.ended)
	lent := c.tunnel.Swap(nil)
	sent := c.sent.takeAll()
	fates := c.fates(sent, reason)
	repeats := c.line.of.repeats(sent, fates)
	isOld := c.served > 0 && (backendEnds(c.fatal) || endsAtRest(c.fatal)) // its end doesn't come from what it was sent
	var told, again []*segment
	for i, s := range sent {
		s.next = nil
		if loop.Tracing() {
			c.traceEnd(s, "the connection was lost")
		}
		switch {
		case s.abandoned.Load():
			s.state = stateFinished
			if s.promise != nil {
				s.promise.UnderWay(false)
			}
		case repeats && fates[i] != unknown && s.losses < maxLosses:
			if !isOld {
				s.losses++
			}
			again = append(again, s)
		default:
			s.err, s.failure, s.state = &LostError{MaybeApplied: fates[i] == unknown, RolledBack: fates[i] == undone, Err: reason}, nil, stateFinished
			told = append(told, s)
		}
	}
	c.out, c.spare = nil, nil
	told = append(told, c.line.connLost(c, again)...)
	if counts {
		c.depart()
	}
	idle := c.line.idleNow()
	o := c.line.session()
	over := o != nil && o.onLost != nil && !o.replaceable()
	c.mu.Unlock()
	if lent != nil {
		lent.fail(&LostError{MaybeApplied: true, Err: reason})
	}
	if over {
		o.onLost()
	}
	if hook := (*callbackError)(nil); len(told) == 0 && errors.As(reason, &hook) {
		loop.LogReport(reason) // a panic is always reported
	}
	for _, s := range told {
		s.tell()
	}
	for _, fn := range idle {
		fn()
	}
}

// An aftermath says what happened to a segment whose connection broke before its answer was
// complete.
type aftermath uint8

const (
	unknown aftermath = iota // it may have been applied
	undone                   // it may have been executed, and the server has rolled it back
	unmoved                  // it wasn't executed, or has no effect anyway
)

// fates finds out what happened to the segments that were sent. The caller must hold the mutex.
func (c *conn) fates(sent []*segment, reason error) []aftermath {
	_, isPoisoned := reason.(*poisoned)
	base := c.unsent()
	all := make([]aftermath, len(sent))
	committed := false // an earlier segment ends the transaction
	for i, s := range sent {
		partly := s.end > base && !s.noRepeat
		skipped := i > 0 && backendEnds(c.fatal) || endsAtRest(c.fatal) && !s.answered() || endsBefore(c.fatal) && s.simple == "" && !s.answered()
		switch {
		case s.copyIn != nil && s.copyIn.begun:
			if !s.copyIn.done || s.end > base || s.inTx && !committed {
				all[i] = undone
			}
		case s.start >= base || partly || s.harmless || skipped:
			all[i] = unmoved
		case isPoisoned || s.inTx && !s.commits && !committed || s.copyIn != nil && (!s.copyIn.done || s.end > base):
			all[i] = undone
		}
		committed = committed || s.commits
	}
	return all
}
