package pg

import "time"

const (
	firstDepth = 8
	maxDepth   = 512
)

// pace finds out how many statements a connection should carry at once: so many that the server has always a few waiting, and no more,
// because each waits for those before it. It is the idea of TCP Vegas: of the statements that are under way, those that the
// shortest round trip doesn't explain are waiting.
type pace struct {
	depth int
	fixed bool

	probe    *segment // whose round trip is being measured
	ahead    int      // how many were under way when it was sent
	shortest int64    // the shortest round trip, in nanoseconds; it grows slowly, so that a change of the network shows
	skip     int      // sendings until the next probe
}

const (
	probeEvery  = 8
	fewWaiting  = 4
	manyWaiting = 24
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
	took := max(nanotime()-s.sentAt, 1)
	if p.shortest == 0 || took < p.shortest {
		p.shortest = took
	} else {
		p.shortest += p.shortest >> 9
	}
	if p.ahead+1 < p.depth {
		return // it wasn't used to the full, so nothing can be said about more
	}
	waiting := int64(p.depth) - int64(p.depth)*p.shortest/took
	switch {
	case waiting < fewWaiting:
		p.depth = min(p.depth+p.depth/4+1, maxDepth)
	case waiting > manyWaiting:
		p.depth = max(p.depth-p.depth/8, firstDepth)
	}
}
