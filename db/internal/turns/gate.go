package turns

import (
	"context"
	"time"
)

// Gate admits one writer at a time, in order of arrival. An exclusive gate holds readers back too
// while a writer is in. It stands in front of databases that would otherwise make their clients
// poll for their one lock, as SQLite does. A nil Gate is open.
//
// Callers take connections and passes in one order, so that callers that wait for a pass never
// block callers that wait for a connection, nor the reverse:
//
//	a connection of Turns.Pool  →  a pass of the Gate  →  the connection of Turns.Writers
//
// So a caller takes a pass while it holds a connection of the pool, or else takes the connection of
// the writers after the pass. Only the holder of the pass to write ever takes that connection, and
// it gives the connection back before the pass.
type Gate struct {
	queue
	exclusive bool // readers need a pass too: a writer excludes them
	late      func(holder string, waiting int) error

	// Guarded by mu. While writing is true, readers is 0. The first waiter is one that the Gate
	// can't admit.
	readers int
	writing bool
	holder  string // the name of the writer, for messages
	closed  error
}

// Pass is what a caller holds of a Gate: nothing, the right to read, or the right to write.
type Pass uint8

const (
	NoPass Pass = iota
	ReadPass
	WritePass
)

// Exclusive reports whether a writer excludes readers.
func (g *Gate) Exclusive() bool { return g != nil && g.exclusive }

// Enter waits until the caller may begin. It returns an error if ctx ends or the timeout passes
// before. The caller must call Leave with the pass that it gets. what names the caller in messages.
// After Close, Enter still admits a caller that has a connection, because closing the engine waits
// for that connection.
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
			if j != nil { // the job goes on, but without the pass that it has waited for
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

// TryEnter is Enter for callers that won't wait. It reports whether the caller may begin.
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

// writes notes the name of the writer.
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

// handOn admits the next waiters. The lock is held, and released.
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

// Close refuses the waiters with err, and later callers that have no connection.
func (g *Gate) Close(err error) {
	if g == nil {
		return
	}
	g.mu.Lock()
	g.closed = err
	g.refuseAll(err)
}

// NewGate returns a Gate. exclusive says whether a writer excludes readers. late returns the error
// for a caller that has waited longer than timeout, from the name of the holder and the number of
// other waiters. A timeout of 0 means no limit.
func NewGate(exclusive bool, timeout time.Duration, late func(holder string, waiting int) error) *Gate {
	return &Gate{exclusive: exclusive, late: late, queue: queue{timeout: timeout}}
}
