package pg

// Stats are figures about a DB: some of this moment, and counters from its beginning, so the
// difference of two readings is what happened in between. Those of statements are of the lanes;
// what runs on sessions isn't counted, but for the sessions themselves. There is no unit of time
// among them: each is a number.
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
type Stats struct {
	// Of this moment.
	Lanes        int // open connections that are shared; at most pool_lanes
	Connecting   int // lanes that are being opened
	InFlight     int // statements that are on a lane: sent, or about to be, and not answered
	Queued       int // statements that wait for a lane
	Depth        int // the largest number of statements that one lane may carry at present; it adapts to the network
	Sessions     int // open connections that have an owner, or can have one; at most pool_sessions, and those of Dial
	IdleSessions int // of these, those that wait for an owner
	Waiting      int // callers who wait for a session

	// Statements on lanes. A batch counts as one, and so does a question for a statement's types.
	Statements   uint64 // submitted
	Waits        uint64 // of these, those that had to wait for a lane
	Writes       uint64 // system calls that wrote to a lane; Statements/Writes is how many share one
	Dropped      uint64 // given up by their callers before they were sent
	Abandoned    uint64 // given up by their callers after they were sent
	Cancels      uint64 // requests to the server to cancel a statement, each on a connection of its own
	StrayCancels uint64 // statements that were hit by the cancel of another, and sent again
	Retries      uint64 // statements that were sent again, for any reason, because they certainly had no effect
	Reprepared   uint64 // statements that were prepared anew since the schema had changed

	// Lanes.
	Connects      uint64 // opened
	ConnectErrors uint64 // attempts that failed
	Lost          uint64 // broke, or were given up
	Silent        uint64 // of these, those that were given up because nothing was heard of them for Config.CancelTimeout
	Poisoned      uint64 // closed since a statement had left something behind

	// Sessions.
	SessionOpens uint64 // opened
	SessionWaits uint64 // callers who had to wait for one
}

// Stats returns the figures. It is cheap enough to be called every second.
func (db *DB) Stats() Stats {
	s := &db.lanes
	s.mu.Lock()
	n := s.stats
	st := Stats{
		Lanes:         len(s.conns),
		Connecting:    s.connecting,
		Queued:        s.queuedNow,
		Statements:    n.Statements,
		Writes:        n.Writes,
		Waits:         n.Waits,
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
	}
	for _, c := range s.conns {
		st.InFlight += c.sent.len()
		st.Depth = max(st.Depth, c.pace.depth)
	}
	s.mu.Unlock()
	p := db.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	st.Sessions, st.IdleSessions, st.Waiting, st.SessionWaits = len(p.all), len(p.idle), len(p.waiters), p.waits
	st.SessionOpens = p.opens
	return st
}
