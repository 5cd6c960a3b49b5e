package db

import (
	"context"
	"time"
)

// gate lets one writer at a time through, and with it the readers or not; in
// the order of arrival. It stands before databases that would otherwise make
// their clients poll for their one lock, as SQLite does. A nil gate is open.
//
// Connections and passes are taken in one order, so that those who wait for the one never keep up
// those who wait for the other:
//
//	a connection of Engine.pool  →  a pass of the gate  →  the connection of Engine.writers
//
// So a pass is taken with a connection of the pool in hand, or else the connection of the writers
// follows it, which only who has the pass to write ever takes, and gives back before the pass.
type gate struct {
	queue
	exclusive bool // readers have to pass as well: the writer excludes them

	readers int
	writing bool
	holder  string // what writes, for messages
	closed  error
}

// pass is what somebody holds of a gate.
type pass uint8

const (
	noPass pass = iota
	readPass
	writePass
)

// enter waits until what may begin. The caller must leave with the pass it gets.
// Who has a connection already is let in after the gate was closed, too, because
// its closing waits for that connection.
func (g *gate) enter(ctx context.Context, write, hasConn bool, what string) (pass, error) {
	return g.enterFor(nil, ctx, write, hasConn, what)
}

// enterFor is enter for a goroutine in the middle of a job.
func (g *gate) enterFor(j *job, ctx context.Context, write, hasConn bool, what string) (pass, error) {
	if g == nil || !write && !g.exclusive {
		return noPass, nil
	}
	g.mu.Lock()
	if g.closed != nil && !hasConn {
		err := g.closed
		g.mu.Unlock()
		return noPass, err
	}
	if g.head != nil || !g.admits(!write) {
		w := &waiter{shared: !write, behalf: j}
		g.join(g, w)
		g.mu.Unlock()
		if err := g.wait(ctx, g, w); err != nil {
			if j != nil { // it goes on, though not to what it has waited for
				j.promise.UnderWay(true)
			}
			return noPass, err
		}
		if !write {
			return readPass, nil
		}
		g.mu.Lock()
	} else {
		g.admit(!write)
	}
	p := readPass
	if write {
		p, g.holder = writePass, what
	}
	g.mu.Unlock()
	return p, nil
}

// tryEnter is enter for those who won't wait.
func (g *gate) tryEnter(write bool, what string) (pass, bool) {
	if g == nil || !write && !g.exclusive {
		return noPass, true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil || g.head != nil || !g.admits(!write) {
		return noPass, false
	}
	g.admit(!write)
	if write {
		g.holder = what
		return writePass, true
	}
	return readPass, true
}

// writes notes what the writer does.
func (g *gate) writes(what string) {
	g.mu.Lock()
	g.holder = what
	g.mu.Unlock()
}

// leave gives a pass back.
func (g *gate) leave(p pass) {
	if p == noPass {
		return
	}
	g.mu.Lock()
	g.dismiss(p == readPass)
	g.handOn()
}

// handOn lets in whoever is next. The lock is held, and released.
func (g *gate) handOn() {
	for w := g.head; w != nil && g.admits(w.shared); w = g.head {
		g.admit(w.shared)
		if !g.grant(w) {
			g.dismiss(w.shared)
		}
	}
	g.mu.Unlock()
}

func (g *gate) takeBack(w *waiter) {
	g.dismiss(w.shared)
	g.handOn()
}

func (g *gate) timedOut(*waiter) error {
	holder := "readers have the database"
	if g.writing {
		holder = "the writer is " + g.holder
	}
	err := fail("wait", ErrBusy, "waited %v for the turn to read or write: %s, and %d more wait", g.timeout, holder, g.length)
	err.Hint = "inside a transaction use its Tx, not the Engine; keep transactions short, or raise pool_timeout"
	return err
}

func (g *gate) admits(shared bool) bool {
	return !g.writing && (shared || g.readers == 0)
}

func (g *gate) admit(shared bool) {
	if shared {
		g.readers++
	} else {
		g.writing = true
	}
}

func (g *gate) dismiss(shared bool) {
	if shared {
		g.readers--
	} else {
		g.writing, g.holder = false, ""
	}
}

// close refuses whoever waits, and who comes later without a connection.
func (g *gate) close(err error) {
	if g == nil {
		return
	}
	g.mu.Lock()
	g.closed = err
	g.refuseAll(err)
}

func newGate(exclusive bool, timeout time.Duration) *gate {
	return &gate{exclusive: exclusive, queue: queue{timeout: timeout}}
}
