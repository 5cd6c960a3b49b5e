package coop

import "context"

// Shared lets callers that want the same result at the same time share one run of a function, like
// singleflight. The zero value is for every goroutine; a Shared that [NewShared] makes in a loop
// belongs to that loop. It must not be copied.
//
// Callers that come while the function runs share its result. The result is then forgotten: Shared
// is no cache.
type Shared[K comparable, V any] struct {
	identity
	flights flights[K, V]
}

// NewShared returns a Shared. Made in a loop, it belongs to that loop.
func NewShared[K comparable, V any](opts ...Option) *Shared[K, V] {
	return &Shared[K, V]{identity: newIdentity(opts)}
}

// Do calls fn and returns its results. If another caller's fn is under way for the same key, Do
// returns the results of that call instead.
//
// All callers share the run. It is a task in the loop of the caller that began it, or a goroutine
// if that caller was in no loop. Its context has that caller's values, but doesn't end with any
// caller's context: it ends when all callers have given up. If that loop's Run ends first, a caller
// that waits elsewhere begins again. A panic in fn is raised in each of the callers as a
// [*loop.PanicError], and a runtime.Goexit continues in each. If all callers have given up, the
// loop's Run raises the panic; in a goroutine it is dropped.
//
// If the context ends first, Do returns its cause. A function that calls Do for its own key waits
// for itself.
func (s *Shared[K, V]) Do(ctx context.Context, key K, fn func(ctx context.Context) (V, error)) (V, error) {
	return s.flights.do(ctx, key, &s.identity, "a call that a coop.Shared shares", fn)
}

// Forget makes the next caller for the key begin a new run, even if one is under way. Callers that
// wait for that run still get its result. It may be called from any goroutine.
func (s *Shared[K, V]) Forget(key K) {
	s.flights.mu.Lock()
	delete(s.flights.byKey, key)
	s.flights.mu.Unlock()
}
