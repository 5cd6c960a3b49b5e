package pg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
)

// errYield is what Read returns when the reader must stop, because it has what it waited for. Part
// of a message stays in the buffer, for the next reader.
var errYield = errors.New("pg: the reader has what it waited for")

// Read is the source of the message decoder. The decoder calls it when it has handled all data that
// had come. That is the moment to write what has been queued meanwhile, and to ask whether to go
// on.
func (c *conn) Read(p []byte) (int, error) {
	looks := c.w.glance.looks()
	if c.answered > 0 && c.more && !looks && (c.until == nil || c.until.copyIn == nil) {
		// Callers that have just got answers may send more. Let them, so that it is one write.
		// Before a COPY no caller has got one.
		runtime.Gosched()
	}
	c.answered = 0
	var st *stream
	if c.head != nil && c.head.stream != nil {
		st = c.head.stream
		st.publish()
	}
	c.mu.Lock()
	stop := false
	switch {
	case c.until != nil:
		stop = c.until.state == stateFinished || c.until.conn != c || c.until.stream.hasRows() || c.until.copyIn.isAsked()
	default:
		stop = c.sent.len() == 0 && !c.watching && c.failed == nil
	}
	buf := c.takeOut()
	c.waits.Store(!stop && !looks)
	c.mu.Unlock()
	c.write(buf)
	if stop {
		return 0, errYield
	}
	if st != nil {
		st.awaitRoom()
		defer st.takeBack()
	}
	n, err := c.w.read(p)
	c.waits.Store(false)
	if n > 0 {
		c.heard.Add(1)
		c.arrived = nanotime()
	}
	return n, err
}

// passOn gives the reading role away. A caller that reads the rows of a stream, or makes the data of
// a COPY, keeps it. The caller must hold the mutex.
func (c *conn) passOn() {
	c.waits.Store(true) // until there is a reader, its writing can't be relied on
	if g := c.until; g != nil && (g.stream != nil || g.copyIn != nil) && g.state == stateSent && !g.abandoned.Load() && c.failed == nil && !c.line.forced {
		c.parked = true
		return
	}
	c.until = nil
	if c.sent.len() > 0 || c.failed != nil || c.tunnel.Load() != nil {
		c.giveToResident()
		return
	}
	c.role = nobody
	if o := c.line.session(); o != nil && o.onNotification != nil && c.sent.len() == 0 {
		// What comes, comes unasked.
		c.watching = true
		c.giveToResident()
		return
	}
	c.arm()
}

// unpark gives the role of a parked caller, or of a loop, to the resident. The caller must hold the
// mutex.
func (c *conn) unpark() {
	if c.parked {
		c.parked = false
		c.giveToResident()
	}
	c.takeFromLoop()
}

// reside is the resident reader's goroutine.
func (c *conn) reside() {
	for {
		select {
		case <-c.wake:
			c.read(context.Background(), nil)
		case <-c.ended:
			return
		}
	}
}

// An ending is the part of a context that a reader must know.
type ending interface{ Err() error }

// read handles messages until this reader has nothing more to do. The reader has the role, and has
// lost it when read returns. A caller is done when its segment is finished or its context has
// ended.
func (c *conn) read(ctx ending, until *segment) {
	for {
		kind, body, err := c.next()
		switch {
		case err == nil && c.calls(kind) && inSleep(ctx):
			c.frames.back(body)
			c.mu.Lock()
			c.giveToResident()
			c.mu.Unlock()
			return
		case err == nil:
			if err = c.take(kind, body); err != nil {
				c.lost(err)
				return
			}
		case err == errYield:
			// Not in Read: until here the decoder and its buffer were this reader's.
			c.mu.Lock()
			c.passOn()
			c.mu.Unlock()
			return
		case errors.Is(err, os.ErrDeadlineExceeded):
			// This reader is asked to look up: its own context, or that of a reader before
			// it.
			_ = c.w.net.SetReadDeadline(time.Time{}) // a broken socket shows at the next read
			if c.interrupted(ctx, until) {
				return
			}
		default:
			c.lost(err)
			return
		}
	}
}

// next returns the next message, for a reader that may wait for it.
func (c *conn) next() (kind byte, body []byte, err error) {
	if c.broken != nil {
		return 0, nil, c.broken
	}
	return c.frames.next()
}

// take handles one message.
func (c *conn) take(kind byte, body []byte) error {
	if kind == messageOfRow {
		return c.handleRow(body)
	}
	return c.handle(kind, body)
}

// interrupted passes the role on if this reader must stop.
func (c *conn) interrupted(ctx ending, until *segment) bool {
	c.mu.Lock()
	failed := c.failed
	stop := until != nil && ctx.Err() != nil && failed == nil
	sleeper, asleep := ctx.(awake)
	if stop && !asleep {
		c.passOn()
	}
	c.mu.Unlock()
	if stop && asleep {
		c.enterOrPass(sleeper.loop)
	}
	if failed != nil {
		c.lost(failed)
		return true
	}
	return stop
}

// longAgo is a read deadline that interrupts a reader.
var longAgo = time.Unix(1, 0)

// readFor is read for a caller, whose context interrupts it when it ends.
func (c *conn) readFor(ctx context.Context, s *segment) {
	if ctx.Done() == nil {
		c.read(ctx, s)
		return
	}
	stop := context.AfterFunc(ctx, func() { _ = c.w.net.SetReadDeadline(longAgo) })
	defer stop()
	c.read(ctx, s)
}

// handle takes a message that isn't a row.
func (c *conn) handle(kind byte, body []byte) error {
	if t := c.tunnel.Load(); t != nil {
		return c.handleLent(t, kind, body)
	}
	msg, err := c.frames.decode(kind, body)
	if err != nil {
		return err
	}
	switch m := msg.(type) {
	case *pgproto3.ReadyForQuery:
		return c.ready(m.TxStatus)
	case *pgproto3.NoticeResponse:
		fn := c.line.db.config.Conn.OnNotice
		if fn == nil {
			return nil
		}
		notice := (*pgconn.Notice)(pgconn.ErrorResponseToPgError((*pgproto3.ErrorResponse)(m)))
		return c.blame(c.callHook("OnNotice", func() { fn(c.w.shadow, notice) }))
	case *pgproto3.NotificationResponse:
		if fn := c.line.db.config.Conn.OnNotification; fn != nil {
			n := &pgconn.Notification{PID: m.PID, Channel: m.Channel, Payload: m.Payload}
			if err := c.callHook("OnNotification", func() { fn(c.w.shadow, n) }); err != nil {
				return err
			}
		}
		if o := c.line.session(); o != nil && o.onNotification != nil {
			o.onNotification(Notification{PID: m.PID, Channel: m.Channel, Payload: m.Payload})
		}
		return nil
	case *pgproto3.ParameterStatus:
		c.noteSetting(m)
		return nil
	case *pgproto3.ErrorResponse:
		if e := pgconn.ErrorResponseToPgError(m); isFatal(e) {
			c.fatal = e
			return e // the server closes the connection after that
		}
	}
	if !c.expects() {
		return fmt.Errorf("%w: %T came unasked", ErrProtocol, msg)
	}
	if _, ok := msg.(*pgproto3.CopyInResponse); ok && c.head.copyIn != nil {
		return c.copyBegins(c.head)
	}
	return c.head.receive(msg)
}

// handleLent takes a message of a lent connection.
func (c *conn) handleLent(t *tunnel, kind byte, body []byte) error {
	var ends error
	switch kind {
	case 'S', 'E':
		msg, err := c.frames.decode(kind, body)
		if err != nil {
			return err
		}
		switch m := msg.(type) {
		case *pgproto3.ParameterStatus:
			c.noteSetting(m)
		case *pgproto3.ErrorResponse:
			if e := pgconn.ErrorResponseToPgError(m); isFatal(e) {
				c.fatal, ends = e, e
			}
			c.refused = c.refused || m.Code == refusedWrite
		}
	}
	t.pass(kind, body)
	if kind == 'Z' && c.refused {
		c.refused = false
		c.mu.Lock()
		c.noteRefusal(nil)
		c.mu.Unlock()
	}
	return ends
}

// handleRow takes a row: the body of a DataRow.
func (c *conn) handleRow(body []byte) error {
	if !c.expects() {
		if t := c.tunnel.Load(); t != nil {
			t.pass(messageOfRow, body)
			return nil
		}
		return fmt.Errorf("%w: a row came unasked", ErrProtocol)
	}
	return c.head.receiveRow(body)
}

// expects sets head to the segment that is being answered, and reports whether there is one.
func (c *conn) expects() bool {
	if c.head != nil {
		c.step()
		return true
	}
	c.mu.Lock()
	c.head = c.sent.first()
	c.mu.Unlock()
	return c.head != nil
}
