package pg

import "time"

// Stats are figures about a DB: the present state, and counters since Open. The difference of two
// readings is what happened in between. The figures about statements are those of the lanes:
// statements on sessions aren't counted. WaitTime, SessionWaitTime and TokenWaitTime are durations
// in real time; all others are plain numbers.
//
// Worth an alert, or a line on a dashboard (the table in docs/guide-deploy.md has all of them):
//
//	Queued        stays above 0: statements wait because all lanes are busy. Raise pool_lanes, or look for slow statements
//	Waiting       stays above 0: callers wait for sessions. Raise pool_sessions, or look for transactions that stay open
//	Yielded       grows all the time: both kinds of connections need more than there are. Raise pool_max_conns
//	ConnectErrors grows: the server can't be reached, or refuses connections; so does SessionConnectErrors
//	Lost          grows: connections break; their callers get LostErrors
//	Silent        grows: the network swallows connections, or the server hangs
//	Poisoned      grows: statements leave state behind on lanes, which costs a lane each time. Run them on a session
//	Abandoned     grows: callers give up on statements that were sent: deadlines are shorter than the statements take
//	Dropped       grows: callers give up before their statement was sent: deadlines are shorter than the wait in the queue
//
// These figures of pgxpool's Stat have other names here:
//
//	AcquireCount, AcquireDuration, EmptyAcquireWaitTime  SessionAcquires, and SessionWaitTime for both times
//	EmptyAcquireCount, CanceledAcquireCount              SessionWaits, SessionGiveUps
//	AcquiredConns, IdleConns                             Sessions - IdleSessions, IdleSessions
//	ConstructingConns, TotalConns                        Connecting + SessionsConnecting, and Lanes + RetiringLanes + Sessions + Departing with these
//	MaxConns                                             MaxConns
//	NewConnsCount                                        Connects + SessionOpens
//	MaxLifetimeDestroyCount, MaxIdleDestroyCount         LifetimeClosed, IdleClosed
type Stats struct {
	// The present state.
	Lanes              int // open shared connections; at most MaxLanes
	MaxLanes           int // pool_lanes, or one less than pool_max_conns
	RetiringLanes      int // lanes that take no more statements, and close when their last one is answered
	Connecting         int // lanes that are being opened
	MaxSessions        int // pool_sessions, or one less than pool_max_conns
	MaxConns           int // lanes and sessions together: pool_max_conns, or else pool_lanes and pool_sessions
	Departing          int // lanes and sessions that were closed, and that the server hasn't ended yet; counted only with pool_max_conns
	SessionsConnecting int // sessions that are being opened

	InFlight     int // statements on a lane: sent, or about to be, and not answered
	Queued       int // statements that wait for a lane
	Depth        int // how many statements a lane may carry at present, the largest of all lanes; it adapts to the network
	Sessions     int // open sessions, with or without an owner; at most pool_sessions, plus those of Dial
	IdleSessions int // of these, those without an owner
	Waiting      int // callers that wait for a session

	// Statements on lanes. A batch counts as one, and so does a request for a statement's types.
	Statements   uint64        // submitted
	Waits        uint64        // of these, those that had to wait for a lane
	WaitTime     time.Duration // the sum of the waits that ended with a lane
	Writes       uint64        // system calls that wrote to a lane; Statements/Writes is how many share one
	Syncs        uint64        // answered Syncs: one for each statement, but a Reader's statements share them
	Skipped      uint64        // statements of a Reader that were sent again, because one that shared their Sync had failed before them
	Dropped      uint64        // given up by their callers before they were sent
	Abandoned    uint64        // given up by their callers after they were sent
	Cancels      uint64        // requests to the server to cancel a statement, each on a connection of its own
	StrayCancels uint64        // statements that another statement's cancel hit, and that were sent again
	Retries      uint64        // statements that were sent again, for any reason; they certainly had no effect before
	Reprepared   uint64        // statements that were prepared anew because the schema had changed

	// Lanes.
	Connects      uint64 // opened
	ConnectErrors uint64 // attempts that failed
	Lost          uint64 // broken, or closed because they were silent
	Silent        uint64 // of these, those that were closed because they were silent for Config.CancelTimeout
	Poisoned      uint64 // closed because a statement had left state behind

	// Sessions.
	SessionAcquires      uint64        // callers that asked for one
	SessionOpens         uint64        // opened
	SessionConnectErrors uint64        // attempts that failed, except those of Dial
	SessionWaits         uint64        // callers that had to wait for one, even if only while it was opened
	SessionGiveUps       uint64        // of these, those that got none, because their context ended or none could be opened
	SessionWaitTime      time.Duration // the sum of all waits

	// Reads on standbys, of all Readers; 0 where a DB doesn't read from standbys. See also
	// [DB.Hosts].
	Conflicts     uint64        // reads that a standby cancelled because they were in the way of its replay
	Repeats       uint64        // reads that were sent to another server, after a conflict, or because a connection broke or the server was no longer fit
	ToPrimary     uint64        // reads that went to the primary, because no standby was fit, or none had come as far as the token
	TokenWaits    uint64        // reads that had to wait for a standby to come as far as their token
	TokenWaitTime time.Duration // the sum of these waits

	// Lanes and sessions.
	LifetimeClosed uint64 // closed at the end of their lifetime, or by Reset
	IdleClosed     uint64 // closed after Config.MaxConnIdleTime, or a minute, without work
	Yielded        uint64 // closed for one of the other kind, because pool_max_conns allows no more
}

// Stats returns the figures. It takes some microseconds. Any goroutine may call it, even after
// Close.
func (db *DB) Stats() Stats {
	st := db.lanes.laneStats()
	p := db.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	st.MaxSessions = p.most
	st.MaxConns = st.MaxLanes + st.MaxSessions
	if !db.config.Pipeline {
		st.MaxConns = st.MaxSessions
	}
	st.Sessions, st.IdleSessions, st.Waiting, st.SessionWaits = len(p.all), len(p.idle), len(p.waiters), p.waits
	st.SessionsConnecting, st.SessionAcquires, st.SessionOpens, st.SessionConnectErrors = p.connecting, p.acquires, p.opens, p.connectErrors
	st.SessionGiveUps, st.SessionWaitTime = p.givenUp, p.waited
	st.LifetimeClosed += p.lifetimeClosed
	st.IdleClosed += p.idleClosed
	db.places.count(&st)
	return st
}

// laneStats returns the figures of one kind of lanes.
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
