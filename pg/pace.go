package pg

import "time"

const (
	firstDepth = 8
	maxDepth   = 512
)

// pace finds out how many statements a connection should carry at once: so many that the server has always a few waiting, and no more,
// because each waits for those before it. It is the idea of TCP's BBR: twice what the connection answers while the shortest round trip lasts, and
// a few more. Where the network is what takes the time, that is more than it carries now, and so it grows; where the server is, it isn't.
type pace struct {
	depth int
	fixed bool

	probe    *segment // whose round trip is being measured
	ahead    int      // how many were under way when it was sent
	shortest int64    // the shortest round trip, in nanoseconds
	grown    int64    // when shortest was last made longer: it grows slowly, so that a change of the network shows
	best     float64  // the most answers in a nanosecond; it shrinks slowly while the connection is used
	skip     int      // sendings until the next probe
}

const (
	probeEvery = 8
	growEvery  = int64(100 * time.Millisecond)

	// nearby is a round trip for which the first depth is enough. More would only have more statements wait behind a slow one.
	nearby = int64(150 * time.Microsecond)
)

func (p *pace) init(fixed int) {
	p.depth, p.fixed = firstDepth, fixed > 0
	if p.fixed {
		p.depth = fixed
	}
}

var clockStart = time.Now()

// nanotime is a clock that only goes forward.
func nanotime() int64 { return int64(time.Since(clockStart)) }

// sending notes that a segment is sent behind others.
func (p *pace) sending(s *segment, ahead int) {
	if p.fixed || p.probe != nil {
		return
	}
	if p.skip > 0 {
		p.skip--
		return
	}
	p.skip = probeEvery
	p.probe, p.ahead = s, ahead
	s.sentAt = nanotime()
}

// forget notes that a segment isn't sent after all.
func (p *pace) forget(s *segment) {
	if p.probe == s {
		p.probe = nil
	}
}

// answered notes that a segment was answered.
func (p *pace) answered(s *segment) {
	if s != p.probe {
		return
	}
	p.probe = nil
	now := nanotime()
	took := max(now-s.sentAt, 1)
	switch {
	case p.shortest == 0 || took < p.shortest:
		p.shortest = took
	case now-p.grown > growEvery:
		p.shortest += p.shortest >> 9
		p.grown = now
	}
	if 2*(p.ahead+1) < p.depth {
		return // it wasn't used, so nothing can be said about more
	}
	// Answers come in order, so those that were ahead came in that time, too.
	p.best = max(float64(p.ahead+1)/float64(took), p.best-p.best/64)
	switch target := firstDepth + int(2*p.best*float64(max(p.shortest-nearby, 0))); {
	case target > p.depth:
		p.depth = min(target, p.depth+p.depth/4+1, maxDepth)
	case target < p.depth:
		p.depth = max(target, p.depth-p.depth/8, firstDepth)
	}
}
