package pg

import (
	"fmt"
	"runtime"
	"slices"
	"time"
)

// lanes are the connections that carry the statements of all callers of a DB, or of its Readers.
// They grow with the load. No statement may leave anything behind on them.
type lanes struct {
	line
	purpose purpose
	most    int           // connections
	few     int           // of these, so many are opened freely, and preferred
	least   int           // so many are kept open
	group   int           // how many statements share a Sync, at most
	wait    time.Duration // how long a statement may wait until there is another lane
	option  string        // the option that limits them, with its value
	node    *node         // the server that they lead to as a standby; nil if that isn't fixed

	// Guarded by the mutex.
	pauses     pauses // between attempts to connect
	generation int    // lanes of an older one are replaced
	opened     int64  // when a lane was last opened, on the clock of nanotime
	renewing   bool   // one is being opened to take the place of another, and isn't counted by connecting
	timer      *time.Timer
	watching   bool  // the timer is set
	unfit      error // why Readers don't use the server; nil if they do
}

// newLanes returns lanes without connections.
func newLanes(db *DB, descs *descriptions) *lanes {
	c := db.config
	s := &lanes{line: line{db: db, depth: c.Depth, descs: descs, places: db.places}, least: c.MinLanes, group: 1, wait: longWait}
	s.of = s
	s.most = db.places.limit(c.Lanes)
	s.option = fmt.Sprintf("pool_lanes=%d", s.most)
	if db.places != nil {
		s.option = fmt.Sprintf("pool_max_conns=%d", c.MaxConns)
	}
	s.setFew()
	return s
}

// newReaders returns the lanes for Readers. They share the descriptions, because a text means the
// same there.
func newReaders(db *DB, descs *descriptions) *lanes {
	s := newLanes(db, descs)
	s.purpose, s.least, s.group = forReads, 0, db.config.ReaderGroup
	s.places = nil
	if s.most = db.config.ReaderLanes; s.most == 0 {
		s.most = db.config.Lanes
	}
	s.option = fmt.Sprintf("pool_reader_lanes=%d", s.most)
	s.setFew()
	if !db.config.Pipeline { // then each carries a statement at a time
		s.depth, s.group = 1, 1
	}
	s.wait *= time.Duration(max(s.group/2, 1)) // as one lane carries so many more
	s.trip.first = 4 * s.group                 // two groups are one write, and the server has two while others are answered
	return s
}

func (s *lanes) setFew() { s.few = min(s.most, max(fewLanes, runtime.GOMAXPROCS(0))) }

func (s *lanes) refusesNow(*segment) error { return s.unfit }

func (s *lanes) mayWait() error {
	if most := s.db.config.QueueLimit; most > 0 && s.queuedNow >= most {
		return fmt.Errorf("%w: all %d lanes are busy, and %d wait (pool_queue): look for slow statements, or raise %s", ErrQueueFull, len(s.conns), s.queuedNow, s.option)
	}
	return nil
}

func (s *lanes) took(*segment) {}

// pick prefers the first few lanes, because statements on one lane share system calls. It uses the
// others when these are full.
func (s *lanes) pick(now int64) *conn {
	if s.queuedNow > 0 {
		return nil
	}
	var best *conn
	for i, c := range s.conns {
		if i == s.few && best != nil {
			break
		}
		if !c.open() {
			continue
		}
		n := c.sent.len()
		if n == 0 {
			if !c.isWell(now) {
				continue
			}
			return c
		}
		if n >= s.room(c) {
			continue
		}
		if best == nil || n < best.sent.len() {
			best = c
		}
	}
	if best != nil && len(s.conns) < s.few {
		s.grow()
	}
	return best
}

func (s *lanes) room(c *conn) int { return c.pace.depth }

// shares is half of what a lane carries at most, so that there are two groups or more. It shrinks
// after slow statements.
func (s *lanes) shares(c *conn) int {
	if !c.w.shares {
		return 1
	}
	return min(s.group, c.pace.depth/2)
}

// refills reports true when a lane is half empty, so that several segments share one write. Until
// then the server works on the other half.
func (s *lanes) refills(c *conn) bool { return c.sent.len() <= c.pace.depth/2 }

// longWait is how long a statement may wait for a lane before another lane is opened, if the limit
// allows. A few lanes suffice for many short statements. Where some take long, more lanes keep the
// others going.
const longWait = 2 * time.Millisecond

func (s *lanes) waits() {
	if len(s.conns) < s.few {
		s.grow()
	}
	s.watch()
}

// watch sets the timer that checks the queue.
func (s *lanes) watch() {
	if s.watching || s.queuedNow == 0 || s.forced || len(s.conns)+s.connecting >= s.most {
		return
	}
	s.watching = true
	if s.timer == nil {
		s.timer = time.AfterFunc(s.patience(nanotime()), s.onTimer)
		return
	}
	s.timer.Reset(s.patience(nanotime()))
}

// onTimer opens a lane if a statement has waited for long.
func (s *lanes) onTimer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watching = false
	if s.waitsLong() {
		s.grow()
	}
	s.watch()
}

// waitsLong reports whether the first statement of the queue has waited for long.
func (s *lanes) waitsLong() bool {
	g := s.queue.first()
	if g == nil {
		return false
	}
	now, since := nanotime(), g.since
	if s.group > 1 && !s.trip.isHeldOften(now) {
		since = max(since, s.opened) // waiting for a lane to be opened doesn't show that more are needed
	}
	patience := max(int64(s.patience(now)), 4*s.trip.shortest) // with a distant server, some round trips aren't a long wait
	return now-since > patience
}

// patience is shorter where slow statements hold up lanes, because then only other lanes can go on.
func (s *lanes) patience(now int64) time.Duration {
	if s.trip.isHeldOften(now) {
		return longWait
	}
	return s.wait
}

const maxConnecting = 4

// grow opens another lane if the limit allows.
func (s *lanes) grow() {
	if s.forced || len(s.conns)+s.connecting >= s.most || s.connecting >= maxConnecting {
		return
	}
	if s.connecting > 0 && s.connecting >= s.queuedNow+1 {
		return
	}
	wait := s.pauses.wait()
	if wait > 0 && s.connecting > 0 {
		return
	}
	if !s.places.lane(s.queuedNow > 0 && (len(s.conns) == 0 || s.waitsLong())) {
		return
	}
	s.connect(wait)
	s.heedAll()
}

// connect starts to open another lane, and reports whether it did. The lane has a place, which
// connect leaves if it doesn't. The caller must hold the mutex.
func (s *lanes) connect(wait time.Duration) bool {
	s.connecting++
	generation := s.generation
	if s.db.spawn(func() { s.openLane(wait, generation) }) {
		return true
	}
	s.connecting--
	s.places.leave(1, 0)
	return false
}

// openLane connects, after a pause if the last attempt failed.
func (s *lanes) openLane(wait time.Duration, generation int) {
	w, err := s.db.connectAfter(wait, s.purpose, s.node)
	s.mu.Lock()
	s.connecting--
	switch {
	case err != nil:
		s.places.leave(1, 0)
	case s.forced:
		err = ErrClosed
		s.db.discard(w, func() { s.places.leave(1, 0) })
	}
	if err != nil {
		told := s.connectFailed(err)
		idle := s.idleNow()
		s.mu.Unlock()
		for _, g := range told {
			g.tell()
		}
		for _, fn := range idle {
			fn()
		}
		return
	}
	c := s.addLane(w, generation)
	if c != nil {
		s.fill()
	}
	s.heedAll()
	s.finishUp(c)
}

// addLane makes a wire a lane, and gives it something to do. It needs the mutex.
func (s *lanes) addLane(w *wire, generation int) *conn {
	c := s.add(w)
	if c == nil {
		return nil
	}
	s.opened = nanotime()
	if generation != s.generation {
		c.expires = longPast
		s.renew(nanotime())
	}
	s.pull(c, nanotime())
	c.ensureReader()
	return c
}

// connectFailed records a failed attempt. If there is no lane, and none is being opened, the
// waiting statements fail.
func (s *lanes) connectFailed(err error) (told []*segment) {
	s.stats.ConnectErrors++
	s.pauses.failed(err)
	if len(s.conns) > 0 || s.connecting > 0 {
		s.heedAll()
		return nil
	}
	if s.forced {
		err = ErrClosed
	}
	return s.failQueue(err)
}

func (s *lanes) connLost(c *conn) (told []*segment) {
	if c.served == 0 {
		s.pauses.failed(c.dead) // a connection that did nothing counts as a failed attempt
	} else {
		s.pauses.ended()
	}
	if s.forced {
		return s.failQueue(ErrClosed)
	}
	if c.w.node != nil && !c.retiring {
		c.w.node.poke()
	}
	s.spread()
	return nil
}

func (s *lanes) repeats([]*segment, []aftermath) bool { return !s.forced && s.unfit == nil }

// spread gives queued segments to the other connections, or to a new one.
func (s *lanes) spread() {
	if s.queuedNow == 0 {
		return
	}
	for _, other := range s.conns {
		if other.sent.len() < s.of.room(other) && other.open() {
			s.kick(other)
		}
	}
	s.grow()
}

func (s *lanes) spare(c *conn) bool {
	return slices.Index(s.conns, c) >= max(s.few, s.least)
}

func (s *lanes) answered(c *conn, g *segment, status byte) error {
	if status == 'I' {
		s.noteState(c, g)
		return nil
	}
	fault := fmt.Errorf("%w: the statement left a transaction open: use Begin", ErrRefusedOnLane)
	g.err, g.again = fault, false
	s.stats.Poisoned++
	return fault
}

func (s *lanes) succeeded(_ *conn, g *segment) {
	if g.effects&(effectAlter|effectDrop) != 0 {
		s.stats.Reprepared += s.descs.forget() // so all lanes prepare anew
	}
}

func (s *lanes) crowded(err error) error {
	switch {
	case len(s.conns) == 0:
		return s.db.connecting(err, s.pauses.why)
	case len(s.conns) < s.most && !s.places.full():
		return err
	}
	return fmt.Errorf("%w; all %d lanes are busy, and %d statements wait: look for slow statements, or raise %s", err, len(s.conns), s.queuedNow, s.option)
}
