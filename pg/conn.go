package pg

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/seed1239206e/repaint/loop"
)

// A conn is a connection whose statements are pipelined: a lane, or the connection of a session.
//
// Answers come in the order in which segments were written. So the list of sent segments alone
// decides whose answer is whose. Its invariants:
//
//   - One step, under the mutex, puts a segment on the list and its bytes into the buffer. The
//     buffer is written in order.
//   - Only ReadyForQuery takes the first segment off the list, and only the goroutine that has the
//     reading role handles it.
//   - An unexpected message or status ends the connection. It is never skipped.
type conn struct {
	line *line
	mu   *mutex // the line's
	w    *wire

	// These belong to the holder of the reading role. The role is passed on under the mutex.
	frames   framer
	until    *segment        // the reading caller's; nil if the resident reads
	head     *segment        // the first on the list, while its answer is read
	answered int             // segments since the last Read
	more     bool            // others were on the list after the last of these
	arrived  int64           // when data last came, on the clock of nanotime
	fatal    *pgconn.PgError // with which the server has announced its end
	refused  bool            // it is lent, and the server has refused a write since the last ReadyForQuery

	// The reader sets waits, with the mutex, before it waits for the server, and clears it when it
	// has something to do. While it isn't set, callers leave their writing to the reader, which
	// writes before it waits again.
	waits atomic.Bool

	heard atomic.Uint64 // how often data have come

	// passed is how many segments of the first group are known to be answered. Only the reader
	// changes it. It takes the mutex to begin anew.
	passed atomic.Int32

	tunnel     atomic.Pointer[tunnel] // gets the data while the connection is lent; nil otherwise
	place      atomic.Pointer[place]  // in a loop; nil if it has none
	broken     error                  // belongs to the holder of the role: why there is nothing more to read
	unpollable bool                   // no loop can wait for it. Guarded by the mutex, as is recalled
	recalled   bool                   // the loop that reads must give the role away

	// These belong to the goroutine that set writing.
	attempt attempt

	wake  chan struct{} // the resident reader gets the role; has room for one
	ended chan struct{} // closed when the connection is dead

	// Guarded by the mutex.
	sent     fifo
	role     role
	parked   bool  // the role's holder reads the rows of a stream or makes the data of a COPY, and doesn't read the connection at present
	watching bool  // the resident reads though nothing is expected, to notice if the server ends
	dead     error // why the connection has ended; nil while it lives
	retiring bool  // gets no more statements, and is closed when all are answered
	retired  int64 // since when, on the clock of nanotime
	status   byte  // of the transaction, as of the last ReadyForQuery
	prepared prepared
	strayed  map[string]string // settings that the server has reported, if they differ from the first values
	restyled bool              // of a session: one of these changes what texts mean
	poisoned bool              // of a lane: a statement has left something behind
	altered  error             // of a lane: later statements ran under settings that weren't their callers'

	out     []byte // to be written
	spare   []byte // for the next out
	queued  uint64 // bytes that were ever put into out
	written uint64 // of these, those that the operating system has taken
	writing bool   // a goroutine writes, and will look at out again
	failed  error  // of a write

	copying *copyIn // waits for room for more data; may be nil

	cancels int      // cancel requests under way; meanwhile nothing is put
	held    *segment // is being cancelled, or is a sign of life; until it is answered nothing is put
	timer   *time.Timer
	armed   bool
	served  uint64 // segments that were answered
	signs   uint64 // of these, signs of life
	rested  int64  // when the last of them was answered, and nothing else was under way; on the clock of nanotime
	seen    uint64 // served, when the timer last looked
	quiet   int64  // when the timer last found progress; on the clock of nanotime
	silence silence

	made    int64 // on the clock of nanotime
	expires int64 // of a lane: when it must be replaced, on the clock of nanotime; 0 is never
	rest    rest  // of a lane

	pace pace
}

// A role says which goroutine or loop reads a connection.
//
//	nobody    nothing is expected; the first sender of something reads
//	caller    the caller whose segment is until, a plain goroutine, reads until it has its answer;
//	          with a stream, whenever it needs more rows, and in between it keeps the role, and parked is set;
//	          with a COPY the same, while it makes the first piece of data
//	resident  the connection's own goroutine reads until nothing is expected any more
//	looped    a loop reads whenever data have come, see place
//
// A holder that gives the role up passes it to the resident if something is still expected. So
// while something is expected there is a reader, or a caller that reads rows holds it back.
type role uint8

const (
	nobody role = iota
	caller
	resident
	looped
)

// newConn takes over a connection. The caller must call reside next.
func newConn(s *line, w *wire) *conn {
	c := &conn{
		line:   s,
		mu:     &s.mu,
		w:      w,
		wake:   make(chan struct{}, 1),
		ended:  make(chan struct{}),
		status: 'I',
	}
	c.attempt.init(w.raw)
	c.frames = newFramer(c, s.db.config.Conn.MaxProtocolMessageBodyLen)
	c.prepared = newPrepared(s.db.config.StatementCache)
	s.trip.inFlight = s.inFlight
	c.pace.init(s.depth, &s.trip)
	c.made = nanotime()
	c.quiet = c.made
	c.expires = s.db.config.expiry()
	c.timer = time.AfterFunc(time.Hour, c.onTimer)
	c.timer.Stop()
	return c
}

// open reports whether the connection takes more statements. The caller must hold the mutex.
func (c *conn) open() bool {
	return c.dead == nil && c.failed == nil && !c.retiring && c.cancels == 0 && c.held == nil
}

var syncMessage = []byte{'S', 0, 0, 0, 4}

// put puts a segment on the list and its bytes into the buffer. On an error it does neither. now is
// on the clock of nanotime. The caller must hold the mutex.
func (c *conn) put(s *segment, now int64) error {
	before := len(c.out)
	if err := c.encode(s); err != nil {
		c.out = c.out[:before]
		for i := range s.steps {
			if d := s.steps[i].desc; d != nil {
				c.prepared.Remove(d.name)
			}
		}
		return err
	}
	c.joinedBy(s.waitsIn())
	if last := c.joinedTo(s, before); last != nil {
		before = c.join(last, s, before)
	}
	n := uint64(len(c.out) - before)
	s.state, s.conn = stateSent, c
	if s.promise != nil {
		s.promise.UnderWay(true)
		s.promise.Certain(false)
	}
	s.start, s.end = c.queued, c.queued+n
	c.queued += n
	c.pace.sending(s, c.sent.len(), now)
	c.sent.push(s)
	if loop.Tracing() {
		c.traceSent(s)
	}
	c.watching = false
	if s.soon {
		c.arm()
	}
	if s.copyIn != nil {
		c.copying = s.copyIn
	}
	return nil
}

func (c *conn) encode(s *segment) (err error) {
	if s.simple != "" {
		c.out, err = (&pgproto3.Query{String: s.simple}).Encode(c.out)
		return err
	}
	for i := range s.steps {
		st := &s.steps[i]
		if st.desc != nil {
			if st.prepared = c.prepared.get(st.desc.name, st.shape); st.prepared == nil {
				s.parses = true
				if err := c.prepare(st); err != nil {
					return err
				}
			}
		}
		c.out = append(c.out, st.payload...)
	}
	c.out = append(c.out, syncMessage...)
	return nil
}

// prepare writes the messages that make a prepared statement, with the parameter types for which
// the payload was encoded. They first close one of that name, which is no error if there is none.
func (c *conn) prepare(st *step) (err error) {
	var out string
	if st.prepared, out = c.prepared.add(st.desc.name, st.shape); out != "" {
		c.out, err = (&pgproto3.Close{ObjectType: 'S', Name: out}).Encode(c.out)
	}
	if err == nil {
		c.out, err = (&pgproto3.Close{ObjectType: 'S', Name: st.desc.name}).Encode(c.out)
	}
	if err == nil {
		parse := pgproto3.Parse{Name: st.desc.name, Query: st.desc.sql, ParameterOIDs: st.shape.params}
		c.out, err = parse.Encode(c.out)
	}
	if err == nil {
		c.out, err = (&pgproto3.Describe{ObjectType: 'S', Name: st.desc.name}).Encode(c.out)
	}
	return err
}

// unput takes a segment back if none of its bytes have been sent, and reports whether it did. The
// caller must hold the mutex.
func (c *conn) unput(s *segment) bool {
	base := c.queued - uint64(len(c.out))
	if s.start < base || s.parses || c.dead != nil {
		return false
	}
	c.pace.forget(s)
	kept := c.part(s)
	s.end -= kept
	n := s.end - s.start
	c.out = slices.Delete(c.out, int(s.start-base), int(s.end-base))
	c.queued -= n
	s.conn = nil
	if loop.Tracing() {
		c.traceEnd(s, takenBack)
	}
	found := c.sent.remove(s)
	for i := found; i < c.sent.len(); i++ {
		later := c.sent.at(i)
		later.start -= n
		later.end -= n
	}
	return true
}

// ensureReader gives the reading role to the resident if something is expected and no goroutine
// reads. The caller must hold the mutex.
func (c *conn) ensureReader() { c.readBy(nil) }

func (c *conn) giveToResident() {
	c.recalled = false
	c.leaveLoop()
	c.role, c.until = resident, nil
	c.wake <- struct{}{}
}

// ready ends the answer to the first segment, or to the first group.
func (c *conn) ready(status byte) error {
	c.mu.Lock()
	first := c.sent.first()
	if first == nil {
		c.mu.Unlock()
		return fmt.Errorf("%w: ReadyForQuery came unasked", ErrProtocol)
	}
	last, err := first.endsWith()
	if err != nil {
		c.mu.Unlock()
		return err
	}
	undo(first, last)
	c.head = nil // the next one may be taken back until its answer begins
	c.passed.Store(0)
	before := c.status
	c.status = status
	c.line.stats.Syncs++
	var fault error
	var again []*segment
	held, executed, tail := false, true, first // tail is the last segment whose waiter is told
	for s := first; s != nil; {
		next := s.next
		c.sent.pop()
		if c.held == s {
			held, c.held = true, nil
			if s.isSign() {
				c.signs++
			}
		}
		switch {
		case executed:
			if err := c.settled(s, before); err != nil {
				fault = err
			}
			tail.next, tail, executed = s, s, s != last
		case c.skip(s):
			again = append(again, s)
		default:
			tail.next, tail = s, s
		}
		s = next
	}
	tail.next = nil
	if again != nil {
		c.line.queueAgain(again)
	}
	var idle []func()
	if last.failure != nil && last.failure.Code == refusedWrite {
		c.noteRefusal(last)
	}
	if fault == nil {
		if c.retiring {
			c.retire()
		} else {
			c.line.pull(c, c.arrived)
		}
		if again != nil {
			c.line.of.(*lanes).spread()
		}
		idle = c.line.idleNow()
	}
	if held {
		c.line.heedAll()
	}
	more := c.sent.len() > 0
	if !more {
		c.rested = c.arrived
	}
	c.mu.Unlock()
	c.more = more
	for s := first; s != nil; {
		next := s.next
		s.next = nil
		c.answered++
		s.tell() // and then it may be sent again
		s = next
	}
	for _, fn := range idle {
		fn()
	}
	if fault != nil {
		return &poisoned{fault}
	}
	return nil
}

// settled records the result of a segment that was executed. before is the status before it. An
// error ends the connection. The caller must hold the mutex.
func (c *conn) settled(s *segment, before byte) error {
	if loop.Tracing() {
		c.traceEnd(s, "")
	}
	if s.last && s.commits && before == 'I' && s.failure == nil {
		s.err = errEndedItself // the server only warns
	}
	if s.begins != nil && s.steps[0].complete {
		s.begins.done = true
	}
	c.served++
	c.pace.answered(s, c.arrived)
	if s.failure != nil {
		s.addFailure()
		c.noteFailure(s)
	} else {
		c.noteSuccess(s)
	}
	if most := c.line.db.config.ResultLimit; most > 0 && s.size > most && s.failure == nil {
		s.err = resultTooLarge(most)
	}
	fault := c.line.of.answered(c, s, c.status)
	s.state = stateFinished
	return fault
}

// poisoned is the reason for closing a lane on which a statement has left a transaction open.
// Statements after it ran in that transaction, and are rolled back with it.
type poisoned struct{ error }

// noteSuccess looks at what a segment has changed. The caller must hold the mutex.
func (c *conn) noteSuccess(s *segment) {
	for i := range s.steps {
		st := &s.steps[i]
		if st.desc != nil && st.prepared.described && !st.shape.sameResult(st.prepared.fields) {
			// It was prepared just now, with another description. The next one asks again.
			st.desc.shape.CompareAndSwap(st.shape, nil)
		}
	}
	c.line.of.succeeded(c, s)
}

// noteFailure decides whether to send the segment again, and forgets what its failure makes
// doubtful. The caller must hold the mutex.
//
// In a transaction with earlier statements, whose status isn't idle, nothing can be repeated.
func (c *conn) noteFailure(s *segment) {
	repeatable := c.status == 'I' && !s.inTx && !s.stream.delivered() && !s.mayLast()
	for i := min(s.cur, len(s.steps)); i < len(s.steps); i++ {
		if d := s.steps[i].desc; d != nil {
			c.prepared.Remove(d.name)
		}
	}
	switch code := s.failure.Code; {
	case code == "57014" && c.line.forced:
		s.err, s.failure = &LostError{MaybeApplied: s.mayLast() && !s.inTx, Err: ErrClosed}, nil
	case code == "57014":
		if s.exposed && !s.cancelled && repeatable {
			s.again, s.stray = true, true
			c.line.stats.StrayCancels++
		}
	case s.deadlocked() && repeatable:
		s.again, s.stray = true, true
	case s.cur < len(s.steps) && s.steps[s.cur].desc != nil && stale(s.failure, s.steps[s.cur].bound):
		for i := range s.steps {
			if d := s.steps[i].desc; d != nil {
				d.shape.CompareAndSwap(s.steps[i].shape, nil)
				c.prepared.Remove(d.name)
			}
		}
		if code == "26000" { // a DISCARD or DEALLOCATE ALL has ended all of them
			c.prepared.Clear()
		}
		s.stale = true
		c.line.stats.Reprepared++
		s.again = repeatable
	}
}

// stale reports whether an error can mean that the schema has changed since the statement was
// prepared or described. The statement had been described without an error. So an error in its
// text, before it began, means that something has changed.
func stale(e *pgconn.PgError, bound bool) bool {
	if bound {
		return false
	}
	switch e.Code {
	case "0A000", "26000", "22P03", "08P01", "XX000":
		return true
	}
	return strings.HasPrefix(e.Code, "42")
}

// retire closes the connection in order once nothing is expected on it. The caller must hold the
// mutex.
func (c *conn) retire() {
	if !c.retiring {
		c.retiring, c.retired = true, nanotime()
	}
	if c.sent.len() > 0 || c.cancels > 0 || c.dead != nil || c.failed != nil {
		return
	}
	c.failed = ErrClosed // nothing is written any more
	if !c.writing {
		_, _ = c.attempt.write(terminate) // out of politeness
	}
	c.takeFromLoop()
	if c.role == nobody {
		c.giveToResident() // which notices the end
	}
	c.hangUp()
}
