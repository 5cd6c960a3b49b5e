package coop

import (
	"context"
	"errors"
	"sync"

	"github.com/seed1239206e/repaint/loop"
)

// A Cond lets callers that hold a [Mutex] wait until something that the mutex guards has changed.
// [NewCond] makes one. It is asyncio's Condition, or sync.Cond with a context.
//
//	if err := m.Lock(ctx); err != nil {
//		return err
//	}
//	defer m.Unlock()
//	for !ready {
//		if err := c.Wait(ctx); err != nil {
//			return err
//		}
//	}
//
// Several conditions may share a mutex.
type Cond struct {
	identity
	l *Mutex

	mu   sync.Mutex // held for moments; no other is taken inside
	line line[struct{}]
}

// NewCond returns a condition for the data that the mutex guards. Made in a loop, it belongs to
// that loop; the mutex should too.
func NewCond(m *Mutex, opts ...Option) *Cond { return &Cond{identity: newIdentity(opts), l: m} }

// Wait unlocks the mutex, waits for [Cond.Signal] or [Cond.Broadcast], and locks the mutex again.
// It panics if the mutex isn't locked.
//
// However Wait returns, the caller has the mutex and unlocks it as usual, even if the context has
// ended. A signal that comes before the context ends isn't lost: the error is then nil.
//
// There is one exception. In a deadlock another caller may keep the mutex forever. Wait then
// returns a [*repaint.DeadlockError] without the mutex. The caller must still call Unlock; the
// mutex becomes free when both callers have called it.
func (c *Cond) Wait(ctx context.Context) error {
	if c.l.state.Load() == free {
		panic("coop: Wait of a Cond whose Mutex isn't locked")
	}
	if ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	c.mu.Lock()
	w := newWaiter[struct{}](c.asTool(), c.home, struct{}{})
	c.line.push(w)
	c.mu.Unlock()
	c.l.Unlock()
	returned := false
	defer func() {
		if !returned { // the greenlet is being killed, and mustn't wait
			c.l.owe()
		}
	}()
	err := w.wait(ctx)
	returned = true
	if again := c.l.relock(ctx); again != nil {
		return errors.Join(err, again)
	}
	return err
}

// WaitFor waits until the predicate holds. It calls predicate with the mutex locked: at first, and
// each time that Wait has returned. If WaitFor returns nil, the predicate holds. For the rest see
// [Cond.Wait].
func (c *Cond) WaitFor(ctx context.Context, predicate func() bool) error {
	for !predicate() {
		if err := c.Wait(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Signal wakes the caller that has waited longest, if there is one. The caller of Signal may hold
// the mutex, and usually does. Signal never waits, and may be called from any goroutine.
func (c *Cond) Signal() {
	c.mu.Lock()
	w := c.line.serve()
	c.mu.Unlock()
	w.resolve()
}

// Broadcast wakes all waiting callers. They get the mutex in the order in which they began to wait.
// It never waits. It may be called from any goroutine.
func (c *Cond) Broadcast() {
	c.mu.Lock()
	all := c.line.take(served)
	c.mu.Unlock()
	all.resolve()
}

// A condTool is a condition as its waiters see it.
type condTool Cond

func (c *Cond) asTool() *condTool { return (*condTool)(c) }

func (t *condTool) wanted(*waiter[struct{}]) string { return t.describe("a coop.Cond") }

func (t *condTool) resign(w *waiter[struct{}], keep bool) bool {
	c := (*Cond)(t)
	c.mu.Lock()
	signalled := w.state == served
	c.line.leave(w)
	c.mu.Unlock()
	if signalled && !keep {
		c.Signal()
	}
	return signalled && keep
}
