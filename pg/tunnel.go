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

// A tunnel is what a lent pgx.Conn uses as its socket. What pgx writes goes out on the session's
// connection, whose resident reader passes the answers on to the tunnel. The connection is set up
// already, so the tunnel itself answers pgx's first message, like a server that needs no password.
//
// The tunnel counts the messages that the server answers with one ReadyForQuery each. The
// connection is at rest only when as many ReadyForQuery have come. A wrong count is safe: the
// connection is closed then.
type tunnel struct {
	conn *conn

	mu       sync.Mutex // held for moments. The connection's is never taken while it is held
	lent     bool       // if false, nothing goes through
	failed   error      // why nothing will go through any more
	buf      []byte     // what has come and pgx hasn't read
	deadline time.Time
	timer    *time.Timer // wakes the waiters at the deadline

	// The waits of the reader and of the writer: pgconn reads in another goroutine while a write
	// takes long.
	reads, writes *loop.Promise[struct{}]
	started       bool // pgx has written the first message, which the server doesn't see

	ask    []byte // the beginning of the message that is being written: its header at most
	left   int    // how many of its bytes are to come
	owed   int    // how many ReadyForQuery messages are to come
	ready  bool   // since the last ReadyForQuery, only unsolicited messages have come
	status byte   // the transaction status in the last ReadyForQuery

	room chan struct{} // has room for one; wakes the writer that waits for room
}

// tunnelWindow is how many bytes may wait to be read, or to be written, before the other side has
// to wait.
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

// pass takes a message from the connection's reader. It blocks until there is room.
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
	case 'A', 'N', 'S': // these come unsolicited
	default:
		t.ready = false
	}
	t.wake()
	return true
}

// wake makes the waiting reader and writer look again. It needs the mutex.
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

// atRest returns the last transaction status, and reports whether every answer has come.
func (t *tunnel) atRest() (status byte, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status, t.failed == nil && t.owed == 0 && t.ready && t.left == 0 && len(t.ask) == 0
}

// lend opens the tunnel, or closes it again. Unsolicited messages that come while it is closed are
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

// count finds the messages in p that the server will answer with a ReadyForQuery. It needs the
// mutex.
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

// writeLent writes the bytes of a lent pgx.Conn. It returns when there is room for more.
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

// writes reports whether more bytes wait to be written than the window allows.
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

// A cancelConn is the connection on which pgx cancels a statement. Instead of sending pgx's only
// message, it uses the session's own way of cancelling, which knows TLS. After the loan it cancels
// nothing, because that would hit the next owner.
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
