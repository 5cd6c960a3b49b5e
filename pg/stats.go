package pg

import "time"

// Stats are figures about a DB: some of this moment, and counters from its beginning, so the
// difference of two readings is what happened in between. Those of statements are of the lanes;
// what runs on sessions isn't counted, but for the sessions themselves. Each is a number without a
// unit, but for WaitTime and SessionWaitTime, which are times.
//
// Worth an alert, or a line on a dashboard:
//
//	Queued        stays above 0: statements wait because all lanes are busy. Raise pool_lanes, or look for slow statements
//	Waiting       stays above 0: callers wait for sessions. Raise pool_sessions, or look for transactions that stay open
//	ConnectErrors grows: the server can't be reached, or refuses connections
//	Lost          grows: connections break; their callers get LostErrors
//	Silent        grows: the network swallows connections, or the server hangs
//	Poisoned      grows: statements leave something behind on lanes, each time at the cost of a lane: they need a session
//	Abandoned     grows: callers give up on statements that were sent, so deadlines are shorter than statements
//	Dropped       grows: callers give up before their statement was sent, so deadlines are shorter than the wait in the queue
//
// What pgxpool's Stat calls otherwise:
//
//	AcquireCount, AcquireDuration, EmptyAcquireWaitTime  SessionAcquires, and SessionWaitTime for both times
//	EmptyAcquireCount, CanceledAcquireCount              SessionWaits, SessionGiveUps
//	AcquiredConns, IdleConns                             Sessions - IdleSessions, IdleSessions
//	ConstructingConns, TotalConns                        Connecting + SessionsConnecting, and Lanes + RetiringLanes + Sessions with these
//	MaxConns                                             MaxLanes + MaxSessions
//	NewConnsCount                                        Connects + SessionOpens
//	MaxLifetimeDestroyCount, MaxIdleDestroyCount         LifetimeClosed, IdleClosed
type Stats struct {
	// Of this moment.
	Lanes              int // open connections that are shared; at most pool_lanes
	MaxLanes           int // pool_lanes
	RetiringLanes      int // those that have been replaced, and are closed when they have answered what they have
	Connecting         int // lanes that are being opened
	MaxSessions        int // pool_sessions
	SessionsConnecting int // sessions that are being opened

	InFlight     int // statements that are on a lane: sent, or about to be, and not answered
	Queued       int // statements that wait for a lane
	Depth        int // the largest number of statements that one lane may carry at present; it adapts to the network
	Sessions     int // open connections that have an owner, or can have one; at most pool_sessions, and those of Dial
	IdleSessions int // of these, those that wait for an owner
	Waiting      int // callers who wait for a session

	// Statements on lanes. A batch counts as one, and so does a question for a statement's types.
	Statements   uint64        // submitted
	Waits        uint64        // of these, those that had to wait for a lane
	WaitTime     time.Duration // for which those have waited that have been given a lane, in all
	Writes       uint64        // system calls that wrote to a lane; Statements/Writes is how many share one
	Syncs        uint64        // answered; one for each statement, but for those of a Reader, which share them
	Skipped      uint64        // statements of a Reader that weren't executed because one that shared their Sync had failed; they were sent again
	Dropped      uint64        // given up by their callers before they were sent
	Abandoned    uint64        // given up by their callers after they were sent
	Cancels      uint64        // requests to the server to cancel a statement, each on a connection of its own
	StrayCancels uint64        // statements that were hit by the cancel of another, and sent again
	Retries      uint64        // statements that were sent again, for any reason, because they certainly had no effect
	Reprepared   uint64        // statements that were prepared anew since the schema had changed

	// Lanes.
	Connects      uint64 // opened
	ConnectErrors uint64 // attempts that failed
	Lost          uint64 // broke, or were given up
	Silent        uint64 // of these, those that were given up because nothing was heard of them for Config.CancelTimeout
	Poisoned      uint64 // closed since a statement had left something behind

	// Sessions.
	SessionAcquires      uint64        // callers who asked for one
	SessionOpens         uint64        // opened
	SessionConnectErrors uint64        // attempts that failed, but for those of Dial
	SessionWaits         uint64        // callers who had to wait for one, also if it was only opened for them
	SessionGiveUps       uint64        // of these, those that have got none, because their context ended or none could be opened
	SessionWaitTime      time.Duration // for which callers have waited, in all

	// Lanes and sessions.
	LifetimeClosed uint64 // closed at the end of their lifetime, or by Reset
	IdleClosed     uint64 // closed since they had had nothing to do for long
}

// Stats returns the figures. It is cheap enough to be called every second.
func (db *DB) Stats() Stats {
	st := db.lanes.laneStats()
	p := db.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	st.MaxSessions = db.config.Sessions
	st.Sessions, st.IdleSessions, st.Waiting, st.SessionWaits = len(p.all), len(p.idle), len(p.waiters), p.waits
	st.SessionsConnecting, st.SessionAcquires, st.SessionOpens, st.SessionConnectErrors = p.connecting, p.acquires, p.opens, p.connectErrors
	st.SessionGiveUps, st.SessionWaitTime = p.givenUp, p.waited
	st.LifetimeClosed += p.lifetimeClosed
	st.IdleClosed += p.idleClosed
	return st
}

// laneStats returns the figures of lanes.
func (s *lease) laneStats() Stats {
	all := s.of.(*lanes)
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.stats
	st := Stats{
		Lanes:         all.open(),
		MaxLanes:      all.most,
		Connecting:    s.connecting,
		Queued:        s.queuedNow,
		Statements:    n.Statements,
		Writes:        n.Writes,
		Waits:         n.Waits,
		WaitTime:      n.WaitTime,
		Dropped:       n.Dropped,
		Abandoned:     n.Abandoned,
		Cancels:       n.Cancels,
		StrayCancels:  n.StrayCancels,
		Retries:       n.Retries,
		Reprepared:    n.Reprepared,
		Connects:      n.Connects,
		ConnectErrors: n.ConnectErrors,
		Lost:          n.Lost,
		Silent:        n.Silent,
		Poisoned:      n.Poisoned,
		Syncs:         n.Syncs,
		Skipped:       n.Skipped,

		LifetimeClosed: n.LifetimeClosed,
		IdleClosed:     n.IdleClosed,
	}
	st.RetiringLanes = len(s.conns) - st.Lanes
	for _, c := range s.conns {
		st.InFlight += c.sent.len()
		st.Depth = max(st.Depth, c.pace.depth)
	}
	return st
}
