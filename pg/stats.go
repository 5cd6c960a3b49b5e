package pg

// Stats are figures about a DB. The counters run from its beginning and are those of the lanes.
type Stats struct {
	Lanes      int // open connections that are shared
	Connecting int // lanes that are being opened
	InFlight   int // statements on lanes
	Queued     int // statements that wait for a lane
	Depth      int // the largest number of statements that a lane may carry at present

	Sessions     int // open connections that have or can have an owner
	IdleSessions int
	Waiting      int // callers who wait for a session

	Statements    uint64 // segments that were submitted: statements, batches, and questions for types
	Writes        uint64 // system calls, so Statements/Writes is how many share one
	Waited        uint64 // statements that had to wait for a lane
	SessionWaits  uint64
	SessionOpens  uint64 // connections that were opened for sessions
	Dropped       uint64 // given up before they were sent
	Abandoned     uint64 // given up after they were sent
	Cancels       uint64 // requests to cancel a statement
	StrayCancels  uint64 // statements that were hit by the cancel of another, and sent again
	Retries       uint64
	Reprepared    uint64 // statements that were prepared anew since the schema had changed
	Connects      uint64
	ConnectErrors uint64
	Lost          uint64 // lanes that broke
	Poisoned      uint64 // lanes that were closed since a statement had left something behind
}

// Stats returns the figures.
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
		Waited:        n.Waited,
		Dropped:       n.Dropped,
		Abandoned:     n.Abandoned,
		Cancels:       n.Cancels,
		StrayCancels:  n.StrayCancels,
		Retries:       n.Retries,
		Reprepared:    n.Reprepared,
		Connects:      n.Connects,
		ConnectErrors: n.ConnectErrors,
		Lost:          n.Lost,
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
