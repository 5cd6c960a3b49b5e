package turns

import (
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// Conn is a connection of a Pool. It belongs to one user at a time.
type Conn struct {
	Session    backend.Session
	ID         int64     // the pool numbers its connections from 1
	expires    time.Time // when the pool replaces it; zero means never
	used       time.Time // when it last came back; zero unless the pool needs to know
	generation uint64
	raw        bool // it isn't set up yet; see makeReady
	Dirty      bool // the last user may have left settings or temporary objects
	Obscure    bool // the same, but the statements' texts don't show it
	Lent       bool // its user held it from Connect to Close
	Bad        bool // it is lost, or its state is unknown
	Spent      bool // it is good, but the pool must replace it

	// Last reports whether the pool had no other connection left when it gave this one out.
	Last bool
	// Taken says where its user took it, if the engine notes that.
	Taken atomic.Pointer[Taking]
}

// A Taking says where and when a user took a connection. PCs are return addresses, as
// runtime.CallersFrames takes them.
type Taking struct {
	Since time.Time
	PCs   [8]uintptr
	N     int
}

// IsQuiet reports whether no call runs on the connection, and it has the status that it should
// have. The caller asks after a panic, runtime.Goexit or a kill has ended a call.
func (c *Conn) IsQuiet(status backend.Status) bool {
	s, ok := c.Session.(backend.CallTracker)
	return ok && !c.Bad && !s.Calling() && c.Session.Status() == status
}

// Mark notes what a statement may leave behind on the connection.
func (c *Conn) Mark(st backend.Traits) {
	c.Dirty, c.Obscure = c.Dirty || st.Session, c.Obscure || st.Obscure
}

// isClean reports whether the next user can have the connection as it is.
func (c *Conn) isClean() bool { return !c.Bad && !c.Dirty && !c.Obscure && !c.Spent }
