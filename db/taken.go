package db

import (
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/internal/holding"
)

// samples reports whether to note the place at which a connection is taken: always in debug mode,
// otherwise for a sample, and for the connection that leaves no other one.
func (e *Engine) samples(c *turns.Conn) bool {
	if e.checkouts.Add(1)%holding.Every == 1 || c.Last || e.debug {
		return true
	}
	l := repaint.CurrentLoop()
	return l != nil && l.Debugging()
}

// noteTaken notes where a connection was taken, for the errors of callers that wait for one.
func noteTaken(c *turns.Conn, at place) {
	c.Taken.Store(&turns.Taking{Since: time.Now(), PCs: at.pcs, N: at.n})
}
