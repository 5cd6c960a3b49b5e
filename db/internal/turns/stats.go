package turns

import "time"

// Stats are figures about a Pool or a Gate, as in db.Stats. A Gate sets only the figures about its
// line.
type Stats struct {
	Open, Idle, InUse, MaxOpen int
	Waiting                    int

	Acquired, Waits, Timeouts          int64
	WaitTime                           time.Duration
	Connects, ConnectErrors, Discarded int64
	LifetimeClosed, IdleClosed         int64
}

// Stats returns a snapshot.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.queue.stats()
	s.Open = p.places - p.orphans
	s.Idle = len(p.idle)
	s.InUse = p.places - len(p.idle) - p.orphans
	s.MaxOpen = p.Max
	s.Acquired = p.acquired
	s.Connects = p.connects
	s.ConnectErrors = p.failures
	s.Discarded = p.discarded
	s.LifetimeClosed, s.IdleClosed = p.outlived, p.unused
	return s
}

// Stats returns a snapshot.
func (g *Gate) Stats() Stats {
	if g == nil {
		return Stats{}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.queue.stats()
}

// stats returns the figures about the line. The lock is held.
func (q *queue) stats() Stats {
	return Stats{Waiting: q.length, Waits: q.waits, WaitTime: q.waited, Timeouts: q.timeouts}
}
