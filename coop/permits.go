package coop

import (
	"context"
	"math"
	"sync"

	"github.com/seed1239206e/repaint/loop"
)

// permits are taken one or several at a time, strictly in the order in which callers ask. A small
// demand doesn't overtake a large one that waits, so the large one is served in the end.
type permits struct {
	identity
	size int // of a Semaphore: how many there are; never changes; 0 for an RWMutex, which has everything

	mu    sync.Mutex // held for moments; no other is taken inside
	taken int
	// line holds the callers for which there aren't enough permits yet, with the numbers that they
	// want. There are never enough for the first.
	line line[int]
}

// everything is more than all single permits together.
const everything = math.MaxInt32

func (p *permits) limit() int {
	if p.size == 0 {
		return everything
	}
	return p.size
}

func (p *permits) try(n int) bool {
	p.mu.Lock()
	ok := p.take(n)
	p.mu.Unlock()
	return ok
}

// take must be called with mu held.
func (p *permits) take(n int) bool {
	if p.line.first != nil || n > p.limit()-p.taken {
		return false
	}
	p.taken += n
	return true
}

func (p *permits) acquire(ctx context.Context, n int) error {
	if ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	p.mu.Lock()
	if p.take(n) {
		p.mu.Unlock()
		return nil
	}
	w := newWaiter[int](p, p.home, n)
	p.line.push(w)
	p.mu.Unlock()
	return w.wait(ctx)
}

// release gives n permits back. It does nothing and reports false if the number of taken permits
// isn't between least and most.
func (p *permits) release(n, least, most int) bool {
	p.mu.Lock()
	if p.taken < least || p.taken > most {
		p.mu.Unlock()
		return false
	}
	p.taken -= n
	if p.line.first == nil {
		p.mu.Unlock()
		return true
	}
	next := p.grant()
	p.mu.Unlock()
	next.resolve()
	return true
}

// grant serves the callers at the head of the line for which there are enough permits. It must be
// called with mu held. The caller resolves the result without mu.
func (p *permits) grant() (next line[int]) {
	for p.line.first != nil && p.line.first.value <= p.limit()-p.taken {
		w := p.line.serve()
		p.taken += w.value
		next.push(w)
	}
	return next
}

func (p *permits) wanted(w *waiter[int]) string {
	switch {
	case p.size > 0:
		return p.describe("a coop.Semaphore")
	case w.value == everything:
		return p.describe("a coop.RWMutex, to write")
	}
	return p.describe("a coop.RWMutex, to read")
}

func (p *permits) resign(w *waiter[int], keep bool) bool {
	p.mu.Lock()
	if w.state == served && keep {
		p.mu.Unlock()
		return true
	}
	if w.state == served {
		p.taken -= w.value
		w.state = gone
	}
	p.line.leave(w)
	next := p.grant() // its demand may have held up smaller ones
	p.mu.Unlock()
	next.resolve()
	return false
}
