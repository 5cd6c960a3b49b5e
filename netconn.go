package repaint

import (
	"errors"
	"io"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed1239206e/repaint/internal/nonblock"
	"github.com/seed1239206e/repaint/loop"
)

// AdoptConn makes a connection cooperative: in a loop, Read and Write suspend only the task that
// calls them, or the main function; in a plain goroutine they are the connection's own. From then
// on c must be used only through the returned connection. Any goroutines and loops may use it at
// once: reads happen one after another, and so do writes, each as a whole.
//
// Deadlines and Close work as on c, and affect all waiting callers. Deadlines are in real time,
// even in a loop with a virtual clock. A task whose context ends goes on waiting, as a goroutine
// would: a client ends a wait by a deadline or by Close, and may do so from a goroutine of its own.
//
// A task that moves much data without having to wait lets the others have their turn every 64 KiB.
//
// In a client's own goroutines I/O blocks as usual. If the task then waits for such a goroutine, on
// a channel or a mutex, its loop stands still meanwhile. For example, pgx reads in another
// goroutine while a write takes longer than 15 ms.
//
// Tasks of one loop must not share a client that holds a mutex during its I/O, or waits on a channel
// until another caller returns a connection to its pool: what they wait for could only be done by a
// task of the same loop. A tls.Conn has such mutexes, so one task at a time may read from it, and
// one may write. Of go-redis, set MaintNotificationsConfig to the mode ModeDisabled and PoolSize to
// no less than the number of tasks; redigo needs neither.
//
// TCP and Unix connections wait in the loop itself, see [loop.Loop.Poll]. Other connections, such
// as a net.Pipe, and systems without a poller need a goroutine for each wait.
func AdoptConn(c net.Conn) net.Conn {
	if adopted, ok := c.(*netConn); ok {
		return adopted
	}
	n := &netConn{Conn: c}
	n.enroll()
	n.reading.init(n, "read", loop.Readable, c.Read, nonblock.Read)
	n.writing.init(n, "write", loop.Writable, c.Write, nonblock.Write)
	if s, ok := c.(syscall.Conn); ok && nonblock.Supported && isStream(c) {
		n.raw, _ = s.SyscallConn() // without it each wait takes a goroutine
	}
	return n
}

func isStream(c net.Conn) bool {
	if a := c.LocalAddr(); a != nil {
		return strings.HasPrefix(a.Network(), "tcp") || a.Network() == "unix"
	}
	return false
}

// A netConn is a cooperative connection.
type netConn struct {
	net.Conn
	raw              syscall.RawConn // nil: each wait takes a goroutine
	reading, writing half

	mu     sync.Mutex // held for moments
	closed bool
	ended  bool    // the other side sends no more
	places []place // the loops that poll the descriptor: the loop that used it last, and those in which a half waits

	placed  atomic.Bool // there are places, for callers without the mutex
	talk    talk
	end     string // its entry in ends, "" if it has none
	dropped runtime.Cleanup
}

type place struct {
	loop   *loop.Loop
	polled *loop.Polled
	what   loop.Readiness // what the loop reports; Writable only while a write waits for room
}

// Read implements net.Conn.
func (c *netConn) Read(p []byte) (int, error) {
	if err := c.reading.enter(); err != nil {
		return 0, err
	}
	defer c.reading.leave()
	h, _ := here()
	if h == nil || len(p) == 0 && c.raw != nil {
		c.outside()
		n, err := c.Conn.Read(p)
		c.talk.heard(n)
		return n, err
	}
	if c.raw == nil {
		return c.reading.elsewhere(h, p)
	}
	n, err := c.reading.do(h, p)
	c.talk.heard(n)
	if n == 0 && err == nil {
		err = io.EOF
	}
	return n, err
}

// Write implements net.Conn.
func (c *netConn) Write(p []byte) (written int, err error) {
	if err := c.writing.enter(); err != nil {
		return 0, err
	}
	defer c.writing.leave()
	h, _ := here()
	c.talk.said()
	if h == nil || len(p) == 0 && c.raw != nil {
		c.outside()
		return c.Conn.Write(p)
	}
	if c.raw == nil {
		return c.writing.elsewhere(h, p)
	}
	for written < len(p) && err == nil {
		var n int
		n, err = c.writing.do(h, p[written:])
		written += n
	}
	return written, err
}

// Close implements net.Conn. All waiting callers get net.ErrClosed.
func (c *netConn) Close() error {
	c.mu.Lock()
	if !c.closed && c.end != "" {
		c.dropped.Stop()
		strike(c.end)
	}
	c.closed = true
	for _, at := range c.places { // before another file can get the descriptor
		at.polled.Remove()
	}
	c.places = nil
	c.placed.Store(false)
	c.reading.wake()
	c.writing.wake()
	c.mu.Unlock()
	return c.Conn.Close()
}

// SetDeadline implements net.Conn.
func (c *netConn) SetDeadline(t time.Time) error {
	return c.setDeadline(t, c.Conn.SetDeadline, &c.reading, &c.writing)
}

// SetReadDeadline implements net.Conn.
func (c *netConn) SetReadDeadline(t time.Time) error {
	return c.setDeadline(t, c.Conn.SetReadDeadline, &c.reading)
}

// SetWriteDeadline implements net.Conn.
func (c *netConn) SetWriteDeadline(t time.Time) error {
	return c.setDeadline(t, c.Conn.SetWriteDeadline, &c.writing)
}

func (c *netConn) setDeadline(t time.Time, set func(time.Time) error, halves ...*half) error {
	if err := set(t); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed { // by Close, which may not have closed the connection underneath yet
		return &net.OpError{Op: "set", Net: c.LocalAddr().Network(), Addr: c.LocalAddr(), Err: net.ErrClosed}
	}
	for _, f := range halves {
		f.deadline = t
		f.wake() // the waiting caller will see that
	}
	return nil
}

// NetConn returns the connection underneath. Reading from it, or writing to it, disturbs the users
// of this one.
func (c *netConn) NetConn() net.Conn { return c.Conn }

// SyscallConn implements syscall.Conn, with which clients check whether an idle connection is
// alive.
func (c *netConn) SyscallConn() (syscall.RawConn, error) {
	if s, ok := c.Conn.(syscall.Conn); ok {
		return s.SyscallConn()
	}
	return nil, errors.ErrUnsupported
}

// CloseWrite ends the stream to the other side, if the connection underneath can do that.
func (c *netConn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return errors.ErrUnsupported
}

// PollsHere reports whether a caller that waits for a cooperative connection is suspended while the
// loop waits for the connection itself. It reports true in a task, and in the main function of a
// Run, if the system has a poller. It reports false in a plain goroutine, which blocks, in a loop's
// callback, which can't wait, and in a loop with a virtual clock, a seed or a chooser: the order of
// events must repeat there, so [Block] should make a client's whole call. It is for drivers.
func PollsHere() bool {
	h, _ := here()
	return h.isFree() && nonblock.Supported && h.loop.CanPoll()
}

// MayHold reports whether the caller may make a short blocking call itself, in a loop, instead of
// by [Block]. Which of the two it does changes when other tasks run. So it must not depend on
// measured times where the order of events must repeat. MayHold reports true in a task, and in the
// main function of a Run. It reports false in a loop with a virtual clock, a seed or a chooser, and
// in a loop's callback, where Block fails. It also reports false in a plain goroutine, which has no
// loop to hold up. It is for drivers.
func MayHold() bool {
	h, _ := here()
	return h.isFree()
}

// isFree reports whether the caller can wait, in a loop that doesn't fix the order of what happens.
// The runner may be nil.
func (h *runner) isFree() bool {
	return h != nil && (h.current != nil || !h.inCallback()) && !h.loop.Virtual() && h.loop.Chooser() == nil
}

// Ready implements [loop.Pollable].
func (c *netConn) Ready(r loop.Readiness) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r&loop.Ended != 0 {
		c.ended = true
	}
	if r&loop.Readable != 0 {
		c.reading.empty.Store(nil)
		c.reading.wake()
	}
	if r&loop.Writable != 0 {
		c.writing.wake()
	}
}

// register makes a loop report when the descriptor is ready for f, until f is left. It returns
// false if that loop can't do so, or if the connection is closed.
func (c *netConn) register(f *half, l *loop.Loop) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	f.loop = l
	if len(c.places) != 1 || c.places[0].loop != l {
		c.leaveLoops(l)
	}
	at := c.placeIn(l)
	switch {
	case at == nil:
		return c.settleIn(f, l)
	case at.what&f.what == 0:
		at.what |= f.what
		return at.polled.Want(at.what) == nil
	}
	return true
}

// settleIn gives the connection a place in a loop in which it has none. It needs the mutex.
func (c *netConn) settleIn(f *half, l *loop.Loop) bool {
	at := place{loop: l, what: loop.Readable | f.what}
	var err error
	if e := c.raw.Control(func(fd uintptr) { at.polled, err = l.PollFor(fd, at.what, c) }); e != nil || err != nil {
		return false
	}
	c.places = append(c.places, at)
	c.placed.Store(true)
	return true
}

// placeIn returns the place in a loop, or nil if there is none. It needs the mutex.
func (c *netConn) placeIn(l *loop.Loop) *place {
	for i := range c.places {
		if c.places[i].loop == l {
			return &c.places[i]
		}
	}
	return nil
}

// leaveLoops removes the descriptor from all loops but l and those in which a half waits. Otherwise
// each answer would wake every loop that has ever used the connection. It needs the mutex.
func (c *netConn) leaveLoops(l *loop.Loop) {
	c.places = slices.DeleteFunc(c.places, func(at place) bool {
		if at.polled.Gone() {
			return true
		}
		if at.loop == l || at.loop == c.reading.loop || at.loop == c.writing.loop {
			return false
		}
		at.polled.Remove()
		return true
	})
	c.placed.Store(len(c.places) > 0)
}

// outside is called before a plain goroutine uses the connection.
func (c *netConn) outside() {
	if c.placed.Load() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.leaveLoops(nil)
	}
}
