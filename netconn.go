package repaint

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
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
// goroutine while a write takes longer than 15 ms. A tls.Conn works on top of it; one task at a
// time may read from it, and one may write, because a tls.Conn has mutexes.
//
// TCP and Unix connections wait in the loop itself, see [loop.Loop.Poll]. Other connections, such
// as a net.Pipe, and systems without a poller need a goroutine for each wait.
func AdoptConn(c net.Conn) net.Conn {
	if adopted, ok := c.(*netConn); ok {
		return adopted
	}
	n := &netConn{Conn: c}
	n.enroll()
	n.reading.init(n, "read", c.Read, nonblock.Read)
	n.writing.init(n, "write", c.Write, nonblock.Write)
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
	places []place // the loops that poll the descriptor: the loop that used it last, and those in which a half waits

	placed  atomic.Bool // there are places, for callers without the mutex
	talk    talk
	end     string // its entry in ends, "" if it has none
	dropped runtime.Cleanup
}

type place struct {
	loop   *loop.Loop
	polled *loop.Polled
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
	if r&loop.Readable != 0 {
		c.reading.wake()
	}
	if r&loop.Writable != 0 {
		c.writing.wake()
	}
}

// register makes a loop report when the descriptor is ready, until f is left. It returns false if
// that loop can't do so, or if the connection is closed.
func (c *netConn) register(f *half, l *loop.Loop) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	f.loop = l
	if len(c.places) == 1 && c.places[0].loop == l {
		return true
	}
	if c.leaveLoops(l) {
		return true
	}
	var polled *loop.Polled
	var err error
	if e := c.raw.Control(func(fd uintptr) { polled, err = l.Poll(fd, c) }); e != nil || err != nil {
		return false
	}
	c.places = append(c.places, place{l, polled})
	c.placed.Store(true)
	return true
}

// leaveLoops removes the descriptor from all loops but l and those in which a half waits. Otherwise
// each answer would wake every loop that has ever used the connection. It reports whether l has the
// descriptor. It needs the mutex.
func (c *netConn) leaveLoops(l *loop.Loop) (told bool) {
	c.places = slices.DeleteFunc(c.places, func(at place) bool {
		if at.polled.Gone() {
			return true
		}
		told = told || at.loop == l
		if at.loop == l || at.loop == c.reading.loop || at.loop == c.writing.loop {
			return false
		}
		at.polled.Remove()
		return true
	})
	c.placed.Store(len(c.places) > 0)
	return told
}

// outside is called before a plain goroutine uses the connection.
func (c *netConn) outside() {
	if c.placed.Load() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.leaveLoops(nil)
	}
}

// A half is one direction of a connection. One caller at a time has it, even while that caller
// waits.
type half struct {
	conn *netConn
	op   string
	call func(p []byte) (int, error) // the connection's own
	once func(fd uintptr)            // makes the attempt. The next fields are about that, and belong to the caller that has the half

	buf    []byte
	n      int
	blocks bool
	err    error
	moved  int // bytes since the caller last waited

	// These are guarded by the connection's mutex.
	busy     bool
	loop     *loop.Loop                // the loop in which the caller that has the half waits, or has waited
	line     []*loop.Promise[struct{}] // the callers that wait for their turn
	waiting  *loop.Promise[struct{}]   // the caller that has the half waits for the descriptor
	deadline time.Time
	alarm    *time.Timer // set while a caller with a deadline waits
}

func (f *half) init(c *netConn, op string, call func([]byte) (int, error), once func(uintptr, []byte) (int, bool, error)) {
	f.conn, f.op, f.call = c, op, call
	f.once = func(fd uintptr) { f.n, f.blocks, f.err = once(fd, f.buf) }
}

// enter waits until the caller has the half. It returns an error if the caller can't wait.
func (f *half) enter() error {
	c := f.conn
	c.mu.Lock()
	if !f.busy {
		f.busy = true
		c.mu.Unlock()
		return nil
	}
	turn := loop.NewPromise[struct{}](nil)
	turn.Future().SetName("the turn to " + f.op + " on a connection")
	turn.AskedBy(CurrentLoop())
	f.line = append(f.line, turn)
	c.mu.Unlock()
	entered := false
	defer func() {
		if !entered { // even when the greenlet is being unwound
			f.giveUp(turn)
		}
	}()
	_, err := Await(context.Background(), turn.Future())
	entered = err == nil
	return err
}

// giveUp takes a caller out of the line, or passes on the half if the caller got it meanwhile.
func (f *half) giveUp(turn *loop.Promise[struct{}]) {
	f.conn.mu.Lock()
	i := slices.Index(f.line, turn)
	if i >= 0 {
		f.line = slices.Delete(f.line, i, i+1)
	}
	f.conn.mu.Unlock()
	if i < 0 {
		f.leave()
	}
}

// leave gives the half to the next caller in the line.
func (f *half) leave() {
	f.conn.mu.Lock()
	defer f.conn.mu.Unlock()
	f.buf, f.loop = nil, nil
	if len(f.line) == 0 {
		f.busy = false
		return
	}
	next := f.line[0]
	f.line = f.line[1:]
	next.Resolve(struct{}{})
}

// fairShare is how many bytes one direction moves before the other tasks get a turn, though it
// could go on.
const fairShare = 64 << 10

// do makes attempts until one succeeds or fails, and waits in the loop between them.
func (f *half) do(h *runner, p []byte) (int, error) {
	if f.moved >= fairShare {
		f.moved = 0
		if !h.loop.Virtual() && h.loop.Chooser() == nil { // in those loops the network must not decide which task is next
			_ = Sleep(context.Background(), 0) // fails only where the caller can't wait
		}
	}
	for {
		if err := f.over(); err != nil {
			return 0, f.failed(err)
		}
		f.buf = p
		if err := f.conn.raw.Control(f.once); err != nil {
			return 0, f.failed(net.ErrClosed)
		}
		switch {
		case f.err != nil:
			return 0, f.failed(f.err)
		case !f.blocks:
			f.moved += f.n
			return f.n, nil
		case !f.conn.register(f, h.loop):
			return f.elsewhere(h, p)
		}
		f.moved = 0
		if err := f.wait(); err != nil {
			return 0, err
		}
	}
}

// over returns the reason why no attempt can be made any more.
func (f *half) over() error {
	f.conn.mu.Lock()
	defer f.conn.mu.Unlock()
	return f.overLocked()
}

func (f *half) overLocked() error {
	switch {
	case f.conn.closed:
		return net.ErrClosed
	case !f.deadline.IsZero() && !time.Now().Before(f.deadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}

// wait returns when the descriptor may be ready, or something else has changed.
func (f *half) wait() error {
	c := f.conn
	c.mu.Lock()
	if f.overLocked() != nil {
		c.mu.Unlock()
		return nil // the next attempt will report it
	}
	ready := loop.NewPromise[struct{}](nil)
	ready.Future().SetName("a connection on which to " + f.op)
	ready.AskedBy(CurrentLoop())
	defer ready.UnderWay(false) // even if the greenlet is being unwound
	c.awaitsPeer(f, ready.UnderWay)
	f.waiting = ready
	if !f.deadline.IsZero() {
		f.alarm = time.AfterFunc(time.Until(f.deadline), func() {
			c.mu.Lock()
			defer c.mu.Unlock()
			ready.Resolve(struct{}{})
		})
	}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		f.waiting = nil
		if f.alarm != nil {
			f.alarm.Stop()
			f.alarm = nil
		}
	}()
	_, err := Await(context.Background(), ready.Future())
	return err
}

// wake makes the waiting caller look again. It needs the connection's mutex.
func (f *half) wake() {
	if f.waiting != nil {
		f.waiting.Resolve(struct{}{})
	}
}

// elsewhere makes the connection's own call in another goroutine, with a buffer of its own. That
// goroutine may outlive a caller whose greenlet is unwound. The connection is then closed, because
// the data that were read are lost.
func (f *half) elsewhere(h *runner, p []byte) (int, error) {
	if h.current == nil && h.inCallback() {
		return 0, misplaced(ErrInCallback, "a connection's "+f.op, "by a callback: spawn a task that calls it")
	}
	buf := append([]byte(nil), p...)
	done := loop.NewPromise[int](nil)
	done.Future().SetName("a connection's " + f.op)
	done.AskedBy(h.loop)
	f.conn.awaitsPeer(f, done.UnderWay)
	go func() { done.Complete(func() (int, error) { return f.call(buf) }) }()
	returned := false
	defer func() {
		if !returned {
			_ = f.conn.Close()
		}
	}()
	n, err := Await(context.Background(), done.Future())
	returned = true
	if f.op == "read" {
		f.conn.talk.heard(n)
		copy(p, buf[:n])
	}
	return n, err
}

// failed returns an error that names the operation, as package net does.
func (f *half) failed(err error) error {
	c := f.conn.Conn
	return &net.OpError{Op: f.op, Net: c.LocalAddr().Network(), Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
