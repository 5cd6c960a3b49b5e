package coop

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed1239206e/repaint/loop"
)

// A Barrier lets a fixed number of callers go on together once all of them have arrived. It then
// serves the next round. [NewBarrier] makes one. It is asyncio's Barrier.
type Barrier struct {
	identity
	parties int

	mu     sync.Mutex // held for moments; no other is taken inside
	broken bool       // by Abort; no caller waits then
	// line holds the callers that have arrived, always fewer than parties. A caller that is served
	// gets an index.
	line line[int]
}

// NewBarrier returns a barrier for the given number of parties, and panics if that is less than
// one. Made in a loop, the barrier belongs to that loop.
func NewBarrier(parties int, opts ...Option) *Barrier {
	if parties < 1 {
		panic(fmt.Sprintf("coop: NewBarrier for %d parties", parties))
	}
	return &Barrier{identity: newIdentity(opts), parties: parties}
}

// Wait waits for the other parties. It returns the number of parties that arrived earlier in this
// round: 0 for the first caller, parties-1 for the last, which doesn't wait. No two callers get the
// same number, so the caller that gets 0, for example, can do work that must be done once.
//
// If the context ends first, Wait returns its cause, the caller doesn't count as arrived, and the
// others continue to wait. If the barrier is broken, before or during the wait, the error is
// [ErrBarrierBroken].
func (b *Barrier) Wait(ctx context.Context) (int, error) {
	if ctx.Err() != nil {
		return 0, loop.ContextError(ctx)
	}
	b.mu.Lock()
	if b.broken {
		b.mu.Unlock()
		return 0, ErrBarrierBroken
	}
	if b.line.len+1 == b.parties {
		all := b.line.take(served)
		i := 0
		for w := all.first; i < all.len; w = w.next {
			w.value = i
			i++
		}
		b.mu.Unlock()
		all.resolve()
		return b.parties - 1, nil
	}
	w := newWaiter[int](b.asTool(), b.home, 0)
	b.line.push(w)
	b.mu.Unlock()
	if err := w.wait(ctx); err != nil {
		return 0, err
	}
	return w.value, nil
}

// Abort breaks the barrier: waiting callers, and all that arrive until [Barrier.Reset], get
// [ErrBarrierBroken]. It may be called from any goroutine.
func (b *Barrier) Abort() { b.refuse(true) }

// Reset makes the barrier like new. Waiting callers get [ErrBarrierBroken]. It may be called from
// any goroutine.
func (b *Barrier) Reset() { b.refuse(false) }

func (b *Barrier) refuse(broken bool) {
	b.mu.Lock()
	b.broken = broken
	all := b.line.take(refused)
	b.mu.Unlock()
	all.reject(ErrBarrierBroken)
}

// Parties returns the number of callers that make up a round.
func (b *Barrier) Parties() int { return b.parties }

// Waiting returns the number of callers that wait now. It may be called from any goroutine.
func (b *Barrier) Waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.line.len
}

// Broken reports whether the barrier is broken. It may be called from any goroutine.
func (b *Barrier) Broken() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.broken
}

// A barrierTool is a barrier as its waiters see it.
type barrierTool Barrier

func (b *Barrier) asTool() *barrierTool { return (*barrierTool)(b) }

func (t *barrierTool) wanted(*waiter[int]) string { return t.describe("the others at a coop.Barrier") }

func (t *barrierTool) resign(w *waiter[int], keep bool) bool {
	b := (*Barrier)(t)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.line.leave(w)
	return w.state == served && keep
}
