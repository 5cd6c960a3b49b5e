package db

import (
	"time"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/turns"
)

// Stats is a snapshot of an Engine. Counters count from its opening, so the difference of two
// snapshots is what happened in between. Each figure is a number of what its comment names, without
// a unit; WaitTime is a time.
type Stats struct {
	Open    int // connections, with those that are being made for a caller
	Idle    int // of them waiting for a user
	InUse   int // of them in use
	MaxOpen int // connections that there may be: pool_size and max_overflow, and the writer's where only one may write
	Waiting int // callers who wait for a connection or for their turn to write

	Acquired      int64         // connections given out; one that goes straight on to the next statement counts once
	Waits         int64         // callers who had to wait, and no longer do
	WaitTime      time.Duration // of all of them together
	Timeouts      int64         // of them gave up after the pool's timeout
	Connects      int64         // connections made
	ConnectErrors int64         // connections that couldn't be made
	Discarded     int64         // connections closed because they were lost or in an unknown state

	LifetimeClosed int64 // connections closed since their MaxLifetime had passed
	IdleClosed     int64 // connections closed after being idle for MaxIdleTime

	// Lanes are the connections that carry the Engine's own statements, each those of many callers. They
	// aren't the pool's, so nothing above counts them. Only PostgreSQL has them.
	Lanes Lanes

	// Calls are those of loops, on a database whose driver blocks. Only SQLite has any that are made in the loop.
	Calls Calls

	Leaked int64 // connections of a Conn or Tx that was forgotten instead of closed

	CachedStatements int // parsed statements that are kept
}

// Calls are figures about how the calls of loops were made on a driver that blocks: on the spot, because their
// last runs were short, or by another goroutine.
type Calls = backend.Calls

// Lanes are figures about the connections that carry the Engine's own statements.
type Lanes = backend.Lanes

// Stats returns a snapshot of the Engine's connections.
func (e *Engine) Stats() Stats {
	s := Stats{CachedStatements: e.statements.Len(), Leaked: e.leaks.count()}
	s.add(e.turns.Pool.Stats())
	if e.turns.Writers != e.turns.Pool {
		s.add(e.turns.Writers.Stats())
	}
	s.add(e.turns.Gate.Stats())
	if c, ok := e.shared.(backend.LaneCounter); ok {
		s.Lanes = c.Lanes()
	}
	if e.hasty != nil {
		s.Calls = e.hasty.Calls()
	}
	s.Calls.Offloaded += e.jobs.Load()
	return s
}

func (s *Stats) add(t turns.Stats) {
	s.Open += t.Open
	s.Idle += t.Idle
	s.InUse += t.InUse
	s.MaxOpen += t.MaxOpen
	s.Waiting += t.Waiting
	s.Acquired += t.Acquired
	s.Waits += t.Waits
	s.WaitTime += t.WaitTime
	s.Timeouts += t.Timeouts
	s.Connects += t.Connects
	s.ConnectErrors += t.ConnectErrors
	s.Discarded += t.Discarded
	s.LifetimeClosed += t.LifetimeClosed
	s.IdleClosed += t.IdleClosed
}
