package pg

import (
	"math"
	"sync/atomic"
)

// owned is the connection of a session, which one caller owns at a time.
type owned struct {
	line
	driver lease // the driver's own, while the session is made ready for the next owner
	dialed bool  // the pool doesn't count it. Set before the session is in use

	// Guarded by the pool's mutex.
	generation int
	expires    int64 // when it is to be replaced, on the clock of nanotime; 0 is never
	placed     bool  // it has one of the places
	since      int64 // when the upkeep first saw it without an owner; 0 if it hasn't yet

	// Guarded by the mutex.
	tainted   bool     // a statement has left state behind
	worn      bool     // the state can't be undone
	obscure   bool     // a statement whose text doesn't show what it does may have left state behind
	kept      string   // how the connection is to be set up; empty if it stays as the server has it
	private   bool     // its owner has set it up, so no other owner gets it
	unsettled bool     // the meaning of names has changed in a transaction, which may roll that back
	occupant  occupant // a stream, a COPY, or a pgx.Conn that is lent. Meanwhile nothing else is accepted
	pgx       lentConn // what was lent to this owner; empty if nothing was
	lost      error    // why its connection is gone
	departing int      // connections that the server hasn't ended yet
	unused    bool     // the owner has got no answer to a statement that could have an effect: see replaceable
	unlike    bool     // its owner has set it up unlike any other connection

	taken     atomic.Pointer[taking] // where its owner took it, if that was noted
	unread    atomic.Bool            // a stream was closed before its end
	collected atomic.Int32           // how many of its segments are in the lists of collectors

	// Set before the connection is there.
	onLost         func()             // called when the connection is gone, without the mutex
	onNotification func(Notification) // of a listener, whose connection always has a reader, which calls it
}

func newOwned(db *DB, cached int) *owned {
	s := &owned{line: line{db: db, descs: newDescriptions(cached)}}
	s.of = s
	return s
}

// session returns the session that the line belongs to, or nil if the line is of lanes.
func (s *line) session() *owned {
	o, _ := s.of.(*owned)
	return o
}

func (s *owned) refusesNow(g *segment) error {
	if s.occupant != nil && g.lease != &s.driver {
		return errOccupied
	}
	return nil
}

func (s *owned) pick(now int64) *conn {
	if s.queuedNow > 0 || len(s.conns) == 0 {
		return nil
	}
	if c := s.conns[0]; c.open() && (c.sent.len() == 0 || c.sent.len() < s.room(c)) && c.isWell(now) {
		return c
	}
	return nil
}

func (s *owned) mayWait() error {
	if len(s.conns) == 0 && !s.replaceable() {
		return &LostError{MaybeApplied: false, Err: s.lost}
	}
	return nil
}

func (s *owned) waits() { s.replace() }

func (s *owned) took(g *segment) {
	s.tainted = s.tainted || g.taints
	s.worn = s.worn || g.sticks
	s.obscure = s.obscure || g.obscure
}

// room returns how many segments the connection may carry: any number, or one with pipeline=off.
func (s *owned) room(*conn) int {
	if s.db.config.Pipeline {
		return math.MaxInt
	}
	return 1
}

func (s *owned) shares(*conn) int { return 1 }

func (s *owned) refills(*conn) bool { return true }

func (s *owned) connLost(c *conn) (told []*segment) {
	s.lost = c.dead
	if c.served == 0 && !c.retiring && !s.closing && nanotime()-c.made < int64(maxBackoff) {
		s.db.pool.useless(s, c.dead)
	}
	if s.replaceable() {
		s.replace()
		return nil
	}
	return s.failQueue(&LostError{MaybeApplied: false, Err: c.dead})
}

func (s *owned) spare(*conn) bool { return false }

func (s *owned) crowded(err error) error { return err }

func (s *owned) answered(c *conn, g *segment, status byte) error {
	if !g.harmless && g.lease != &s.driver {
		s.unused = false
	}
	if s.unsettled && status == 'I' {
		s.meaningsChanged(c) // the transaction may have rolled the change back
	}
	return nil
}

func (s *owned) succeeded(c *conn, g *segment) {
	if g.lease == &s.driver {
		return
	}
	if e := g.effects; e&effectSchema != 0 || g.redefines || c.restyled || s.unsettled && e&effectUndo != 0 {
		s.meaningsChanged(c)
		if e&effectAlter != 0 { // not after a DROP, which on a session is mostly of a temporary table
			s.db.lanes.descs.forget()
		}
	}
}

// meaningsChanged forgets what is known of texts, because they may mean something else now. For a
// prepared statement the server would keep the types of the parameters, and what it has evaluated
// already: a time without a zone, say. If the result has other columns now, the server refuses the
// prepared statement, which fails a transaction. meaningsChanged needs the mutex.
func (s *owned) meaningsChanged(c *conn) {
	s.descs.forget()
	c.prepared.Clear()
	c.restyled = false
	s.unsettled = c.status != 'I'
}
