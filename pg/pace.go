package pg

import "time"

const (
	firstDepth = 8
	leastDepth = 6 // the smallest depth, where some statements are slow
	maxDepth   = 512
)

// pace finds out how many statements a connection should carry at once: so many that the server
// always has a few waiting, but no more, because each waits for those before it. The idea is that
// of TCP's BBR: twice what the connection answers within the shortest round trip, and a few more.
// Where the network is the bottleneck, that exceeds the present depth, so the depth grows. Where
// the server is, it doesn't.
//
// After a statement that took much longer than a round trip, the depth shrinks, unless such
// statements are rare, but never below what is needed. So fewer statements have to wait for the
// next slow one.
type pace struct {
	depth int
	fixed bool

	trip   *trip    // shared by all connections to the database
	probe  *segment // whose round trip is being measured
	ahead  int      // how many statements were under way when it was sent
	before int      // how many answers the connections had got when it was sent
	best   float64  // the most answers per nanosecond; it shrinks slowly while the connection is used
	skip   int      // how many segments are sent before the next probe
}

// trip is the shortest round trip that any connection has seen lately. Even if every connection is
// always busy, one of them will see a round trip that no other statement has made longer.
type trip struct {
	shortest int64      // in nanoseconds
	grown    int64      // when shortest was last raised: it rises slowly, so that a change of the network shows
	slow     int64      // when a statement last took much longer than shortest; 0: never
	answers  int        // of all connections
	heldAt   int        // answers at that time
	apart    int        // the recent average of answers between two such statements
	inFlight func() int // how many segments all connections carry now
	first    int        // the depth for a short round trip; 0: the usual one
}

func (t *trip) firstDepth() int { return max(t.first, firstDepth) }

func (t *trip) took(d, now int64) {
	switch {
	case t.shortest == 0 || d < t.shortest:
		t.shortest = d
	case now-t.grown > growEvery:
		t.shortest += t.shortest >> 9
		t.grown = now
	}
}

// held notes an answer that took d nanoseconds, in which all connections together got so many
// answers. If the other connections have gone on, the cause is a slow statement: this one, or one
// before it. If they haven't, the server as a whole stood still, or this program, or the network.
func (t *trip) held(d, now int64, answers int) {
	if d <= max(slowTrips*t.shortest, slowest) || answers <= 2*t.inFlight() {
		return
	}
	between := t.answers - t.heldAt
	if t.slow == 0 {
		t.apart = between
	} else {
		t.apart += (between - t.apart) / 4
	}
	t.slow, t.heldAt = now, t.answers
}

// isHeld reports whether a statement was slow lately. isHeldOften reports whether slow statements
// aren't rare.
func (t *trip) isHeld(now int64) bool { return t.slow != 0 && now-t.slow < slowFor }

func (t *trip) isHeldOften(now int64) bool { return t.isHeld(now) && t.apart < 2*leastDepth*slowShare }

// depth returns how many statements a connection should carry if it answers so many within a round
// trip.
func (t *trip) depth(answered float64, now int64) int {
	if t.isHeld(now) {
		// Only a small share of all statements may wait for a slow one.
		return max(leastDepth, int(answered), min(t.firstDepth()+int(2*answered), t.apart/slowShare))
	}
	return t.firstDepth() + int(2*answered)
}

const (
	probeEvery = 8
	growEvery  = int64(100 * time.Millisecond)

	// nearby is a round trip for which the first depth is enough. A greater depth would only make
	// more statements wait for a slow one.
	nearby = int64(150 * time.Microsecond)

	// A statement is slow if it takes longer than slowTrips round trips and longer than slowest.
	// That counts for slowFor.
	slowTrips = 8
	slowest   = int64(25 * time.Millisecond)
	slowFor   = int64(10 * time.Second)

	// slowShare limits the statements that wait for a slow one to one in so many, so that of a
	// hundred statements all but one are quick.
	slowShare = 400
)

func (p *pace) init(fixed int, trip *trip) {
	p.depth, p.fixed, p.trip = trip.firstDepth(), fixed > 0, trip
	if p.fixed {
		p.depth = fixed
	}
}

var clockStart = time.Now()

// nanotime is a clock that only goes forward.
func nanotime() int64 { return int64(time.Since(clockStart)) }

// sending notes that a segment is sent after ahead others. now is on the clock of nanotime.
func (p *pace) sending(s *segment, ahead int, now int64) {
	if p.fixed || p.probe != nil {
		return
	}
	if p.skip > 0 {
		p.skip--
		return
	}
	p.skip = probeEvery
	p.probe, p.ahead, p.before = s, ahead, p.trip.answers
	s.since = now
}

// forget notes that a segment isn't sent after all.
func (p *pace) forget(s *segment) {
	if p.probe == s {
		p.probe = nil
	}
}

// answered notes that a segment was answered. now is on the clock of nanotime.
func (p *pace) answered(s *segment, now int64) {
	p.trip.answers++
	if s != p.probe {
		return
	}
	p.probe = nil
	took := max(now-s.since, 1)
	p.trip.took(took, now)
	p.trip.held(took, now, p.trip.answers-p.before)
	if 2*(p.ahead+1) < p.depth {
		return // the depth wasn't used, so this says nothing about a greater one
	}
	// Answers come in order, so those to the segments ahead came within this time, too.
	p.best = max(float64(p.ahead+1)/float64(took), p.best-p.best/64)
	switch target := p.trip.depth(p.best*float64(max(p.trip.shortest-nearby, 0)), now); {
	case target > p.depth:
		p.depth = min(target, p.depth+p.depth/4+1, maxDepth)
	case target < p.depth:
		p.depth = max(target, p.depth-p.depth/8-1)
	}
}
