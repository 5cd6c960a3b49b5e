package pg

import "time"

const (
	firstDepth = 8
	leastDepth = 6 // where some statements are slow
	maxDepth   = 512
)

// pace finds out how many statements a connection should carry at once: so many that the server has
// always a few waiting, and no more, because each waits for those before it. It is the idea of
// TCP's BBR: twice what the connection answers while the shortest round trip lasts, and a few more.
// Where the network is what takes the time, that is more than it carries now, and so it grows;
// where the server is, it isn't.
//
// After a statement that took much longer than a round trip it is less, unless these are rare, and
// no less than needed; so fewer have to wait for the next one like it.
type pace struct {
	depth int
	fixed bool

	trip   *trip    // of all connections to the database
	probe  *segment // whose round trip is being measured
	ahead  int      // how many were under way when it was sent
	before int      // how many answers there had been
	best   float64  // the most answers in a nanosecond; it shrinks slowly while the connection is used
	skip   int      // sendings until the next probe
}

// trip is the shortest round trip that any connection has seen lately. With all of them one sees
// one that no other statement has made longer, even if each is always busy.
type trip struct {
	shortest int64      // in nanoseconds
	grown    int64      // when shortest was last made longer: it grows slowly, so that a change of the network shows
	slow     int64      // when a statement was last seen that took much longer than that; 0: never
	answers  int        // of all connections
	heldAt   int        // how many of these there were then
	apart    int        // how many answers lie between two such statements, lately
	inFlight func() int // of all connections, at the moment
	first    int        // the depth where the way is short; 0: the usual one
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

// held notes an answer that took d, while the connections together gave so many. It's a slow
// statement, here or before it, if the others have gone on: if they haven't, it was the server as a
// whole that stood still, or this program, or the network.
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

// isHeld reports whether a slow statement was seen lately, and isHeldOften whether such ones aren't
// rare.
func (t *trip) isHeld(now int64) bool { return t.slow != 0 && now-t.slow < slowFor }

func (t *trip) isHeldOften(now int64) bool { return t.isHeld(now) && t.apart < 2*leastDepth*slowShare }

// depth is how many statements a connection should carry of which so many are answered in a round
// trip.
func (t *trip) depth(answered float64, now int64) int {
	if t.isHeld(now) {
		// Those that wait for a slow one are to be few among all.
		return max(leastDepth, int(answered), min(t.firstDepth()+int(2*answered), t.apart/slowShare))
	}
	return t.firstDepth() + int(2*answered)
}

const (
	probeEvery = 8
	growEvery  = int64(100 * time.Millisecond)

	// nearby is a round trip for which the first depth is enough. More would only have more
	// statements wait for a slow one.
	nearby = int64(150 * time.Microsecond)

	// slow is what takes so many round trips, and so long; it is remembered for a while.
	slowTrips = 8
	slowest   = int64(25 * time.Millisecond)
	slowFor   = int64(10 * time.Second)

	// slowShare is of how many statements one may wait for a slow one, so that of a hundred all but
	// one are quick.
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

// sending notes that a segment is sent after others. now is on the clock of nanotime.
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

// answered notes that a segment was answered, when now is on the clock of nanotime.
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
		return // it wasn't used, so nothing can be said about more
	}
	// Answers come in order, so those that were ahead came in that time, too.
	p.best = max(float64(p.ahead+1)/float64(took), p.best-p.best/64)
	switch target := p.trip.depth(p.best*float64(max(p.trip.shortest-nearby, 0)), now); {
	case target > p.depth:
		p.depth = min(target, p.depth+p.depth/4+1, maxDepth)
	case target < p.depth:
		p.depth = max(target, p.depth-p.depth/8-1)
	}
}
