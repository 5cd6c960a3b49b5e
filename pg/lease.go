package pg

import (
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint"
)

// A lease is the right to send segments to a line's connections. A caller's Session, Tx or
// savepoint is a lease, every statement is a method of one, and every segment carries the lease
// that made it. [line.accept] checks the lease under the mutex, in the same step in which the
// segment gets its place, and nothing else decides whether a call still belongs to the owner. So it
// doesn't matter what happens between the call and that step: a description, an argument's method,
// the tick of a loop, another attempt. A late call is refused, and affects no other owner.
//
// A session's lease lasts from Acquire to Release. A transaction's lease is within it, and a
// savepoint's within the transaction's. A lease ends with the lease that it is within. The driver
// itself has a lease while it makes a session ready for the next owner. The lease of the lanes
// never ends.
//
//	held    its owner has it
//	ending  its owner has ended it; only the statement that does so, the last one, is still accepted
//	over    nothing is accepted
type lease struct {
	*line
	within *lease // nil for a session's own
	tx     bool   // the lease of a transaction or a savepoint

	// standing changes with the mutex. Read without the mutex, only the end of the lease is
	// certain.
	standing atomic.Uint32

	// Guarded by the mutex.
	begun  bool              // of a transaction: its BEGIN was accepted
	done   bool              // of a transaction: the server has executed its BEGIN
	points []*lease          // of a transaction: the savepoints that the server has, in their order
	names  map[string]string // of a session, or a transaction that has one for itself: what was prepared by name
}

const (
	leaseHeld uint32 = iota
	leaseEnding
	leaseOver
)

var (
	errReleased = fmt.Errorf("%w: the session has been released", ErrClosed)
	errTxOver   = fmt.Errorf("%w: the transaction, its session or its outer transaction has ended", pgx.ErrTxClosed)
)

// late returns the error for late calls.
func (s *lease) late() error {
	if s.tx {
		return errTxOver
	}
	return errReleased
}

// isLate reports whether an error is that of a late call.
func isLate(err error) bool { return err == errReleased || err == errTxOver }

// grant makes the lease that of the line's owner.
func (s *lease) grant(session *line) {
	s.line = session
	session.mu.Lock()
	session.owner = s
	session.mu.Unlock()
}

// take is grant for a session of the pool, which is as new. It reports false if the connection has
// broken in the meantime.
func (s *lease) take(o *owned) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.conns) == 0 || o.conns[0].dead != nil || o.conns[0].failed != nil || o.conns[0].retiring {
		return false
	}
	s.line, o.owner, o.unused = &o.line, s, !o.unlike
	return true
}

// revoke takes the session away from its owner, for good. Until there is another owner only the
// driver itself can send segments.
func (s *lease) revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing.Store(leaseOver)
	o := s.session()
	o.driver.line, o.unused = s.line, false
	s.owner = &o.driver
	o.pgx = lentConn{}
}

// root returns the session's own lease.
func (s *lease) root() *lease {
	for s.within != nil {
		s = s.within
	}
	return s
}

// transaction returns the lease of the transaction that this one is, or is a savepoint of.
func (s *lease) transaction() *lease {
	for s.within != nil && s.within.tx {
		s = s.within
	}
	return s
}

// admits reports whether the lease accepts a segment: it hasn't ended, or the segment is the last
// of a lease that is ending. Without the mutex, only false is final.
func (s *lease) admits(last bool) bool {
	if now := s.standing.Load(); now != leaseHeld && !(last && now == leaseEnding) {
		return false
	}
	for o := s.within; o != nil; o = o.within {
		if o.standing.Load() != leaseHeld {
			return false
		}
	}
	return true
}

// ended reports whether the lease has ended, as far as is known without the mutex.
func (s *lease) ended() bool { return !s.admits(false) }

// refuses returns an error if a segment must not be sent, because its lease has ended or isn't the
// owner's. The caller must hold the mutex.
func (s *line) refuses(g *segment) error {
	if !g.lease.admits(g.last) || g.lease.root() != s.owner {
		return g.lease.late()
	}
	if g.begins != nil && !g.begins.admits(false) {
		return errTxOver // no caller would end it
	}
	return nil
}

// accepted records what an accepted segment begins, ends or leaves behind. The caller must hold the
// mutex.
func (s *line) accepted(g *segment) {
	s.of.took(g)
	if g.begins != nil {
		g.begins.begun = true
	}
	if o := g.opens; o != nil {
		if t := o.transaction(); !slices.Contains(t.points, o) {
			t.points = append(t.points, o)
		}
	}
	if !g.last {
		return
	}
	g.lease.standing.Store(leaseOver)
	t := g.lease.transaction()
	if i := slices.Index(t.points, g.lease); i >= 0 {
		for _, later := range t.points[i:] {
			later.standing.Store(leaseOver) // the server drops those that were made after it, too
		}
		clear(t.points[i:])
		t.points = t.points[:i]
	}
}

// hasBegun reports whether the server has executed the transaction's BEGIN.
func (s *lease) hasBegun() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.done
}

// undone records that the transaction was rolled back, and will begin anew.
func (s *lease) undone() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = false
}

// drop ends the lease of a savepoint that couldn't be made.
func (s *lease) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.standing.Store(leaseOver)
	t := s.transaction()
	if i := slices.Index(t.points, s); i >= 0 {
		t.points = slices.Delete(t.points, i, i+1)
	}
}

// end ends the lease, whatever is under way. It returns the stream or COPY that occupies the
// session, which the caller must close, and whether the lease's BEGIN was accepted. If the lease
// has ended before, first is false.
func (s *lease) end() (begun bool, o occupant, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended() {
		return false, nil, false
	}
	s.standing.Store(leaseEnding)
	return s.begun, s.session().occupant, true // there is no other owner whose it could be
}

// tryEnd is end for a statement that can't be sent while something occupies the session. If now is
// false it only says whether that would be possible.
func (s *lease) tryEnd(now bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended():
		return pgx.ErrTxClosed
	case s.session().occupant != nil:
		return errOccupied
	case now:
		s.standing.Store(leaseEnding)
	}
	return nil
}

// close ends the lease of a session, and the stream or COPY that occupies it. It reports false if
// the lease has ended before.
func (s *lease) close() (first bool) {
	s.flush()
	_, o, first := s.end()
	if o != nil {
		o.evict()
	}
	return first
}

// flush sends what tasks of this loop have called in this tick, because these calls came before the
// end of the lease.
func (s *lease) flush() {
	o := s.session()
	if o.collected.Load() == 0 {
		return
	}
	if l := repaint.CurrentLoop(); l != nil {
		s.db.flush(l, o)
	}
}

// whenIdle is the line's whenIdle, as long as the lease lasts. After that the line belongs to
// another owner.
func (s *lease) whenIdle(fn func()) error {
	s.mu.Lock()
	if s.ended() {
		s.mu.Unlock()
		return s.late()
	}
	s.addIdle(fn)
	return nil
}
