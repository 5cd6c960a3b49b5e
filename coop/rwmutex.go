package coop

import "context"

// An RWMutex is a lock that any number of readers, or one writer, can hold. The zero value is
// unlocked and is for every goroutine; an RWMutex that [NewRWMutex] makes in a loop belongs to that
// loop. It must not be copied.
//
// It is fair to both: it serves callers in the order in which they came. A reader that comes while
// a writer waits is served after that writer, even if readers hold the lock at that moment. Readers
// that are next to each other in line get the lock together.
//
// It isn't re-entrant, not even for readers: a second RLock waits for a writer that waits for the
// first.
type RWMutex struct{ permits permits }

// NewRWMutex returns an unlocked lock. Made in a loop, it belongs to that loop.
func NewRWMutex(opts ...Option) *RWMutex { return &RWMutex{permits{identity: newIdentity(opts)}} }

// Lock locks for writing. Errors and cancellation are as with [Mutex.Lock].
func (m *RWMutex) Lock(ctx context.Context) error {
	return m.permits.acquire(ctx, everything)
}

// TryLock locks for writing if no caller has or wants the lock, and reports whether it did. It may
// be called from any goroutine.
func (m *RWMutex) TryLock() bool { return m.permits.try(everything) }

// Unlock ends the writer's lock. It panics if there is none. It may be called from any goroutine.
func (m *RWMutex) Unlock() {
	if !m.permits.release(everything, everything, everything) {
		panic("coop: Unlock of an RWMutex that isn't locked for writing")
	}
}

// RLock locks for reading. Errors and cancellation are as with [Mutex.Lock].
func (m *RWMutex) RLock(ctx context.Context) error {
	return m.permits.acquire(ctx, 1)
}

// TryRLock locks for reading if that needs no waiting, and reports whether it did. It may be called
// from any goroutine.
func (m *RWMutex) TryRLock() bool { return m.permits.try(1) }

// RUnlock ends one reader's lock. It panics if there is none. It may be called from any goroutine.
func (m *RWMutex) RUnlock() {
	if !m.permits.release(1, 1, everything-1) {
		panic("coop: RUnlock of an RWMutex that isn't locked for reading")
	}
}
