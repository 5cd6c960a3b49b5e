package coop

import "context"

// Shared lets callers that want the same at the same time share one run of the function that finds it out: singleflight.
// The zero value is one for everybody; one that [NewShared] makes in a loop belongs to that loop. It must not be copied.
//
// A result is shared by those who came while the function ran, and then forgotten: it is no cache.
type Shared[K comparable, V any] struct {
	identity
	flights flights[K, V]
}

// NewShared returns a Shared. Made in a loop, it belongs to that loop.
func NewShared[K comparable, V any](opts ...Option) *Shared[K, V] {
	return &Shared[K, V]{identity: newIdentity(opts)}
}

// Do returns what fn returns. If another caller's fn is under way for the same key, it returns what that one does.
//
// The run belongs to all who wait for it. It is a task of the loop of the caller who began it, or a goroutine if that was in none.
// Its context has that caller's values, but doesn't end with any caller's: it ends when all of them have given up.
// If that loop's Run ends before, one of those who wait elsewhere begins again.
// A panic in fn is raised in each of the callers, as a [*loop.PanicError], and a runtime.Goexit goes on in each.
// If all have given up, a panic is raised by the Run of the loop, while in a goroutine it's dropped.
//
// If the context ends first, Do returns its cause. A function that calls Do for its own key waits for itself.
func (s *Shared[K, V]) Do(ctx context.Context, key K, fn func(ctx context.Context) (V, error)) (V, error) {
	return s.flights.do(ctx, key, &s.identity, "a call that a coop.Shared shares", fn)
}

// Forget has the next caller for the key begin anew, even if a run is under way; those who wait for that one still get its result.
// It may be called from any goroutine.
func (s *Shared[K, V]) Forget(key K) {
	s.flights.mu.Lock()
	delete(s.flights.byKey, key)
	s.flights.mu.Unlock()
}
