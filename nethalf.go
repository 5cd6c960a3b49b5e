package repaint

import (
	"context"
	"net"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint/loop"
)

// A half is one direction of a connection. One caller at a time has it, even while that caller
// waits.
type half struct {
	conn *netConn
	op   string
	what loop.Readiness              // for which it waits
	name string                      // of that wait
	call func(p []byte) (int, error) // the connection's own
	once func(fd uintptr)            // makes the attempt. The next fields are about that, and belong to the caller that has the half

	buf    []byte
	n      int
	blocks bool
	err    error
	moved  int // bytes since the caller last waited

	// empty is set after a read that has taken all that there was. It is the place in a loop that
	// will report more, and until then a read needn't be tried.
	empty atomic.Pointer[loop.Polled]

	// These are guarded by the connection's mutex.
	busy     bool
	loop     *loop.Loop                // the loop in which the caller that has the half waits, or has waited
	line     []*loop.Promise[struct{}] // the callers that wait for their turn
	waiting  *loop.Promise[struct{}]   // the caller that has the half waits for the descriptor
	deadline time.Time
	alarm    *time.Timer // set while a caller with a deadline waits
}

func (f *half) init(c *netConn, op string, what loop.Readiness, call func([]byte) (int, error), once func(uintptr, []byte) (int, bool, error)) {
	f.conn, f.op, f.what, f.call = c, op, what, call
	f.name = "a connection on which to " + op
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
	if f.what == loop.Writable {
		f.conn.forgetRoom()
	}
	if len(f.line) == 0 {
		f.busy = false
		return
	}
	next := f.line[0]
	f.line = f.line[1:]
	next.Resolve(struct{}{})
}

// forgetRoom is called when no write waits any more. It makes the loops report no room: a Unix
// socket has room anew each time the other side has read something. It needs the mutex.
func (c *netConn) forgetRoom() {
	for i := range c.places {
		if at := &c.places[i]; at.what&loop.Writable != 0 {
			at.what = loop.Readable
			_ = at.polled.Want(at.what) // fails only where the loop has ended
		}
	}
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
		reporter, err := f.reporter(h.loop)
		if err != nil {
			return 0, f.failed(err)
		}
		if reporter == nil || f.empty.Load() != reporter {
			if done, err := f.attempt(p, reporter); done {
				return f.n, err
			}
		}
		if !f.conn.register(f, h.loop) {
			return f.elsewhere(h, p)
		}
		f.moved = 0
		if err := f.wait(h.loop); err != nil {
			return 0, err
		}
	}
}

// attempt makes one attempt. It reports done unless that would have blocked. The reporter, which
// may be nil, will report what comes after it.
func (f *half) attempt(p []byte, reporter *loop.Polled) (done bool, _ error) {
	f.buf = p
	if err := f.conn.raw.Control(f.once); err != nil {
		f.n = 0
		return true, f.failed(net.ErrClosed)
	}
	if f.err != nil {
		f.n = 0
		return true, f.failed(f.err)
	}
	if f.blocks || 0 < f.n && f.n < len(p) {
		f.empty.Store(reporter)
	}
	f.moved += f.n
	return !f.blocks, nil
}

// reporter returns the place in a loop that will report what comes after a read that takes all that
// there is, or nil if there is none. Once the other side has ended, the end may be left, which
// isn't reported again. In a loop that fixes the order of events, each read must be tried.
//
// It returns an error if no attempt can be made any more.
func (f *half) reporter(l *loop.Loop) (*loop.Polled, error) {
	c := f.conn
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := f.over(); err != nil {
		return nil, err
	}
	at := c.placeIn(l)
	if at == nil || f.what != loop.Readable || c.ended || l.Virtual() || l.Chooser() != nil {
		return nil, nil
	}
	return at.polled, nil
}

// over returns the reason why no attempt can be made any more. It needs the mutex.
func (f *half) over() error {
	switch {
	case f.conn.closed:
		return net.ErrClosed
	case !f.deadline.IsZero() && !time.Now().Before(f.deadline):
		return os.ErrDeadlineExceeded
	}
	return nil
}

// wait returns when the descriptor may be ready, or something else has changed.
func (f *half) wait(l *loop.Loop) error {
	c := f.conn
	c.mu.Lock()
	if f.over() != nil {
		c.mu.Unlock()
		return nil // the next attempt will report it
	}
	ready := loop.NewPromise[struct{}](nil)
	ready.Future().SetName(f.name)
	if l.Virtual() || l.Chooser() != nil {
		ready.AskedBy(l)
		defer ready.UnderWay(false) // even if the greenlet is being unwound
		c.awaitsPeer(f, ready.UnderWay)
	}
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
