package pg

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

const (
	copyFirst  = 512      // bytes of memory for data at first; most COPYs in a transaction are short
	copyPiece  = 64 << 10 // bytes of data in a message
	copyWindow = 256 << 10
)

// A copyIn is a COPY from the client while it goes on. It occupies its session.
//
//	asked   the statement was sent
//	begun   the server takes data
//	over    the end, or the news that there won't be one, has been put after the data
//
// That news is put at once, even if the server hasn't asked for data yet. Otherwise the server
// would take what is sent next for data. If the statement fails first, the server ignores the news.
//
// A goroutine that copies reads the connection itself, if it has no other reader. It keeps the role
// while it makes the first piece of data. If that isn't the last, the resident reads from then on,
// because the server may fail meanwhile. A task's loop reads as it does for a statement.
type copyIn struct {
	s     *owned
	g     *segment
	types *segment // sent before g; may be nil

	// Guarded by the line's mutex.
	begun, over bool
	done        bool // the end was put, so the COPY may be applied
	finished    bool
	waiter      *loop.Promise[struct{}]

	stopped atomic.Bool // the same as finished, for the maker of the data: no more is taken
}

// copyIn runs a COPY. produce appends its data to buf, and says when there is no more. If types
// isn't nil, it is sent before, and is answered when copyIn calls produce.
func (s executor) copyIn(ctx context.Context, start opening, q *query, types *segment, produce func(ctx context.Context, buf []byte) (data []byte, last bool, err error)) error {
	k := &copyIn{s: s.session(), g: &q.segment, types: types}
	q.copyIn, q.mode, q.isExec = k, pgx.QueryExecModeSimpleProtocol, true
	var wrong error
	q.feed = func(ctx context.Context) error {
		wrong = k.feed(ctx, produce)
		return wrong
	}
	err := start(ctx, q)
	if err == nil {
		err = s.run(ctx, q)
	}
	switch {
	case wrong == nil || errors.Is(err, ErrConnLost):
	case !q.unfinished() && q.failure != nil && q.failure.Code != copyFailed:
		return q.failed(StageRun, &copyError{q.failure, wrong})
	case ctx.Err() != nil:
		return q.gaveUp(loop.ContextError(ctx))
	default: // the server's error is a consequence
		return q.failed(StageCopy, wrong)
	}
	return err
}

// copyFailed is the server's code for, among other things, a COPY that the client has ended with an
// error.
const copyFailed = "57014"

// A copyError says that the server has failed, and then the source of the data.
type copyError struct{ server, source error }

func (e *copyError) Error() string {
	return fmt.Sprintf("%v; then producing the data failed: %v", e.server, e.source)
}

func (e *copyError) Unwrap() []error { return []error{e.server, e.source} }

// doCopy submits a COPY and feeds it until it is finished.
func (s *lease) doCopy(ctx context.Context, g *segment) error {
	k := g.copyIn
	g.then, g.noRepeat = k.finish, true
	l := repaint.CurrentLoop()
	if l != nil {
		g.promise = &taskPromise{loop: l}
		if k.types != nil {
			k.types.promise = &taskPromise{loop: l}
		}
	}
	var to *conn // nil if everything waits
	var err error
	now := nanotime()
	s.mu.Lock()
	for _, one := range []*segment{k.types, g} {
		if one == nil {
			continue
		}
		var c *conn
		if c, err = s.accept(one, now); err != nil {
			break
		}
		if c != nil {
			to = c
		}
	}
	if err == nil {
		k.s.occupant = k
	}
	reads := err == nil && to != nil && l == nil && to.role == nobody
	switch {
	case reads:
		to.role, to.until = caller, g
	case to != nil:
		to.readBy(l)
	}
	s.finishUp(to)
	if err != nil {
		return err
	}
	if reads {
		to.leaveLoop()
	}
	killed := true
	defer func() {
		if killed { // the greenlet is being unwound
			k.abandon(context.Canceled)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if k.s.occupant == k {
			k.s.occupant = nil
		}
		if c := g.conn; c != nil && c.copying == k {
			c.copying = nil
		}
	}()
	if reads {
		to.readFor(ctx, g)
	}
	err = k.await(ctx, func() bool { return k.begun })
	if err == nil {
		if !k.isOver() {
			if wrong := g.feed(ctx); wrong != nil {
				k.end(wrong)
			}
		}
		k.readOn(ctx)
		err = k.await(ctx, func() bool { return false })
	}
	if err != nil && k.abandon(err) {
		err = nil
	}
	killed = false
	return err
}

// isAsked reports whether the server waits for data. The caller must hold the mutex.
func (k *copyIn) isAsked() bool { return k != nil && k.begun && !k.over }

// readOn reads until the COPY is finished, if the caller has kept the role.
func (k *copyIn) readOn(ctx context.Context) {
	k.s.mu.Lock()
	c := k.g.conn
	reads := k.isParked()
	if reads {
		c.parked = false
	}
	k.s.mu.Unlock()
	if reads {
		c.readFor(ctx, k.g)
	}
}

// leaveReading passes the role on if the caller has kept it.
func (k *copyIn) leaveReading() {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	if k.isParked() {
		k.g.conn.unpark()
	}
}

// isParked reports whether the caller has the role, and doesn't read. The caller must hold the
// mutex.
func (k *copyIn) isParked() bool {
	c := k.g.conn
	return c != nil && c.parked && c.until == k.g
}

// abandon says that the caller no longer waits. It returns true if the COPY was finished before;
// then its outcome counts.
func (k *copyIn) abandon(why error) (finished bool) {
	if k.types != nil {
		k.s.abandon(k.types)
	}
	finished = k.s.abandon(k.g)
	k.end(why) // does nothing if the COPY was taken back
	return finished
}

// feed sends the data that produce makes. It waits while more than copyWindow bytes are unwritten.
func (k *copyIn) feed(ctx context.Context, produce func(ctx context.Context, buf []byte) ([]byte, bool, error)) error {
	const header = 5
	buf := make([]byte, header, copyFirst)
	for {
		data, last, err := produce(ctx, buf[:header])
		if err == nil {
			err = loop.ContextError(ctx)
		}
		if err != nil {
			return err
		}
		if len(data) > header {
			data[0] = 'd'
			binary.BigEndian.PutUint32(data[1:], uint32(len(data)-1))
		} else {
			data = nil
		}
		k.put(data, last)
		if last {
			return nil
		}
		k.leaveReading()
		if cap(data) <= 2*copyPiece {
			buf = data
		}
		if err := k.await(ctx, func() bool { return k.g.conn.queued-k.g.conn.written < copyWindow }); err != nil {
			return err
		}
		if k.isOver() {
			return nil
		}
	}
}

// isOver reports whether no more data are wanted.
func (k *copyIn) isOver() bool {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	return k.over || k.finished
}

// put sends bytes of data after what has been sent of the segment, and the end with the last ones.
func (k *copyIn) put(data []byte, last bool) {
	k.s.mu.Lock()
	var buf []byte
	c := k.g.conn
	if k.g.state == stateSent && !k.over {
		if last {
			k.over, k.done = true, true
			data = append(data, copyDone...)
		}
		buf = c.putMore(k.g, data)
	}
	k.s.mu.Unlock()
	if buf != nil {
		c.write(buf)
	}
}

var copyDone = []byte{'c', 0, 0, 0, 4}

// end tells the server that the COPY has failed. It does nothing if the end has been sent.
func (k *copyIn) end(err error) {
	k.s.mu.Lock()
	buf := k.endLocked(err)
	c := k.g.conn
	k.s.mu.Unlock()
	if buf != nil {
		c.write(buf)
	}
}

func (k *copyIn) endLocked(err error) []byte {
	if k.over || k.g.state != stateSent {
		return nil
	}
	k.over = true
	message, encodeErr := (&pgproto3.CopyFail{Message: shorten(strings.ToValidUTF8(err.Error(), "?"))}).Encode(nil)
	if encodeErr != nil {
		message = []byte{'f', 0, 0, 0, 5, 0}
	}
	return k.g.conn.putMore(k.g, message)
}

// copyBegins notes that the server takes data. Only the connection's reader calls it, which writes
// before it reads on.
func (c *conn) copyBegins(g *segment) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := g.copyIn
	if k == nil || k.begun {
		return fmt.Errorf("%w: the server asks for the data of a COPY", ErrProtocol)
	}
	k.begun = true
	k.poke()
	return nil
}

// finish notes that the segment is finished.
func (k *copyIn) finish() {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	k.finished = true
	k.stopped.Store(true)
	k.poke()
}

// poke makes the waiting goroutine or task look again. It needs the mutex.
func (k *copyIn) poke() {
	if k.waiter != nil {
		k.waiter.Resolve(struct{}{})
		k.waiter = nil
	}
}

// await waits until the condition holds or the segment is finished. It evaluates the condition with
// the mutex.
func (k *copyIn) await(ctx context.Context, condition func() bool) error {
	for {
		k.s.mu.Lock()
		if k.finished || condition() {
			k.s.mu.Unlock()
			return nil
		}
		p := loop.NewPromise[struct{}](nil)
		p.Future().SetName("the server, for " + shorten(k.g.sql))
		p.AskedBy(repaint.CurrentLoop())
		p.UnderWay(true)
		k.waiter = p
		k.s.mu.Unlock()
		if _, err := repaint.Await(ctx, p.Future()); err != nil {
			return err
		}
	}
}

// evict ends the COPY because its session or transaction ends.
func (k *copyIn) evict() {
	why := fmt.Errorf("%w: the session or transaction was ended", ErrClosed)
	k.s.mu.Lock()
	if k.s.occupant == k {
		k.s.occupant = nil
	}
	queued := k.g.state == stateQueued
	if queued {
		k.s.queuedNow--
		k.g.err, k.g.state = why, stateFinished
	}
	if k.isParked() {
		k.g.conn.unpark()
	}
	buf := k.endLocked(why)
	c := k.g.conn
	k.s.mu.Unlock()
	if queued {
		k.g.tell()
	}
	if buf != nil {
		c.write(buf)
	}
}

// putMore puts more bytes of the last segment into the buffer. It returns what is to be written. It
// needs the mutex.
func (c *conn) putMore(g *segment, b []byte) []byte {
	c.out = append(c.out, b...)
	c.queued += uint64(len(b))
	g.end = c.queued
	return c.startWrite()
}
