package pg

import (
	"slices"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// A line takes segments and gives them to connections. It is the common part of the lanes of a DB
// and of the connection of a session. Where these differ it asks its submitter.
//
// A segment binds late. It waits in the queue, whose order is that of submission, until a
// connection has room.
type line struct {
	db     *DB
	of     submitter
	places *places // in which the connections count; nil if they don't
	depth  int     // of each connection; 0: adapting
	descs  *descriptions

	mu         mutex // held for moments. Nothing that blocks is done with it
	trip       trip  // to the server and back
	conns      []*conn
	connecting int
	queue      fifo     // it may have dropped segments, whose state isn't queued
	queuedNow  int      // without dropped segments
	heeded     bool     // a loop had to know what a queued segment waits for
	closing    bool     // nothing more is accepted
	forced     bool     // closed: what is under way is cancelled, and nothing is repeated
	idle       []func() // to be called once nothing is under way
	owner      *lease   // whose it is
	stats      counters
}

// A submitter is a line of one kind: [lanes] or [owned]. Its methods are called with the mutex.
type submitter interface {
	// refusesNow returns why a segment can't be accepted at present.
	refusesNow(g *segment) error
	// pick returns the connection for a new segment, or nil if the segment must wait.
	pick(now int64) *conn
	// mayWait returns why a segment can't wait for a connection.
	mayWait() error
	// waits makes sure that the segments in the queue don't wait for long.
	waits()
	// took records what an accepted segment leaves behind.
	took(g *segment)
	// room returns how many segments a connection carries at once.
	room(c *conn) int
	// shares returns how many segments may share a Sync on a connection, at most.
	shares(c *conn) int
	// refills reports whether a connection should get segments out of the queue.
	refills(c *conn) bool
	// answered looks at what an answer has left behind. An error ends the connection.
	answered(c *conn, g *segment, status byte) error
	// succeeded looks at what a segment has changed.
	succeeded(c *conn, g *segment)
	// repeats reports whether another connection can take over the segments without an effect of
	// one that broke. It gets the segments that were sent there, and what happened to each.
	repeats(sent []*segment, fates []aftermath) bool
	// connLost records that a connection is dead. It returns the segments that have failed with it,
	// whose waiters the caller must tell.
	connLost(c *conn) (told []*segment)
	// spare reports whether a connection is there only for busy times.
	spare(c *conn) bool
	// crowded returns the error of a caller whose context ended while its statement was in the
	// queue.
	crowded(err error) error
}

// counters are what a line counts.
type counters struct {
	Statements, Writes, Retries, Reprepared, StrayCancels uint64
	Cancels, Abandoned, Dropped, Connects, Lost, Poisoned uint64
	ConnectErrors, Waits, Silent                          uint64
	LifetimeClosed, IdleClosed, Syncs, Skipped            uint64
	WaitTime                                              time.Duration
}

// inFlight returns how many segments are under way. It needs the mutex.
func (s *line) inFlight() (n int) {
	for _, c := range s.conns {
		n += c.sent.len()
	}
	return n
}

// submit takes a segment of a plain goroutine. It returns the connection that the caller must read,
// if any, and the one that it must write to first.
func (s *line) submit(g *segment) (read, to *conn, buf []byte, err error) {
	now := nanotime() // not with the mutex: to look at the clock takes long
	s.mu.Lock()
	defer s.mu.Unlock()
	to, err = s.accept(g, now)
	if err != nil || to == nil {
		return nil, nil, nil, err
	}
	if to.role == nobody {
		to.role, to.until, read = caller, g, to
	} else {
		g.awaitReady()
	}
	return read, to, to.startWrite(), nil
}

// place takes a segment whose waiter doesn't read; its loop reads, if it can. The caller must
// write, and must hold the mutex.
func (s *line) place(l *loop.Loop, g *segment, now int64) error {
	c, err := s.accept(g, now)
	if c != nil {
		c.readBy(l)
	}
	return err
}

// accept puts a segment on a connection, which it returns, or into the queue. There is no other way
// there. now is on the clock of nanotime. The caller must hold the mutex.
func (s *line) accept(g *segment, now int64) (*conn, error) {
	if err := s.refuses(g); err != nil {
		return nil, err
	}
	if s.closing {
		return nil, ErrClosed
	}
	if err := s.of.refusesNow(g); err != nil {
		return nil, err
	}
	s.stats.Statements++
	if c := s.of.pick(now); c != nil {
		if err := c.put(g, now); err != nil {
			return nil, err
		}
		s.accepted(g)
		return c, nil
	}
	if err := s.of.mayWait(); err != nil {
		return nil, err
	}
	s.stats.Waits++
	s.accepted(g)
	s.joinAll(g.waitsIn())
	s.enqueue(g, now)
	g.awaitReady()
	s.of.waits()
	return nil, nil
}

// awaitReady makes sure that the segment's waiter can be told.
func (g *segment) awaitReady() {
	if g.ready == nil && g.promise == nil && g.then == nil {
		g.ready = make(chan struct{}, 1)
	}
}

// joinAll takes all connections from loops other than l. A segment that waits in l is about to be
// queued, and any of the connections may have room for it. The caller must hold the mutex.
func (s *line) joinAll(l *loop.Loop) {
	if last := s.queue.last(); last != nil && last.state == stateQueued && last.waitsIn() == l {
		return // they were taken for that segment, and no other loop has got one since, see conn.enter
	}
	for _, c := range s.conns {
		c.joinedBy(l)
	}
}

func (s *line) enqueue(g *segment, now int64) {
	g.state = stateQueued
	g.since = now
	s.queue.push(g)
	s.queuedNow++
	s.heed(g)
}

// heed tells the loop of a queued segment whether the segment waits for something outside: a
// connection that is being made, or a cancel that isn't answered. Otherwise it may wait for
// segments of tasks that sleep. The caller must hold the mutex.
func (s *line) heed(g *segment) {
	if g.promise == nil {
		return
	}
	outside := s.connecting > 0 || s.places != nil && len(s.conns) == 0 || slices.ContainsFunc(s.conns, func(c *conn) bool { return c.cancels > 0 || c.held != nil })
	if g.promise.UnderWay(outside) {
		g.promise.Certain(s.connecting > 0)
		s.heeded = true
	}
}

// heedAll is called when what heed looks at has changed. It needs the mutex.
func (s *line) heedAll() {
	if !s.heeded {
		return
	}
	for i := range s.queue.len() {
		if g := s.queue.at(i); g.state == stateQueued {
			s.heed(g)
		}
	}
}

// next takes the first segment of the queue that hasn't been dropped.
func (s *line) next() *segment {
	for {
		g := s.queue.pop()
		if g == nil {
			return nil
		}
		if g.state == stateQueued {
			s.queuedNow--
			return g
		}
	}
}

// pull moves segments from the queue to a connection that has room. The caller must make sure that
// the connection is written and read. now is on the clock of nanotime.
func (s *line) pull(c *conn, now int64) {
	if !s.of.refills(c) {
		return
	}
	for s.queuedNow > 0 && c.open() && c.sent.len() < s.of.room(c) {
		g := s.next()
		if g == nil {
			return
		}
		s.stats.WaitTime += time.Duration(max(now-g.since, 0))
		if err := c.put(g, now); err != nil {
			g.err, g.state = err, stateFinished
			s.db.spawn(g.tell) // tell needs to run without the mutex, which is held here
		}
	}
}

// add makes a wire one of the connections. It returns nil if the line has been closed.
func (s *line) add(w *wire) *conn {
	c := newConn(s, w)
	if !s.db.spawn(c.reside) {
		_ = w.net.Close()
		return nil
	}
	s.stats.Connects++
	s.conns = append(s.conns, c)
	c.arm()
	return c
}

// finishUp ends a step that needed the mutex: it releases the mutex, writes, and calls the
// functions that wait for idleness.
func (s *line) finishUp(c *conn) {
	var buf []byte
	if c != nil {
		buf = c.startWrite()
	}
	idle := s.idleNow()
	s.mu.Unlock()
	if buf != nil {
		c.write(buf)
	}
	for _, fn := range idle {
		fn()
	}
}

func (s *line) failQueue(err error) (told []*segment) {
	for g := s.next(); g != nil; g = s.next() {
		g.err, g.state = err, stateFinished
		told = append(told, g)
	}
	return told
}

// queueAgain puts segments that were sent without an effect to the front of the queue.
func (s *line) queueAgain(again []*segment) {
	waiting, now := s.queue.takeAll(), nanotime()
	for _, g := range again {
		g.forgetAnswer()
		g.awaitReady() // the goroutine that read the connection for it doesn't any more
		s.stats.Retries++
		s.joinAll(g.waitsIn())
		s.enqueue(g, now)
	}
	for _, g := range waiting {
		if g.state == stateQueued {
			s.queue.push(g)
		}
	}
}

// kick starts a goroutine that gives queued segments to a connection that has room.
func (s *line) kick(c *conn) {
	s.db.spawn(func() {
		s.mu.Lock()
		s.pull(c, nanotime())
		c.ensureReader()
		s.finishUp(c)
	})
}

// idleNow returns the functions to call, without the mutex, because nothing is under way now.
func (s *line) idleNow() []func() {
	if len(s.idle) == 0 || s.queuedNow > 0 {
		return nil
	}
	for _, c := range s.conns {
		if c.sent.len() > 0 || c.cancels > 0 {
			return nil
		}
	}
	fns := s.idle
	s.idle = nil
	return fns
}

// whenIdle calls fn once nothing is under way, maybe at once.
func (s *line) whenIdle(fn func()) {
	s.mu.Lock()
	s.addIdle(fn)
}

// addIdle is whenIdle with the mutex, which it releases.
func (s *line) addIdle(fn func()) {
	s.idle = append(s.idle, fn)
	for _, c := range s.conns {
		c.joinedBy(nil)
	}
	fns := s.idleNow()
	s.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
}

// connLost takes a dead connection out. The segments in again go to the front of the queue. It
// returns those that have failed with it, whose waiters the caller must tell.
func (s *line) connLost(c *conn, again []*segment) (told []*segment) {
	if i := slices.Index(s.conns, c); i >= 0 {
		s.conns = slices.Delete(s.conns, i, i+1)
	}
	if !c.retiring {
		s.stats.Lost++
	}
	s.queueAgain(again)
	return s.of.connLost(c)
}
