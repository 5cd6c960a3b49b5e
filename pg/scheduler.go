package pg

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A scheduler gives segments to connections: the lanes of a DB, of which it opens more if need be, or the one of a session.
//
// A segment binds late. It waits in the queue, whose order is that of submission, until a connection has room.
type scheduler struct {
	db    *DB
	lanes bool // many callers share it, so nothing may be left behind
	most  int  // connections
	few   int  // of these, so many are opened freely, and preferred
	depth int  // of each; 0: adapting. A session has no limit, or with pipeline=off one
	descs *descriptions

	mu         sync.Mutex // held for moments. Nothing that blocks is done with it
	trip       trip       // to the server and back
	conns      []*conn
	connecting int
	queue      fifo // also has segments that were dropped since: their state isn't queued
	queuedNow  int  // without those
	heeded     bool // a loop has had to know what a queued one waits for
	closing    bool // nothing more is accepted
	forced     bool // closed: what is under way is cancelled, and nothing is repeated
	backoff    time.Duration
	notBefore  time.Time // the next attempt to connect
	idle       []func()  // to be called once nothing is under way
	timer      *time.Timer
	watching   bool        // the timer is set
	owner      *lease      // whose it is; the driver's own while a session is made ready for the next one
	driver     lease       // the driver's own, of a session
	tainted    bool        // of a session: a statement has left something behind
	worn       bool        // of a session: and it can't be undone
	obscure    bool        // of a session: a statement may have, whose text doesn't show what it does
	kept       string      // of a session: how it is to be set up, if not as the server has it
	dialed     bool        // of a session: the pool doesn't count it. Set before it is one
	private    bool        // of a session: its owner has done that, so that it isn't given to another one
	unsettled  bool        // of a session: what names mean has changed in a transaction, which may take it back
	occupant   occupant    // of a session: a stream or a COPY. Meanwhile nothing else is accepted
	lost       error       // of a session: why its connection is gone
	onLost     func()      // is told of that, without the mutex
	unread     atomic.Bool // of a session: a stream was closed before its end
	stats      counters

	// collected is how many segments for a session are in the lists of loops' ticks.
	collected atomic.Int32

	// onNotification gets the notifications of a listener's connection, which is read all the time. It is set before the first
	// connection is there, and called by its reader.
	onNotification func(Notification)
}

// counters are what a scheduler counts.
type counters struct {
	Statements, Writes, Retries, Reprepared, StrayCancels uint64
	Cancels, Abandoned, Dropped, Connects, Lost, Poisoned uint64
	ConnectErrors, Waited, Silent                         uint64
}

const maxConnecting = 4

// inFlight returns how many segments are under way. It needs the mutex.
func (s *scheduler) inFlight() (n int) {
	for _, c := range s.conns {
		n += c.sent.len()
	}
	return n
}

// submit takes a segment of a plain goroutine. It returns the connection that the caller must read, if it must, and
// what it must write before, and to which.
func (s *scheduler) submit(g *segment) (read, to *conn, buf []byte, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	to, err = s.accept(g)
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

// place takes a segment whose waiter doesn't read. Writing is left to the caller. It needs the mutex.
func (s *scheduler) place(g *segment) error {
	c, err := s.accept(g)
	if c != nil {
		c.ensureReader()
	}
	return err
}

// accept puts a segment on a connection, which it returns, or into the queue. There is no other way there. It needs the mutex.
func (s *scheduler) accept(g *segment) (*conn, error) {
	if err := s.refuses(g); err != nil {
		return nil, err
	}
	if s.closing {
		return nil, ErrClosed
	}
	if s.occupant != nil && g.lease != &s.driver {
		return nil, errOccupied
	}
	s.stats.Statements++
	if c := s.pick(); c != nil {
		if err := c.put(g); err != nil {
			return nil, err
		}
		s.accepted(g)
		return c, nil
	}
	if !s.lanes && len(s.conns) == 0 {
		return nil, &LostError{MaybeApplied: false, Err: s.lost}
	}
	if most := s.db.config.QueueLimit; s.lanes && most > 0 && s.queuedNow >= most {
		return nil, ErrQueueFull
	}
	s.stats.Waited++
	s.accepted(g)
	s.enqueue(g)
	g.awaitReady()
	if len(s.conns) < s.few {
		s.grow()
	}
	s.watch()
	return nil, nil
}

// awaitReady sees to it that whoever waits for the segment can be told.
func (g *segment) awaitReady() {
	if g.ready == nil && g.promise == nil && g.then == nil {
		g.ready = make(chan struct{}, 1)
	}
}

func (s *scheduler) enqueue(g *segment) {
	g.state = stateQueued
	g.since = nanotime()
	s.queue.push(g)
	s.queuedNow++
	s.heed(g)
}

// heed tells the loop of a queued segment whether what it waits for is outside: a connection that is being made, or a cancel that
// isn't answered. Other segments before it may be those of tasks that sleep. It needs the mutex.
func (s *scheduler) heed(g *segment) {
	if g.promise == nil {
		return
	}
	outside := s.connecting > 0 || slices.ContainsFunc(s.conns, func(c *conn) bool { return c.cancels > 0 || c.held != nil })
	if g.promise.UnderWay(outside) {
		s.heeded = true
	}
}

// heedAll is called when what heed looks at has changed. It needs the mutex.
func (s *scheduler) heedAll() {
	if !s.heeded {
		return
	}
	for i := range s.queue.len() {
		if g := s.queue.at(i); g.state == stateQueued {
			s.heed(g)
		}
	}
}

// longWait is how long a statement may wait for a lane before there is another one, if there may be. With many short statements
// a few lanes do; where some take long, more of them keep the others going.
const longWait = 2 * time.Millisecond

// watch sees to it that the queue is looked at.
func (s *scheduler) watch() {
	if !s.lanes || s.watching || s.queuedNow == 0 || s.forced || len(s.conns)+s.connecting >= s.most {
		return
	}
	s.watching = true
	if s.timer == nil {
		s.timer = time.AfterFunc(longWait, s.onTimer)
		return
	}
	s.timer.Reset(longWait)
}

// onTimer opens a lane if there is one that waits for long.
func (s *scheduler) onTimer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.watching = false
	if s.waitsLong() {
		s.grow()
	}
	s.watch()
}

// waitsLong reports whether the first of the queue has waited for long.
func (s *scheduler) waitsLong() bool {
	g := s.queue.first()
	if g == nil {
		return false
	}
	patience := max(int64(longWait), 4*s.trip.shortest) // far away, a wait of some round trips is none
	return nanotime()-g.since > patience
}

// next takes the first segment of the queue that still wants to be sent.
func (s *scheduler) next() *segment {
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

// pick returns the connection that a new segment is to be put on, nil if it has to wait. The first few lanes are preferred:
// what shares a lane shares system calls, too. The others are for when these are full.
func (s *scheduler) pick() *conn {
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

// room returns how many segments a connection carries at once.
func (s *scheduler) room(c *conn) int {
	switch {
	case s.lanes:
		return c.pace.depth
	case s.db.config.Pipeline:
		return math.MaxInt
	}
	return 1
}

// pull moves segments from the queue to a connection that has room. Whoever calls it sees to it that they are written and read.
//
// A lane is filled again when it is half empty, so that several segments are one write. Until then the server has the other half.
func (s *scheduler) pull(c *conn) {
	if s.lanes && c.sent.len() > c.pace.depth/2 {
		return
	}
	for s.queuedNow > 0 && c.open() && c.sent.len() < s.room(c) {
		g := s.next()
		if g == nil {
			return
		}
		if err := c.put(g); err != nil {
			g.err, g.state = err, stateFinished
			s.db.spawn(g.tell) // this is no place for it
		}
	}
}

// grow opens another lane if there may be more.
func (s *scheduler) grow() {
	if !s.lanes || s.forced || len(s.conns)+s.connecting >= s.most || s.connecting >= maxConnecting {
		return
	}
	if s.connecting > 0 && s.connecting >= s.queuedNow+1 {
		return
	}
	wait := time.Until(s.notBefore)
	if wait > 0 && s.connecting > 0 {
		return
	}
	s.connecting++
	if !s.db.spawn(func() { s.openLane(wait) }) {
		s.connecting--
	}
	s.heedAll()
}

// openLane connects, after a pause if the last attempt failed.
func (s *scheduler) openLane(wait time.Duration) {
	if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-s.db.ctx.Done():
		}
	}
	w, err := s.db.connect(s.db.ctx)
	s.mu.Lock()
	s.connecting--
	if err == nil && s.forced {
		err = errors.Join(ErrClosed, w.net.Close())
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
	c := s.add(w)
	if c != nil {
		s.pull(c)
		c.ensureReader()
	}
	s.heedAll()
	s.finishUp(c)
}

// add makes a wire one of the connections. It returns nil if it's too late for that.
func (s *scheduler) add(w *wire) *conn {
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

// finishUp ends what was done with the mutex: it releases it, writes, and tells those who wait for idleness.
func (s *scheduler) finishUp(c *conn) {
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

const (
	firstBackoff = 20 * time.Millisecond
	maxBackoff   = time.Second
)

// connectFailed notes a failed attempt. If there is no lane left, and none on its way, those who wait have waited in vain.
func (s *scheduler) connectFailed(err error) (told []*segment) {
	s.stats.ConnectErrors++
	s.pause()
	if len(s.conns) > 0 || s.connecting > 0 {
		s.heedAll()
		return nil
	}
	if s.forced {
		err = ErrClosed
	}
	return s.failQueue(err)
}

// pause puts off the next attempt to connect, the longer the more have failed in a row.
func (s *scheduler) pause() {
	s.backoff = min(max(2*s.backoff, firstBackoff), maxBackoff)
	s.notBefore = time.Now().Add(s.backoff/2 + rand.N(s.backoff/2+1))
}

func (s *scheduler) failQueue(err error) (told []*segment) {
	for g := s.next(); g != nil; g = s.next() {
		g.err, g.state = err, stateFinished
		told = append(told, g)
	}
	return told
}

// connLost takes a dead connection out. The segments in again go to the front of the queue. It returns those that are to be told
// that nothing will come of it.
func (s *scheduler) connLost(c *conn, again []*segment) (told []*segment) {
	if i := slices.Index(s.conns, c); i >= 0 {
		s.conns = slices.Delete(s.conns, i, i+1)
	}
	if !c.retiring {
		s.stats.Lost++
	}
	if c.served == 0 {
		s.pause() // a connection that was of no use is as good as none
	} else {
		s.backoff, s.notBefore = 0, time.Time{}
	}
	s.queueAgain(again)
	switch {
	case !s.lanes:
		s.lost = c.dead
		for g := s.next(); g != nil; g = s.next() {
			g.err, g.state = &LostError{MaybeApplied: false, Err: c.dead}, stateFinished
			told = append(told, g)
		}
	case s.forced:
		told = s.failQueue(ErrClosed)
	default:
		s.spread()
	}
	return told
}

// queueAgain puts segments that were sent, to no effect, to the front of the queue.
func (s *scheduler) queueAgain(again []*segment) {
	waiting := s.queue.takeAll()
	for _, g := range again {
		g.forgetAnswer()
		g.awaitReady() // whoever read the connection for it doesn't any more
		s.stats.Retries++
		s.enqueue(g)
	}
	for _, g := range waiting {
		if g.state == stateQueued {
			s.queue.push(g)
		}
	}
}

// spread gives what is queued to the other connections, or to a new one.
func (s *scheduler) spread() {
	if s.queuedNow == 0 {
		return
	}
	for _, other := range s.conns {
		if other.sent.len() < s.room(other) && other.open() {
			s.kick(other)
		}
	}
	s.grow()
}

// kick has a goroutine give queued segments to a connection that has room.
func (s *scheduler) kick(c *conn) {
	s.db.spawn(func() {
		s.mu.Lock()
		s.pull(c)
		c.ensureReader()
		s.finishUp(c)
	})
}

// idleNow returns what is to be called, without the mutex, because nothing is under way now.
func (s *scheduler) idleNow() []func() {
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
func (s *scheduler) whenIdle(fn func()) {
	s.mu.Lock()
	s.addIdle(fn)
}

// addIdle is whenIdle with the mutex, which it releases.
func (s *scheduler) addIdle(fn func()) {
	s.idle = append(s.idle, fn)
	fns := s.idleNow()
	s.mu.Unlock()
	for _, fn := range fns {
		fn()
	}
}
