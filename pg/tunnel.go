package pg

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A tunnel is what a lent pgx.Conn takes for its socket. What it writes goes out on the session's
// connection, and the resident reader of that passes on to it what comes. It has been connected
// already, so the tunnel itself answers pgx's first message, as a server does that needs no
// password.
//
// It counts the messages that the server answers with one ReadyForQuery each: only if as many have
// come, the connection is at rest. A count that doesn't fit can only err on the safe side: then the
// connection is closed.
type tunnel struct {
	conn *conn

	mu       sync.Mutex // held for moments. The connection's is never taken inside
	lent     bool       // or else nothing goes through
	failed   error      // why nothing will any more
	buf      []byte     // what has come, and hasn't been read
	deadline time.Time
	timer    *time.Timer // wakes the waiters at the deadline

	// Who reads, and who writes: pgconn reads in another goroutine while a write takes long.
	reads, writes *loop.Promise[struct{}]
	started       bool // the first message, which the server doesn't see, has been written

	ask    []byte // the beginning of the message that is being written: as much as tells what it is
	left   int    // bytes of it that are to come
	owed   int    // ReadyForQuery messages
	ready  bool   // nothing but what comes unasked has come since the last one
	status byte   // that it has told

	room chan struct{} // has room for one; wakes the writer that waits for room
}

// tunnelWindow is how many bytes may wait to be read, or to be written, before the other side
// waits.
const tunnelWindow = 256 << 10

// newTunnel needs the connection's mutex.
func newTunnel(c *conn) *tunnel {
	t := &tunnel{conn: c, ready: true, status: 'I', room: make(chan struct{}, 1)}
	hello, _ := (&pgproto3.AuthenticationOk{}).Encode(nil)
	hello = appendSettings(hello, c.w.settings)
	hello = appendSettings(hello, c.strayed)
	hello, _ = (&pgproto3.BackendKeyData{ProcessID: c.w.pid, SecretKey: c.w.shadow.SecretKey()}).Encode(hello)
	t.buf, _ = (&pgproto3.ReadyForQuery{TxStatus: 'I'}).Encode(hello)
	return t
}

func appendSettings(buf []byte, settings map[string]string) []byte {
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		buf, _ = (&pgproto3.ParameterStatus{Name: name, Value: settings[name]}).Encode(buf)
	}
	return buf
}

// pass takes a message from the reader of the connection, which waits for room.
func (t *tunnel) pass(kind byte, body []byte) {
	for !t.add(kind, body) {
		<-t.room
	}
}

func (t *tunnel) add(kind byte, body []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed != nil {
		return true
	}
	if len(t.buf) > tunnelWindow {
		return false
	}
	t.buf = append(t.buf, kind)
	t.buf = binary.BigEndian.AppendUint32(t.buf, uint32(4+len(body)))
	t.buf = append(t.buf, body...)
	switch kind {
	case 'Z':
		t.owed--
		t.ready = true
		if len(body) == 1 {
			t.status = body[0]
		}
	case 'A', 'N', 'S': // they come unasked
	default:
		t.ready = false
	}
	t.wake()
	return true
}

// wake needs the mutex.
func (t *tunnel) wake() {
	for _, w := range []**loop.Promise[struct{}]{&t.reads, &t.writes} {
		if *w != nil {
			(*w).Resolve(struct{}{})
			*w = nil
		}
	}
	t.poke()
}

// wrote makes the writer that waits for room look again.
func (t *tunnel) wrote() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.wake()
}

func (t *tunnel) poke() {
	select {
	case t.room <- struct{}{}:
	default:
	}
}

// fail ends the tunnel.
func (t *tunnel) fail(why error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed == nil {
		t.failed = why
	}
	t.wake()
}

// atRest reports whether every answer has come, and which status of the transaction was told last.
func (t *tunnel) atRest() (status byte, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status, t.failed == nil && t.owed == 0 && t.ready && t.left == 0 && len(t.ask) == 0
}

// lend has what is written and comes go through, or not any more. What comes unasked in between is
// the session's.
func (t *tunnel) lend(on bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lent = on
}

var errNotLent = fmt.Errorf("%w: the pgx.Conn was lent only until the function returned", ErrClosed)

// Read implements net.Conn.
func (t *tunnel) Read(p []byte) (int, error) {
	for {
		t.mu.Lock()
		switch {
		case len(t.buf) > 0:
			n := copy(p, t.buf)
			if t.buf = t.buf[n:]; len(t.buf) == 0 {
				t.buf = nil
			}
			t.poke()
			t.mu.Unlock()
			return n, nil
		case t.failed != nil:
			defer t.mu.Unlock()
			return 0, t.failed
		case !t.lent:
			t.mu.Unlock()
			return 0, errNotLent
		case t.late():
			t.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		w := loop.NewPromise[struct{}](nil)
		w.Future().SetName("an answer for a lent pgx.Conn")
		w.AskedBy(repaint.CurrentLoop())
		w.UnderWay(true)
		t.reads = w
		t.mu.Unlock()
		if _, err := repaint.Await(context.Background(), w.Future()); err != nil {
			return 0, err
		}
	}
}

func (t *tunnel) late() bool { return !t.deadline.IsZero() && !time.Now().Before(t.deadline) }

// Write implements net.Conn.
func (t *tunnel) Write(p []byte) (int, error) {
	t.mu.Lock()
	switch {
	case t.failed != nil:
		defer t.mu.Unlock()
		return 0, t.failed
	case !t.started:
		t.started = true
		t.mu.Unlock()
		return len(p), nil
	case !t.lent:
		t.mu.Unlock()
		return 0, errNotLent
	case t.late():
		t.mu.Unlock()
		return 0, os.ErrDeadlineExceeded
	}
	t.count(p)
	t.mu.Unlock()
	return t.conn.writeLent(t, p)
}

// count looks at what is written: which messages will be answered with a ReadyForQuery. It needs
// the mutex.
func (t *tunnel) count(p []byte) {
	for len(p) > 0 {
		if t.left > 0 {
			n := min(t.left, len(p))
			t.left -= n
			p = p[n:]
			continue
		}
		n := min(frameHeader-len(t.ask), len(p))
		t.ask = append(t.ask, p[:n]...)
		p = p[n:]
		if len(t.ask) < frameHeader {
			return
		}
		switch t.ask[0] {
		case 'Q', 'S', 'F':
			t.owed++
		}
		t.left = max(int(int32(binary.BigEndian.Uint32(t.ask[1:])))-4, 0)
		t.ask = t.ask[:0]
	}
}

// writeLent writes what a lent pgx.Conn has to say. It returns when there is room for more.
func (c *conn) writeLent(t *tunnel, p []byte) (int, error) {
	c.mu.Lock()
	if c.dead != nil || c.failed != nil {
		defer c.mu.Unlock()
		return 0, ErrConnLost
	}
	c.out = append(c.out, p...)
	c.queued += uint64(len(p))
	buf := c.startWrite()
	c.mu.Unlock()
	c.write(buf)
	for c.writes() {
		t.mu.Lock()
		if t.failed != nil || t.late() {
			t.mu.Unlock()
			return 0, os.ErrDeadlineExceeded
		}
		w := loop.NewPromise[struct{}](nil)
		w.Future().SetName("room to write for a lent pgx.Conn")
		w.AskedBy(repaint.CurrentLoop())
		w.UnderWay(true)
		t.writes = w
		t.mu.Unlock()
		if !c.writes() {
			break
		}
		if _, err := repaint.Await(context.Background(), w.Future()); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// writes reports whether more waits to be written than may.
func (c *conn) writes() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.queued-c.written > tunnelWindow && c.dead == nil && c.failed == nil
}

// Close implements net.Conn. The connection itself is the session's.
func (t *tunnel) Close() error {
	t.fail(net.ErrClosed)
	return nil
}

// LocalAddr implements net.Conn.
func (t *tunnel) LocalAddr() net.Addr { return t.conn.w.net.LocalAddr() }

// RemoteAddr implements net.Conn.
func (t *tunnel) RemoteAddr() net.Addr { return t.conn.w.net.RemoteAddr() }

// SetDeadline implements net.Conn.
func (t *tunnel) SetDeadline(at time.Time) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.deadline = at
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
	if !at.IsZero() {
		t.timer = time.AfterFunc(time.Until(at), func() {
			t.mu.Lock()
			defer t.mu.Unlock()
			t.wake()
		})
	}
	return nil
}

// SetReadDeadline implements net.Conn. pgx sets both deadlines at once.
func (t *tunnel) SetReadDeadline(at time.Time) error { return t.SetDeadline(at) }

// SetWriteDeadline implements net.Conn.
func (t *tunnel) SetWriteDeadline(at time.Time) error { return t.SetDeadline(at) }

// A cancelConn is what pgx dials to cancel a statement. Its only message has the session's own way
// of cancelling used, which knows TLS. A conn that isn't lent any more cancels nothing: that would
// hit the next owner.
type cancelConn struct {
	*tunnel
	ctx context.Context
}

func (c *cancelConn) Write(p []byte) (int, error) {
	if _, err := c.conn.w.cancel.cancel(c.ctx, func() bool { return c.conn.tunnel.Load() == c.tunnel }); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *cancelConn) Read([]byte) (int, error)         { return 0, io.EOF }
func (c *cancelConn) Close() error                     { return nil }
func (c *cancelConn) SetDeadline(time.Time) error      { return nil }
func (c *cancelConn) SetReadDeadline(time.Time) error  { return nil }
func (c *cancelConn) SetWriteDeadline(time.Time) error { return nil }
