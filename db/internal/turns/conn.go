package turns

import (
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// Conn is a connection of a Pool. It belongs to one user at a time.
type Conn struct {
	Session    backend.Session
	ID         int64     // connections of a pool count from 1
	made       time.Time // zero unless it is asked for
	used       time.Time // when it came back last; likewise
	generation uint64
	raw        bool // it isn't set up yet, see makeReady
	Dirty      bool // it may have settings or temporary objects of its last user
	Obscure    bool // the same, but the texts don't show it
	Lent       bool // its user had it for its own, from Connect to Close
	Bad        bool // it is lost, or its state isn't known
	Spent      bool // it is to be replaced all the same
}

// IsQuiet reports, after a call that was left by a panic, runtime.Goexit or a kill, whether the
// connection isn't in the middle of anything, and has the status that it should have.
func (c *Conn) IsQuiet(status backend.Status) bool {
	s, ok := c.Session.(backend.CallTracker)
	return ok && !c.Bad && !s.Calling() && c.Session.Status() == status
}

// Mark notes what a statement may leave behind.
func (c *Conn) Mark(st backend.Traits) {
	c.Dirty, c.Obscure = c.Dirty || st.Session, c.Obscure || st.Obscure
}

// isClean reports whether the next user can have the connection as it is.
func (c *Conn) isClean() bool { return !c.Bad && !c.Dirty && !c.Obscure && !c.Spent }
