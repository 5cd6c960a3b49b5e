package turns

import (
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// Conn is a connection of a Pool. It belongs to one user at a time.
type Conn struct {
	Session    backend.Session
	ID         int64     // connections of a pool count from 1
	expires    time.Time // when it is to be replaced; zero is never
	used       time.Time // when it came back last; zero unless it is asked for
	generation uint64
	raw        bool // it isn't set up yet, see makeReady
	Dirty      bool // it may have settings or temporary objects of its last user
	Obscure    bool // the same, but the texts don't show it
	Lent       bool // its user had it for its own, from Connect to Close
	Bad        bool // it is lost, or its state isn't known
	Spent      bool // it is to be replaced all the same

	// Last reports that it was the last one that could be had when it was given out.
	Last bool
	// Taken says where its user took it, if that was noted.
	Taken atomic.Pointer[Taking]
}

// A Taking is where and when a connection was taken: return addresses, as runtime.CallersFrames takes
// them.
type Taking struct {
	Since time.Time
	PCs   [8]uintptr
	N     int
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
