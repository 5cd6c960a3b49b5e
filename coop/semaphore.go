package coop

import (
	"context"
	"fmt"
)

// A Semaphore has a number of permits. Callers take one or several at a time. [NewSemaphore] makes
// one. It is asyncio's Semaphore, with weights.
//
// It is strictly fair: a caller that waits for many permits isn't overtaken by callers that want
// few.
type Semaphore struct{ permits permits }

// NewSemaphore returns a semaphore with the given number of permits, and panics if that is less
// than one. Made in a loop, the semaphore belongs to that loop.
func NewSemaphore(size int, opts ...Option) *Semaphore {
	if size < 1 {
		panic(fmt.Sprintf("coop: NewSemaphore with a size of %d", size))
	}
	return &Semaphore{permits{identity: newIdentity(opts), size: size}}
}

// Acquire takes n permits at once, waiting in line until that many are free. If it returns an
// error, it took none. It returns [ErrTooLarge] at once if n is more than [Semaphore.Size].
//
// If the context ends while the caller waits, Acquire returns its cause. If the caller's turn comes
// at that very moment, the caller has the permits and the error is nil.
func (s *Semaphore) Acquire(ctx context.Context, n int) error {
	s.check(n)
	if n > s.permits.size {
		return fmt.Errorf("%w: %d of %d", ErrTooLarge, n, s.permits.size)
	}
	return s.permits.acquire(ctx, n)
}

// TryAcquire takes n permits if they are free and no caller waits, and reports whether it did. It
// never waits. It may be called from any goroutine.
func (s *Semaphore) TryAcquire(n int) bool {
	s.check(n)
	return s.permits.try(n)
}

// Release gives n permits back; waiting callers get them first. It panics if fewer than n are
// taken. It never waits. It may be called from any goroutine.
func (s *Semaphore) Release(n int) {
	s.check(n)
	if !s.permits.release(n, n, s.permits.size) {
		panic("coop: Release of more than was acquired from a Semaphore")
	}
}

// Size returns the total number of permits.
func (s *Semaphore) Size() int { return s.permits.size }

// Free returns the number of permits that aren't taken. It may be called from any goroutine.
func (s *Semaphore) Free() int {
	s.permits.mu.Lock()
	defer s.permits.mu.Unlock()
	return s.permits.size - s.permits.taken
}

func (s *Semaphore) check(n int) {
	if n < 0 {
		panic(fmt.Sprintf("coop: a Semaphore can't deal with a weight of %d", n))
	}
}
