package pg

import "github.com/seed1239206e/repaint/loop"

// Statements of Readers that go into one write share one Sync, so the server begins, ends and
// answers one transaction for all of them. Such statements are a group: neighbouring segments on
// the list, each linked to the next one. The law is that no caller can tell:
//
//   - Only a query joins a group, and only if its text shows that it does nothing but compute. It
//     has no effect, so it may be executed twice, and it leaves nothing behind for the next ones.
//     See [segment.joins].
//   - A statement that is prepared anew doesn't join. So a skipped one has changed nothing on the
//     connection.
//   - The answers of a group count when its ReadyForQuery has come, see [conn.ready]. An error ends
//     the transaction: the statements before it are answered, and the server has skipped those after
//     it.
//   - A statement that is sent again is sent alone. So only once can a statement be skipped, or be
//     killed by another one's cancel, or deadlock with what its group has locked.

// joinedTo returns the segment whose group a new one joins, or nil if the new one begins a group.
// The new one's bytes begin at an offset of the buffer. joinedTo needs the mutex.
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

// join makes a segment share the Sync of the group that ends with last, and removes the Sync
// between them. The segment's bytes begin at an offset of the buffer. join returns where they begin
// now. It needs the mutex.
func (c *conn) join(last, g *segment, offset int) int {
	from := offset - len(syncMessage)
	c.out = append(c.out[:from], c.out[offset:]...)
	c.queued -= uint64(len(syncMessage))
	last.end -= uint64(len(syncMessage))
	last.next, g.place = g, last.place+1
	return from
}

// part takes a segment out of its group before its bytes are taken out of the buffer. It returns
// how many bytes at their end must stay: those of the group's Sync. It needs the mutex.
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

// isShared reports whether the segment shares its Sync with others.
func (g *segment) isShared() bool { return g.place > 0 || g.next != nil }

// isAnswered reports whether the answer is complete except for the ReadyForQuery.
func (g *segment) isAnswered() bool { return g.failure == nil && g.cur >= len(g.steps) }

// step goes on to the next segment of a group when the head has been answered. Only the reader
// calls it.
func (c *conn) step() {
	if next := c.head.next; next != nil && c.head.isAnswered() {
		c.head = next
		c.passed.Add(1)
	}
}

// endsWith checks, at ReadyForQuery, that the answer of a group is complete. It returns the last
// segment that has been executed.
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

// undo marks all segments of a group to be sent again if its transaction failed at its end, after
// the server had executed each of them. It needs the mutex.
func undo(first, last *segment) {
	if last.failure == nil || last.cur < len(last.steps) || !first.isShared() {
		return
	}
	last.failure = nil
	for g := first; g != nil; g = g.next {
		g.again, g.stray = true, true
	}
}

// deadlocked reports whether a segment has failed because of the locks of others in its group.
// Alone it would have waited for nothing.
func (g *segment) deadlocked() bool { return g.isShared() && g.failure.Code == "40P01" }

// awaited returns the first segment of the first group that the driver waits for, see [conn.owed],
// or nil if there is none. The server may still be executing the segments before it. awaited needs
// the mutex.
func (c *conn) awaited() *segment {
	g := c.unpassed()
	for ; g != nil; g = g.next {
		if c.owed(g) {
			return g
		}
	}
	return nil
}

// unpassed returns the first segment of the first group that isn't known to be answered. The server
// may be further, because it sends answers when a group ends. unpassed needs the mutex.
func (c *conn) unpassed() *segment {
	g := c.sent.first()
	for n := c.passed.Load(); n > 0 && g != nil; n-- {
		g = g.next
	}
	return g
}

// mayRun reports whether the server may be executing the segment now, or one before it in its
// group. It needs the mutex.
func (c *conn) mayRun(g *segment) bool {
	for o := c.unpassed(); o != nil; o = o.next {
		if o == g {
			return true
		}
	}
	return false
}

// mayBeCancelled reports whether a cancel would hit the segment, or an abandoned one before it. It
// needs the mutex.
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
