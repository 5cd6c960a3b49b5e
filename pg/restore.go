package pg

import (
	"context"
	"errors"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/pgstate"
	"github.com/seed1239206e/repaint/loop"
)

// Renew releases the session and acquires one on the same connection: it waits until everything
// that was left behind there is undone, and returns a new session. If that fails, Renew closes the
// connection and returns an error. If the context ends first, the connection goes to the next
// owner.
func (s *Session) Renew(ctx context.Context) (*Session, error) {
	if !s.s.close() {
		return nil, &callError{"renewing a session", false, errReleased}
	}
	s.s.revoke()
	restored := loop.NewPromise[struct{}](nil)
	restored.Future().SetName("the renewal of a session")
	restored.AskedBy(repaint.CurrentLoop())
	restored.UnderWay(true)
	s.s.session().abandonUnread()
	late := time.AfterFunc(recycleTimeout, s.s.cancel)
	s.s.session().restore(true, func(clean bool) {
		clean = late.Stop() && clean // or else it is being closed by now
		if clean && restored.Resolve(struct{}{}) {
			return
		}
		if !clean {
			restored.Reject(errNotRestored)
		}
		s.db.pool.back(s.s.session(), clean)
	})
	taken := false
	defer func() { // also if its greenlet is being unwound
		if taken {
			return
		}
		if restored.Future().Cancel(context.Canceled); restored.Future().Err() == nil { // it had come all the same
			s.db.pool.back(s.s.session(), true)
		}
	}()
	if _, err := repaint.Await(ctx, restored.Future()); err != nil {
		return nil, &callError{"renewing a session", false, err}
	}
	taken = true
	renewed := &Session{db: s.db}
	if o := s.s.session(); !renewed.s.take(o) {
		s.db.pool.back(o, false)
		return nil, &callError{"renewing a session", false, errNotRestored}
	}
	return renewed, nil
}

var errNotRestored = errors.New("what was left behind can't be undone, or the connection was lost")

// Tidy reports whether the session is as new: nothing is under way on it, and neither the texts of
// its statements nor the server's reports show that something was left behind. Tidy doesn't notice
// what a function leaves behind, if the server doesn't report it. If the connection of a tidy
// session breaks before it executes the next statement, the session gets another connection.
func (s *Session) Tidy() bool {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	o := s.s.session()
	if len(s.s.conns) == 0 || o.tainted || o.obscure || len(s.s.names) > 0 || s.s.ended() {
		return false
	}
	c := s.s.conns[0]
	tidy := c.open() && c.status == 'I' && c.sent.len() == 0 && len(c.strayed) == 0
	o.unused = o.unused || tidy && !o.unlike
	return tidy
}

// Keep makes Renew keep what the session has now: its role, settings, temporary tables and prepared
// statements. The driver can't make these again, so Renew fails if they have changed. Release
// closes such a session, instead of giving it to the next owner.
func (s *Session) Keep(ctx context.Context) error {
	done := loop.NewPromise[struct{}](nil)
	done.Future().SetName("the setup of a session")
	done.AskedBy(repaint.CurrentLoop())
	done.UnderWay(true)
	s.s.session().keep(&s.s, func(err error) { done.Complete(func() (struct{}, error) { return struct{}{}, err }) })
	if _, err := repaint.Await(ctx, done.Future()); err != nil {
		return &callError{"keeping the setup of a session", false, err}
	}
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	if s.s.ended() {
		return &callError{"keeping the setup of a session", false, errReleased}
	}
	o := s.s.session()
	o.private, o.tainted, o.obscure = true, false, false
	o.unlike, o.unused = true, false
	return nil
}

// isClean reports whether a restore that isn't thorough would have nothing to wait for and nothing
// to undo, so that the next owner may have the session.
func (s *owned) isClean() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) == 0 || s.forced || s.queuedNow > 0 || s.tainted || s.worn || s.obscure || s.private {
		return false
	}
	c := s.conns[0]
	return c.open() && c.status == 'I' && c.sent.len() == 0 && len(c.strayed) == 0
}

// restore brings a session back to the state in which its connection was made: it waits, without
// blocking the caller, until nothing is under way on it, ends an open transaction, and undoes what
// was left behind. It reports whether that has worked; if not, the caller must close the
// connection. Unless it is thorough, it undoes only what was noticed.
//
// A kept setup can't be made again. If it has gone, restore reports false.
func (s *owned) restore(thorough bool, done func(clean bool)) {
	rolledBack, undone := false, false
	var next func()
	step := func(sql string) {
		s.driver.fire(&segment{sql: sql}, func(err error) {
			if err != nil {
				s.force()
			}
			s.whenIdle(next)
		})
	}
	next = func() {
		s.mu.Lock()
		keeps := s.kept != "" || s.db.config.setsUp()
		var c *conn
		if len(s.conns) > 0 && s.conns[0].dead == nil && !s.conns[0].retiring && !s.forced {
			c = s.conns[0]
		}
		switch {
		case c == nil || s.worn:
			s.mu.Unlock()
			done(false)
		case c.status != 'I' && !rolledBack:
			s.mu.Unlock()
			rolledBack = true
			step("rollback")
		case c.status != 'I' || (s.tainted || len(c.strayed) > 0) && (undone || keeps):
			s.mu.Unlock()
			done(false)
		case s.tainted || len(c.strayed) > 0 || s.obscure && !keeps:
			s.tainted, s.obscure = false, false
			s.meaningsChanged(c)
			s.mu.Unlock()
			undone = true
			step(pgstate.UndoAll)
		case (thorough || s.obscure) && !undone:
			if s.obscure {
				s.meaningsChanged(c)
			}
			s.obscure = false
			s.mu.Unlock()
			undone = true
			if keeps {
				s.compare(next, done)
			} else {
				step(pgstate.UndoUnseen)
			}
		default:
			s.mu.Unlock()
			done(true)
		}
	}
	s.whenIdle(next)
}

// compare undoes what doesn't touch the setup, and goes on if the setup is the kept one.
func (s *owned) compare(next func(), done func(clean bool)) {
	s.mu.Lock()
	kept := s.kept
	s.mu.Unlock()
	s.driver.ask(&segment{sql: pgstate.Setup + "; " + pgstate.UndoKept}, func(setup string, err error) {
		if err != nil || setup != kept {
			done(false)
			return
		}
		s.whenIdle(next)
	})
}

// keep records how a session is set up now. If it can't find that out, no later setup counts as the
// same.
func (s *owned) keep(asks *lease, then func(error)) {
	asks.ask(&segment{sql: pgstate.Setup}, func(setup string, err error) {
		if err == nil {
			s.mu.Lock()
			s.kept = setup
			for _, c := range s.conns {
				c.settle()
			}
			s.mu.Unlock()
		}
		then(err)
	})
}
