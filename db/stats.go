package db

import (
	"time"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/turns"
)

// Stats is a snapshot of an Engine. The counters, of type int64, count from the opening of the Engine,
// so the difference of two snapshots is what happened in between. All figures are numbers of
// connections, callers and the like, except WaitTime and Calls.InlineTime, which are times. A Stats is
// a value that any number of goroutines can read. The table in docs/guide-deploy.md has a value to
// alert on for each figure. The first ones to watch:
//
//	Waiting       stays above 0: too few connections, or transactions that stay open
//	Timeouts      grows: callers fail with ErrPoolTimeout or ErrBusy
//	ConnectErrors grows: the server can't be reached, is full, or refuses the login
//	Discarded     grows: connections break, or are left in an unknown state
//	Lanes.Waiting stays above 0: all lanes are busy
//	Leaked        is above 0: a Conn or Tx wasn't closed
type Stats struct {
	Open    int // connections, including those that are being made for a caller
	Idle    int // connections that aren't in use
	InUse   int // connections in use
	MaxOpen int // how many connections there may be: PoolSize, MaxOverflow, and one for the writer where only one may write
	Waiting int // callers that are waiting for a connection or for the turn to write

	Acquired      int64         // connections given out; one that goes straight on to the next statement counts once
	Waits         int64         // callers that had to wait and no longer do
	WaitTime      time.Duration // how long those callers have waited altogether
	Timeouts      int64         // callers that gave up after the PoolTimeout
	Connects      int64         // connections made
	ConnectErrors int64         // connections that couldn't be made
	Discarded     int64         // connections closed because they were lost or in an unknown state

	LifetimeClosed int64 // connections closed because their MaxLifetime had passed
	IdleClosed     int64 // connections closed because they were idle for MaxIdleTime

	// Lanes are the connections that each carry statements of many callers. They don't belong to the
	// pool, so no figure above counts them. Only PostgreSQL has them.
	Lanes Lanes

	// Calls counts the calls that loops made of a driver that blocks. Only SQLite's can be inline.
	Calls Calls

	Leaked int64 // every Conn and Tx that was forgotten instead of closed

	CachedStatements int // parsed statements that the Engine keeps
}

// Calls counts the calls that loops made of a driver that blocks: inline, because the last calls of the
// same statement were short, and in another goroutine.
type Calls = backend.Calls

// Lanes are figures about the connections that carry statements of many callers.
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
