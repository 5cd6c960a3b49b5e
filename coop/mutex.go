package coop

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/seed1239206e/repaint/loop"
)

// A Mutex is a mutual exclusion lock: waiting for it in a task suspends only that task. The zero
// value is an unlocked mutex for every goroutine; one that [NewMutex] makes in a loop belongs to
// that loop. It must not be copied.
//
// Unlock hands the lock to the caller that has waited longest. The lock isn't re-entrant: a caller
// that locks it twice waits for itself. It doesn't belong to a goroutine or task either: any may
// unlock it.
//
// In a loop a mutex is needed only for data that must stay as they are across a wait.
//
// It isn't a sync.Locker: a Lock without a context and an error could neither be cancelled nor
// report a deadlock.
type Mutex struct {
	identity
	// state changes between free and locked without mu, and to and from contended only with mu
	// held. It is contended exactly while a caller waits or a debt is open.
	state atomic.Uint32

	mu    sync.Mutex // held for moments; no other is taken inside
	line  line[struct{}]
	debts int // unlocks still to come from callers that Cond.Wait couldn't give the lock back to
}

const (
	free = iota
	locked
	contended
)

// NewMutex returns an unlocked mutex. Made in a loop, it belongs to that loop.
func NewMutex(opts ...Option) *Mutex { return &Mutex{identity: newIdentity(opts)} }

// Lock locks the mutex, waiting in line while another caller has it. If it returns an error, the
// lock isn't the caller's.
//
// If the context ends while the caller waits, Lock returns its cause. If the caller's turn comes at
// that very moment, the caller has the lock and the error is nil.
func (m *Mutex) Lock(ctx context.Context) error {
	if ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	if m.TryLock() {
		return nil
	}
	return m.lockSlowly(ctx)
}

func (m *Mutex) lockSlowly(ctx context.Context) error {
	m.mu.Lock()
	if m.contend() {
		m.mu.Unlock()
		return nil
	}
	w := newWaiter[struct{}](m.asTool(), m.home, struct{}{})
	m.line.push(w)
	m.mu.Unlock()
	return w.wait(ctx)
}

// contend makes a locked mutex contended, so that its Unlock looks at the line. It reports true if
// the mutex became free meanwhile and contend has locked it. It must be called with mu held.
func (m *Mutex) contend() bool {
	for {
		if m.TryLock() {
			return true
		}
		if m.state.Load() == contended || m.state.CompareAndSwap(locked, contended) {
			return false
		}
	}
}

// TryLock locks the mutex if it's free, and reports whether it did. It never waits. It may be
// called from any goroutine.
func (m *Mutex) TryLock() bool { return m.state.CompareAndSwap(free, locked) }

// Unlock gives the lock to the next caller in line, or frees it. It panics if the mutex isn't
// locked. It never waits. It may be called from any goroutine.
func (m *Mutex) Unlock() {
	if m.state.CompareAndSwap(locked, free) {
		return
	}
	m.mu.Lock()
	if m.state.Load() == free {
		m.mu.Unlock()
		panic("coop: Unlock of a Mutex that isn't locked")
	}
	if m.debts > 0 {
		m.debts--
		m.settle()
		m.mu.Unlock()
		return
	}
	next := m.line.serve()
	if next == nil {
		m.state.Store(free)
	} else {
		m.settle()
	}
	m.mu.Unlock()
	next.resolve()
}

// settle corrects the state of a locked mutex after the line or the debts have changed. It must be
// called with mu held.
func (m *Mutex) settle() {
	if m.line.first == nil && m.debts == 0 {
		m.state.Store(locked)
	} else {
		m.state.Store(contended)
	}
}

// A mutexTool is a mutex as its waiters see it.
type mutexTool Mutex

func (m *Mutex) asTool() *mutexTool { return (*mutexTool)(m) }

func (t *mutexTool) wanted(*waiter[struct{}]) string { return t.describe("a coop.Mutex") }

func (t *mutexTool) resign(w *waiter[struct{}], keep bool) bool {
	m := (*Mutex)(t)
	m.mu.Lock()
	if w.state == served {
		m.mu.Unlock()
		if !keep {
			m.Unlock()
		}
		return keep
	}
	m.line.leave(w)
	m.settle()
	m.mu.Unlock()
	return false
}

// relock gets the lock back for a wait that gave it away, even if the context has ended. If it
// can't wait for the lock, as in a deadlock, it returns the reason, and the caller owes an unlock.
func (m *Mutex) relock(ctx context.Context) error {
	if m.TryLock() {
		return nil
	}
	err := m.lockSlowly(context.WithoutCancel(ctx))
	if err != nil {
		m.owe()
	}
	return err
}

// owe notes that a caller that didn't get the lock back will still call Unlock. The mutex becomes
// free only after that call.
func (m *Mutex) owe() {
	m.mu.Lock()
	if !m.contend() {
		m.debts++
	}
	m.mu.Unlock()
}
