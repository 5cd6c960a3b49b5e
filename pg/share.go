package pg

import "github.com/seed1239206e/repaint/loop"

// Statements of Readers that are put into one write share one Sync, so the server begins, ends and
// answers one transaction for all of them. That is a group: segments that stand side by side on the
// list, each linked to the next one. The law is that no caller can tell:
//
//   - Only a query of which the text shows that it only computes joins a group: it has no effect,
//     so it may be executed twice, and nothing of it is left for those after it. See
//     [segment.joins].
//   - What is prepared anew doesn't join, so what is skipped has changed nothing on the connection.
//   - The answers of a group count when its ReadyForQuery has come, see [conn.ready]. An error ends
//     the transaction: what came before it is answered, what stands after it was skipped.
//   - What is sent again is sent alone. So a statement is skipped, killed by the cancel of another
//     one or deadlocked by what the group has locked only once.

// joinedTo returns the segment whose group a new one joins, whose bytes begin at an offset of the
// buffer; nil if it begins a group of its own. It needs the mutex.
func (c *conn) joinedTo(g *segment, offset int) *segment {
	if !g.mayJoin() || offset == 0 || c.sent.len() == 0 {
		return nil
	}
	last := c.sent.at(c.sent.len() - 1)
	base := c.queued - uint64(offset)
	if !last.mayJoin() || last.start < base || int(last.place)+1 >= c.line.of.shares(c) {
		return nil
	}
	return last
}

func (g *segment) mayJoin() bool { return g.joins && !g.alone && !g.parses && g.simple == "" }

// join has a segment, whose bytes begin at an offset of the buffer, share the Sync of the group
// that ends with last: the Sync between them goes. It returns where the segment's bytes begin now.
// It needs the mutex.
func (c *conn) join(last, g *segment, offset int) int {
	from := offset - len(syncMessage)
	c.out = append(c.out[:from], c.out[offset:]...)
	c.queued -= uint64(len(syncMessage))
	last.end -= uint64(len(syncMessage))
	last.next, g.place = g, last.place+1
	return from
}

// part takes a segment out of its group before its bytes are taken out of the buffer. It returns
// how many of these stay, at the end: the group's Sync. It needs the mutex.
func (c *conn) part(g *segment) (kept uint64) {
	if !g.isShared() {
		return 0
	}
	for i := range c.sent.len() {
		before := c.sent.at(i)
		if before.next != g {
			continue
		}
		if before.next = g.next; g.next == nil {
			kept = uint64(len(syncMessage))
			before.end += kept
		}
		break
	}
	g.next = nil
	return kept
}

// isShared reports whether the segment's Sync is that of others, too.
func (g *segment) isShared() bool { return g.place > 0 || g.next != nil }

// isAnswered reports whether the answer is complete, but for the ReadyForQuery.
func (g *segment) isAnswered() bool { return g.failure == nil && g.cur >= len(g.steps) }

// step goes on to the next one of a group when the head has been answered. Only the reader calls
// it.
func (c *conn) step() {
	if next := c.head.next; next != nil && c.head.isAnswered() {
		c.head = next
		c.passed.Add(1)
	}
}

// endsWith checks, at ReadyForQuery, that the answer of a group is complete. It returns the last
// one that has been executed.
func (g *segment) endsWith() (last *segment, err error) {
	for ; ; g = g.next {
		if err := g.ended(); err != nil || g.failure != nil || g.next == nil {
			return g, err
		}
	}
}

// skip notes that a segment was not executed, because one before it in its group has failed. It
// reports whether it is to be sent again. It needs the mutex.
func (c *conn) skip(g *segment) (again bool) {
	c.pace.forget(g)
	if loop.Tracing() {
		c.traceEnd(g, takenBack)
	}
	c.line.stats.Skipped++
	if c.line.forced {
		g.err = &LostError{MaybeApplied: false, Err: ErrClosed}
	} else if !g.abandoned.Load() {
		return true
	}
	g.state = stateFinished
	return false
}

// undo has all of a group sent again whose transaction failed at its end, after each of them had
// been executed. It needs the mutex.
func undo(first, last *segment) {
	if last.failure == nil || last.cur < len(last.steps) || !first.isShared() {
		return
	}
	last.failure = nil
	for g := first; g != nil; g = g.next {
		g.again, g.stray = true, true
	}
}

// deadlocked reports whether a segment has failed because of what others in its group have locked.
// It alone would have waited for nothing.
func (g *segment) deadlocked() bool { return g.isShared() && g.failure.Code == "40P01" }

// awaited returns the one of the first group that the driver waits for, see [conn.owed]; nil if
// there is none. Those before it may be executing still. It needs the mutex.
func (c *conn) awaited() *segment {
	g := c.unpassed()
	for ; g != nil; g = g.next {
		if c.owed(g) {
			return g
		}
	}
	return nil
}

// unpassed returns the first one of the first group that isn't known to be answered. The server may
// be further: it sends answers when a group ends. It needs the mutex.
func (c *conn) unpassed() *segment {
	g := c.sent.first()
	for n := c.passed.Load(); n > 0 && g != nil; n-- {
		g = g.next
	}
	return g
}

// mayRun reports whether the server may be executing the segment now, or another one of its group.
// It needs the mutex.
func (c *conn) mayRun(g *segment) bool {
	for o := c.unpassed(); o != nil; o = o.next {
		if o == g {
			return true
		}
	}
	return false
}

// mayBeCancelled reports whether a cancel would hit the segment, or one before it that was given
// up, too. It needs the mutex.
func (c *conn) mayBeCancelled(g *segment) bool {
	for o := c.unpassed(); o != nil; o = o.next {
		if o == g {
			return true
		}
		if !o.abandoned.Load() {
			return false
		}
	}
	return false
}
