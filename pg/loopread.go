package pg

import (
	"errors"

	"github.com/seed1239206e/repaint/loop"
)

// A loop reads the connections on which only its own tasks wait: a session that a task owns, or a
// lane on which no other loop and no goroutine waits. It waits for all of them at one place
// (loop.Poll). So an answer wakes no other goroutine, and answers that have come at the same time
// resume their tasks in one tick.
//
// The loop has the role (looped) only while every segment on the list is of one of its tasks. The
// role is recalled when another party joins (a goroutine, another loop, the driver itself), or when
// a task stops waiting. The resident then has the role, because a loop may be busy for long, or
// end. The loop gets it back when a task sends something while nothing is expected.
//
// In a loop with a virtual clock, or with a Chooser, the resident reads. Such a loop has its own
// ways to wait for what is under way, and takes answers in the order of the requests.

// A place is a connection's registration in the loop that reads it, or that has read it last.
type place struct {
	conn   *conn
	loop   *loop.Loop
	polled *loop.Polled
	ended  bool // the server sends no more. It belongs to the loop
}

// readBy makes sure that there is a reader if an answer is expected. That is the loop, if it can
// be. l is the caller's loop, or nil. readBy needs the mutex.
func (c *conn) readBy(l *loop.Loop) {
	switch {
	case c.sent.len() == 0 || c.dead != nil:
	case c.role == looped:
		c.joinedBy(l)
	case c.role != nobody:
	case l == nil || !c.enter(l):
		c.giveToResident()
	}
}

// enter gives the role to the loop, and reports whether it could. The loop must be the caller's,
// and only the caller may have the role. While the queue has a segment that doesn't wait in this
// loop, no connection becomes the loop's: see joinAll. enter needs the mutex.
func (c *conn) enter(l *loop.Loop) bool {
	if c.failed != nil || c.line.forced || l.Virtual() || l.Chooser() != nil || !c.settleIn(l) {
		return false
	}
	for i := range c.sent.len() {
		if c.sent.at(i).waitsIn() != l {
			return false
		}
	}
	for i := range c.line.queue.len() {
		if g := c.line.queue.at(i); g.state == stateQueued && g.waitsIn() != l {
			return false
		}
	}
	c.role, c.until, c.recalled = looped, nil, false
	c.waits.Store(true) // until the loop reads, its writing can't be relied on
	return true
}

// enterOrPass gives the role, which the loop has had while it slept, to the same loop awake, or
// passes it on.
func (c *conn) enterOrPass(l *loop.Loop) {
	c.mu.Lock()
	entered := c.enter(l)
	if !entered {
		c.passOn()
	}
	c.mu.Unlock()
	if entered {
		l.Schedule(c.place.Load()) // something unread may have come. Not under the mutex, which Interrupt needs
	}
}

// settleIn gives the connection a place in the loop, and reports whether it now has one.
func (c *conn) settleIn(l *loop.Loop) bool {
	p := c.place.Load()
	if p != nil && p.loop == l && !p.polled.Gone() {
		return true
	}
	if c.w.glance == nil || c.unpollable {
		return false
	}
	c.leaveLoop()
	p = &place{conn: c, loop: l}
	var err error
	if e := c.w.glance.raw.Control(func(fd uintptr) { p.polled, err = l.PollFor(fd, loop.Readable, p) }); e != nil {
		return false
	}
	if err != nil {
		c.unpollable = !errors.Is(err, loop.ErrClosed)
		return false
	}
	c.place.Store(p)
	return true
}

// leaveLoop removes the connection from the loop that has read it. That happens before its
// descriptor is closed, or when other parties use it, so that its answers would wake that loop in
// vain. Any goroutine may call leaveLoop.
func (c *conn) leaveLoop() {
	if p := c.place.Swap(nil); p != nil {
		p.polled.Remove()
	}
}

// joinedBy takes the role from a loop that has it, unless that loop is l: another party waits for
// the answers. l may be nil. joinedBy needs the mutex.
func (c *conn) joinedBy(l *loop.Loop) {
	if p := c.place.Load(); c.role == looped && (p == nil || p.loop != l) {
		c.takeFromLoop()
	}
}

// takeFromLoop takes the role from a loop that has it. A loop that is reading just now passes the
// role on when it has finished. takeFromLoop needs the mutex.
func (c *conn) takeFromLoop() {
	switch {
	case c.role != looped:
	case !c.waits.Load():
		c.recalled = true
	case c.sent.len() == 0 && c.failed == nil && c.tunnel.Load() == nil:
		c.role = nobody
		c.arm()
	default:
		c.giveToResident()
	}
}

// Ready implements loop.Pollable.
func (p *place) Ready(r loop.Readiness) {
	p.ended = p.ended || r&loop.Ended != 0
	if r&loop.Readable != 0 {
		p.RunInLoop()
	}
}

// RunInLoop reads what has come, if the loop has the role.
func (p *place) RunInLoop() {
	c := p.conn
	c.mu.Lock()
	reads := c.role == looped && c.place.Load() == p && c.waits.Load()
	if reads {
		c.waits.Store(false)
	}
	c.mu.Unlock()
	if reads {
		c.readInLoop(p)
	}
}

// readsAtOnce is how many times a loop reads from a connection before other work has its turn.
const readsAtOnce = 8

// takeAll handles the messages that have come. It returns why it has stopped.
func (c *conn) takeAll() error {
	for {
		kind, body, err := c.frames.next()
		if err == nil && c.calls(kind) {
			c.frames.back(body)
			err = errHook
		}
		if err == nil {
			err = c.take(kind, body)
		}
		if err != nil {
			return err
		}
	}
}

// errHook says that a message is for a function of the application. A loop doesn't call that: the
// function may block, or end its goroutine.
var errHook = errors.New("pg: a hook is to be called")

// calls reports whether a message of this kind makes the reader call a function of the application.
func (c *conn) calls(kind byte) bool {
	hooks := c.line.db.config.Conn
	return kind == 'N' && hooks.OnNotice != nil || kind == 'A' && hooks.OnNotification != nil
}

// readInLoop handles what has come. It doesn't block.
func (c *conn) readInLoop(p *place) {
	c.w.glance.begin(readsAtOnce, !p.ended)
	err := c.takeAll()
	exhausted := c.w.glance.left == 0
	c.w.glance.left = -1
	goesOn := false
	var buf []byte
	c.mu.Lock()
	switch {
	case err == errYield:
		c.passOn()
	case err == errHook:
		c.giveToResident()
	case err != errNothing: // closing a connection may block
		c.broken = err
		c.giveToResident()
	default:
		buf = c.takeOut()
		c.waits.Store(true)
		if c.recalled || c.failed != nil {
			c.takeFromLoop()
		} else {
			goesOn = exhausted
		}
	}
	c.mu.Unlock()
	c.write(buf)
	if goesOn {
		p.loop.Schedule(p)
	}
}
