package pg

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// Stream runs a statement and returns its rows as they come, in bounded memory: while the caller
// doesn't read, the server waits. The rows own a session until they have been read to the end or
// are closed, so the caller must do one of the two. Closing them early cancels the statement.
// Stream returns an error that comes before the first row, and the rows' Err a later one. ctx must
// last as long as the rows are read.
//
// In a loop the task is suspended only while no row has come, not for each row.
func (db *DB) Stream(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	o := &owning{query: query{text: sql, args: args}}
	q, s := &o.query, &o.lease
	if err := db.pool.acquire(ctx, s); err != nil {
		q.row.err, q.row.closed = q.failed(StageWait, err), true
		return &q.row, q.row.err
	}
	r := s.executor().streamRows(ctx, q, func() { db.pool.recycle(s, false) }, func() error { return s.executor().run(ctx, q) })
	return r, r.err
}

// Stream is [DB.Stream] in the session. Until the rows have been read or closed, every other call
// on the session fails with [ErrInUse]. Closing them early cancels the statement. In a transaction,
// which a cancel would end, it reads the rest and throws it away instead.
func (s *Session) Stream(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	q := &query{text: sql, args: args}
	r := s.s.executor().streamRows(ctx, q, nil, func() error {
		return s.within(ctx, q, func() error { return s.s.executor().run(ctx, q) })
	})
	return r, r.err
}

// Stream is [DB.Stream] in the transaction. Until the rows have been read or closed, every other
// call in it fails with [ErrInUse], except Rollback, which closes them. Closing them early reads
// the rest and throws it away.
func (tx *Tx) Stream(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	q := &query{text: sql, args: args}
	r := tx.s.executor().streamRows(ctx, q, nil, func() error {
		return tx.within(ctx, q, func() error { return tx.s.executor().run(ctx, q) })
	})
	return r, r.err
}

// streamRows runs a query with run, and returns its rows. Closing them calls release.
func (s executor) streamRows(ctx context.Context, q *query, release func(), run func() error) *Rows {
	st := &stream{line: s.session(), ctx: ctx, release: release, room: make(chan struct{}, 1)}
	q.stream, st.g = st, &q.segment
	r := &q.row
	r.db, r.q, r.stream = s.db, q, st
	killed := true
	defer func() {
		if killed { // its greenlet is being unwound, so it won't close the rows
			st.close()
		}
	}()
	err := run()
	killed = false
	if err != nil {
		r.err = err
		r.Close()
		return r
	}
	if r.fields, r.err = q.steps[len(q.steps)-1].resultFields(); r.err != nil {
		_ = r.fail(q.failed(StageRead, r.err))
		return r
	}
	return r
}

// nextOfStream goes to the next row when the rows at hand have been read.
func (r *Rows) nextOfStream() bool {
	more, err := r.stream.next()
	if err != nil {
		r.err = r.q.gaveUp(err)
		return false
	}
	if more.count > 0 {
		r.cursor = more.cursor()
		var ok bool
		r.row, ok = r.cursor.next()
		return ok
	}
	// It is finished, so its outcome is ours.
	switch q := r.q; {
	case q.err != nil:
		r.err = q.failed(StageRead, q.err)
	case q.failure != nil:
		r.err = q.failed(StageRun, q.failure)
	default:
		r.tag = q.steps[len(q.steps)-1].tag
	}
	return false
}

// A stream buffers rows between the reader of a connection and the caller that reads the rows. The
// reader fills pieces of memory. While they hold too much it stops reading the connection, so the
// server stops, too.
//
//	open      rows come, and are read
//	finished  all have come, or an error; the segment's outcome belongs to the caller
//	closed    the caller doesn't read any more; what still comes is thrown away
type stream struct {
	line    *owned
	g       *segment
	ctx     context.Context // the caller's
	release func()          // is called once, by close; may be nil
	traced  func()          // tells the tracer about the end; may be nil
	unwatch func() bool     // ends the watch over the context; belongs to the caller

	// These belong to the reader of the connection.
	filling rowStore // one piece at most

	any atomic.Bool // a row has come

	room chan struct{} // has room for one; wakes the reader, which looks again

	mu       sync.Mutex // held for moments
	pieces   []rowStore // of one piece each
	size     int        // bytes in pieces
	last     []byte     // the piece whose rows are being read; it is used again
	free     [][]byte
	waiter   *loop.Promise[struct{}]
	finished bool
	closed   bool
}

const (
	streamPiece  = 32 << 10
	streamWindow = 8 * streamPiece // bytes that may wait before the reader stops
)

var errEvicted = fmt.Errorf("%w: the session or transaction was ended before the rows had been read", ErrClosed)

var errOccupied = fmt.Errorf("%w: it has an open stream or COPY: read that to the end or close it first", ErrInUse)

// delivered reports whether a row has come. Then the caller would notice if the statement were
// repeated.
func (st *stream) delivered() bool { return st != nil && st.any.Load() }

// add takes a row. The connection's reader calls it.
func (st *stream) add(row arrivingRow) {
	size := row.size()
	f := &st.filling
	if f.count > 0 && cap(f.last)-len(f.last) < size {
		st.publish()
	}
	if cap(f.last)-len(f.last) < size {
		f.last = st.memory(size)
	}
	if f.last == nil {
		return // closed
	}
	f.last = row.appendTo(f.last)
	f.count++
	st.any.Store(true)
}

// memory returns a piece of memory for the next rows, nil if they aren't wanted.
func (st *stream) memory(size int) []byte {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.closed {
		return nil
	}
	if n := len(st.free); n > 0 && size <= streamPiece {
		b := st.free[n-1]
		st.free = st.free[:n-1]
		return b
	}
	return make([]byte, 0, max(size, streamPiece))
}

// publish hands the rows that have come to the caller. The reader calls it before it waits for the
// network, and when a piece is full.
func (st *stream) publish() {
	f := st.filling
	if f.count == 0 {
		return
	}
	st.filling = rowStore{}
	st.mu.Lock()
	if !st.closed {
		st.pieces = append(st.pieces, f)
		st.size += len(f.last)
	}
	w := st.waiter
	st.waiter = nil
	st.mu.Unlock()
	if w != nil {
		w.Resolve(struct{}{})
	}
}

// takeBack goes on with the piece that was published last, if the caller hasn't taken it and it has
// room. Otherwise, where rows come slowly, almost empty pieces would fill the window.
func (st *stream) takeBack() {
	st.mu.Lock()
	defer st.mu.Unlock()
	n := len(st.pieces)
	if n == 0 || st.filling.count > 0 {
		return
	}
	if f := st.pieces[n-1]; len(f.last) < streamPiece/2 {
		st.filling = f
		st.pieces[n-1] = rowStore{}
		st.pieces = st.pieces[:n-1]
		st.size -= len(f.last)
	}
}

// awaitRoom returns when there is room for more. The reader calls it before it reads from the
// network.
func (st *stream) awaitRoom() {
	if st.tooMuch(streamWindow) {
		for st.tooMuch(streamWindow / 2) {
			<-st.room
		}
	}
}

func (st *stream) tooMuch(limit int) bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.size > limit && !st.closed
}

// hasRows reports whether there is something for the caller to look at.
func (st *stream) hasRows() bool {
	if st == nil {
		return false
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.pieces) > 0 || st.closed
}

func (st *stream) poke() {
	select {
	case st.room <- struct{}{}:
	default:
	}
}

// finish records that the segment is finished.
func (st *stream) finish() {
	st.publish()
	st.mu.Lock()
	st.finished = true
	w := st.waiter
	st.waiter = nil
	st.mu.Unlock()
	if w != nil {
		w.Resolve(struct{}{})
	}
}

// next returns rows that have come, and waits for some if there are none. At the end it returns
// none.
func (st *stream) next() (rowStore, error) {
	for {
		st.mu.Lock()
		if st.closed {
			st.mu.Unlock()
			return rowStore{}, errEvicted
		}
		if len(st.pieces) > 0 {
			f := st.pieces[0]
			st.pieces[0] = rowStore{}
			if st.pieces = st.pieces[1:]; len(st.pieces) == 0 {
				st.pieces = nil
			}
			st.size -= len(f.last)
			if cap(st.last) == streamPiece && len(st.free) < streamWindow/streamPiece {
				st.free = append(st.free, st.last[:0])
			}
			st.last = f.last
			low := st.size <= streamWindow/2
			st.mu.Unlock()
			if low {
				st.poke()
			}
			return f, nil
		}
		if st.finished {
			st.mu.Unlock()
			return rowStore{}, nil
		}
		st.mu.Unlock()
		if err := st.wait(); err != nil {
			return rowStore{}, err
		}
	}
}

// wait returns when there are rows or the segment is finished. It returns an error when the context
// ends.
//
// In a plain goroutine the caller reads the connection itself, if it has no other reader. Otherwise
// the resident reads ahead.
func (st *stream) wait() error {
	if c := st.takeRole(); c != nil {
		c.read(st.ctx, st.g)
		if st.ready() {
			return nil
		}
	}
	if explorer() != nil {
		waitWhile(func() bool { return !st.ready() && st.ctx.Err() == nil })
		return loop.ContextError(st.ctx)
	}
	p := loop.NewPromise[struct{}](nil)
	p.Future().SetName("rows of " + shorten(st.g.sql))
	p.AskedBy(repaint.CurrentLoop())
	p.UnderWay(true)
	st.mu.Lock()
	if len(st.pieces) > 0 || st.finished || st.closed {
		st.mu.Unlock()
		return nil
	}
	st.waiter = p
	st.mu.Unlock()
	_, err := repaint.Await(st.ctx, p.Future())
	if err == nil {
		return nil
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	st.waiter = nil
	return err
}

func (st *stream) ready() bool {
	st.mu.Lock()
	defer st.mu.Unlock()
	return len(st.pieces) > 0 || st.finished || st.closed
}

// isClosed reports whether rows are thrown away.
func (st *stream) isClosed() bool {
	if st == nil {
		return false
	}
	st.mu.Lock()
	defer st.mu.Unlock()
	return st.closed
}

// takeRole makes the calling goroutine the reader of the connection, and returns that, if it may be
// the reader.
func (st *stream) takeRole() *conn {
	l := repaint.CurrentLoop()
	inLoop := l != nil && explore.Of(l) == nil // in a loop that explores, the driver waits for rows on the spot
	s, g := st.line, st.g
	s.mu.Lock()
	defer s.mu.Unlock()
	c := g.conn
	if c == nil || g.state != stateSent || st.ctx.Err() != nil {
		return nil
	}
	switch {
	case c.parked && c.until == g:
		c.parked = false
		if inLoop {
			c.giveToResident()
			return nil
		}
	case c.role == nobody && !inLoop && c.sent.len() > 0:
		c.role, c.until = caller, g
	default:
		return nil
	}
	if st.unwatch == nil && st.ctx.Done() != nil {
		st.unwatch = context.AfterFunc(st.ctx, func() { _ = c.w.net.SetReadDeadline(longAgo) })
	}
	return c
}

// close is called when the caller reads no more rows, or never will.
func (st *stream) close() {
	st.evict()
	if st.unwatch != nil {
		st.unwatch()
		st.unwatch = nil
	}
	if release := st.release; release != nil {
		st.release = nil
		defer release() // also if the tracer panics
	}
	if traced := st.traced; traced != nil {
		st.traced = nil
		traced()
	}
}

// evict records that the rows aren't read any more. If the statement is still being executed it is
// cancelled. In a transaction it goes on, because a cancel would end the transaction, unless the
// context has ended.
func (st *stream) evict() {
	st.discard()
	s, g := st.line, st.g
	s.mu.Lock()
	if s.occupant == st {
		s.occupant = nil
	}
	if c := g.conn; g.state == stateSent {
		c.unpark()
		g.unread = true
		s.unread.Store(true)
		if c.role == caller && c.until == g {
			_ = c.w.net.SetReadDeadline(longAgo) // the reader waits for rows, and must look again
		}
	}
	cancel := g.state == stateSent && !g.abandoned.Load() && (st.ctx.Err() != nil || !g.inTx && g.conn.status == 'I')
	s.mu.Unlock()
	if cancel {
		s.abandon(g)
	}
}

// discard throws away what has come, and what still will.
func (st *stream) discard() {
	st.mu.Lock()
	st.closed = true
	st.pieces, st.size, st.free, st.last = nil, 0, nil, nil
	w := st.waiter
	st.waiter = nil
	st.mu.Unlock()
	st.poke()
	if w != nil {
		w.Resolve(struct{}{})
	}
}

// stop is discard for a connection that is being closed by force.
func (st *stream) stop() {
	if st != nil {
		st.discard()
	}
}

// doStream submits the segment of a stream, and waits until rows have come or it is finished.
func (s *lease) doStream(ctx context.Context, g *segment) error {
	st := g.stream
	st.mu.Lock()
	st.finished = false
	st.mu.Unlock()
	g.then = st.finish
	now := nanotime()
	s.mu.Lock()
	c, err := s.accept(g, now)
	if err == nil {
		s.session().occupant = st
	}
	if c != nil && repaint.CurrentLoop() != nil {
		c.ensureReader()
	}
	s.finishUp(c)
	if err != nil {
		return err
	}
	err = st.wait()
	if err == nil && st.isClosed() {
		return errEvicted // the statement may go on, but its rows are thrown away
	}
	if err != nil {
		if s.abandon(g) {
			err = nil
		} else {
			st.discard()
		}
	}
	if err != nil || !st.delivered() {
		s.mu.Lock()
		if o := s.session(); o.occupant == st {
			o.occupant = nil
		}
		s.mu.Unlock()
	}
	return err
}

// An occupant is what a session does for a while, so that it can do nothing else: a stream or a
// copyIn.
type occupant interface{ evict() }
