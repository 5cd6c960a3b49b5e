package turns

import (
	"context"
	"time"
)

// Gate lets one writer at a time through, and with it the readers or not; in
// the order of arrival. It stands before databases that would otherwise make
// their clients poll for their one lock, as SQLite does. A nil gate is open.
//
// Connections and passes are taken in one order, so that those who wait for the one never keep up
// those who wait for the other:
//
//	a connection of Turns.Pool  →  a pass of the Gate  →  the connection of Turns.Writers
//
// So a pass is taken with a connection of the pool in hand, or else the connection of the writers
// follows it, which only the holder of the pass to write ever takes, and gives back before the
// pass.
type Gate struct {
	queue
	exclusive bool // readers have to pass as well: the writer excludes them
	late      func(holder string, waiting int) error

	// Guarded by mu. While writing is true, readers is 0. The first waiter is one that can't be let
	// in.
	readers int
	writing bool
	holder  string // what writes, for messages
	closed  error
}

// Pass is what a caller holds of a Gate.
type Pass uint8

const (
	NoPass Pass = iota
	ReadPass
	WritePass
)

// Exclusive reports whether a writer excludes readers.
func (g *Gate) Exclusive() bool { return g != nil && g.exclusive }

// Enter waits until what may begin. The caller must leave with the pass it gets.
// A caller that has a connection already is let in after the gate was closed, too, because
// its closing waits for that connection.
func (g *Gate) Enter(ctx context.Context, write, hasConn bool, what string) (Pass, error) {
	return g.enterFor(nil, ctx, write, hasConn, what)
}

// enterFor is Enter for a goroutine in the middle of a job.
func (g *Gate) enterFor(j *Job, ctx context.Context, write, hasConn bool, what string) (Pass, error) {
	if g == nil || !write && !g.exclusive {
		return NoPass, nil
	}
	g.mu.Lock()
	if g.closed != nil && !hasConn {
		err := g.closed
		g.mu.Unlock()
		return NoPass, err
	}
	if g.head != nil || !g.admits(!write) {
		w := &waiter{shared: !write, behalf: j}
		g.join(g, w)
		g.mu.Unlock()
		if err := g.wait(ctx, g, w); err != nil {
			if j != nil { // it goes on, though not to what it has waited for
				j.promise.UnderWay(true)
			}
			return NoPass, err
		}
		if !write {
			return ReadPass, nil
		}
		g.mu.Lock()
	} else {
		g.admit(!write)
	}
	p := ReadPass
	if write {
		p, g.holder = WritePass, what
	}
	g.mu.Unlock()
	return p, nil
}

// TryEnter is Enter for those who won't wait.
func (g *Gate) TryEnter(write bool, what string) (Pass, bool) {
	if g == nil || !write && !g.exclusive {
		return NoPass, true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil || g.head != nil || !g.admits(!write) {
		return NoPass, false
	}
	g.admit(!write)
	if write {
		g.holder = what
		return WritePass, true
	}
	return ReadPass, true
}

// writes notes what the writer does.
func (g *Gate) writes(what string) {
	g.mu.Lock()
	g.holder = what
	g.mu.Unlock()
}

// Leave gives a pass back.
func (g *Gate) Leave(p Pass) {
	if p == NoPass {
		return
	}
	g.mu.Lock()
	g.dismiss(p == ReadPass)
	g.handOn()
}

// handOn lets in the next waiter. The lock is held, and released.
func (g *Gate) handOn() {
	for w := g.head; w != nil && g.admits(w.shared); w = g.head {
		g.admit(w.shared)
		if !g.grant(w) {
			g.dismiss(w.shared)
		}
	}
	g.mu.Unlock()
}

func (g *Gate) takeBack(w *waiter) {
	g.dismiss(w.shared)
	g.handOn()
}

func (g *Gate) timedOut() error {
	holder := "readers have the database"
	if g.writing {
		holder = "the writer is " + g.holder
	}
	return g.late(holder, g.length)
}

func (g *Gate) admits(shared bool) bool {
	return !g.writing && (shared || g.readers == 0)
}

func (g *Gate) admit(shared bool) {
	if shared {
		g.readers++
	} else {
		g.writing = true
	}
}

func (g *Gate) dismiss(shared bool) {
	if shared {
		g.readers--
	} else {
		g.writing, g.holder = false, ""
	}
}

// Close refuses the waiters, and callers that come later without a connection.
func (g *Gate) Close(err error) {
	if g == nil {
		return
	}
	g.mu.Lock()
	g.closed = err
	g.refuseAll(err)
}

// NewGate returns a Gate. exclusive tells that a writer excludes readers. late returns the error of
// a caller that has waited for longer than timeout: which caller has the Gate, and how many others
// wait.
func NewGate(exclusive bool, timeout time.Duration, late func(holder string, waiting int) error) *Gate {
	return &Gate{exclusive: exclusive, late: late, queue: queue{timeout: timeout}}
}
