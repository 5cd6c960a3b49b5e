package coop

import (
	"runtime"
	"sync"
	"weak"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
)

// A Local is a variable of which each greenlet has its own value: each task, the main function of a
// Run, and each greenlet that these make. It is gevent's local. The zero value is ready for use. It
// must not be copied.
//
// A task doesn't inherit values from the task that spawned it. To pass a value down, use a context
// value, which a function with a context should prefer anyway. A Local is for code that has no
// context: a logger, a callback.
//
// A Local can't notice the end of a plain goroutine, so a value that the goroutine set would stay
// forever. It can use [Local.With], which sets a value for the duration of a call.
//
// A value goes when its greenlet has ended and is collected. It goes at the latest when so many
// other values have been set since that ended greenlets have as many values as live ones. All
// methods may be called from any goroutine.
type Local[T any] struct {
	mu      sync.Mutex // held for moments; no other is taken inside
	values  map[localKey]localValue[T]
	sweepAt int // the size of values at which put looks for those of ended greenlets
}

type localKey = weak.Pointer[greenlet.Greenlet]

type localValue[T any] struct {
	value T
	// cleanup removes the value when the greenlet is collected.
	cleanup runtime.Cleanup
}

// Get returns the current greenlet's value, and reports whether it has one.
func (l *Local[T]) Get() (value T, ok bool) {
	g := greenlet.Lookup()
	if g == nil {
		return value, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	v, ok := l.values[weak.Make(g)]
	return v.value, ok
}

// Set gives the current greenlet a value. In a plain goroutine it panics: see [Local.With].
func (l *Local[T]) Set(value T) {
	g := greenlet.Lookup()
	if g == nil || g.Parent() == nil && repaint.CurrentLoop() == nil {
		panic("coop: Set of a Local in a plain goroutine, whose end can't be noticed: use With")
	}
	g = greenlet.Current() // which keeps it from carrying another task after this one
	key := weak.Make(g)
	l.mu.Lock()
	defer l.mu.Unlock()
	old, has := l.values[key]
	if !has {
		l.sweep()
		old.cleanup = l.dropWhenCollected(g, key)
	}
	l.put(key, localValue[T]{value, old.cleanup})
}

// Unset removes the current greenlet's value, if it has one.
func (l *Local[T]) Unset() {
	g := greenlet.Lookup()
	if g == nil {
		return
	}
	key := weak.Make(g)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.values[key].cleanup.Stop()
	delete(l.values, key)
}

// With calls fn, and gives the current greenlet or goroutine the value for the duration of the
// call. Afterwards the previous value is back. Tasks and goroutines that fn starts don't see the
// value.
func (l *Local[T]) With(value T, fn func()) {
	family, isNew := greenlet.Enter()
	if isNew {
		defer family.Close()
	}
	g := greenlet.Lookup()
	defer runtime.KeepAlive(g)
	key := weak.Make(g)
	l.mu.Lock()
	before, has := l.values[key]
	l.put(key, localValue[T]{value, before.cleanup})
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		now, still := l.values[key]
		switch {
		case !has:
			now.cleanup.Stop()
			delete(l.values, key)
			return
		case !still: // Unset has stopped the cleanup
			before.cleanup = l.dropWhenCollected(g, key)
		}
		l.put(key, before)
	}()
	fn()
}

// put must be called with mu held.
func (l *Local[T]) put(key localKey, v localValue[T]) {
	if l.values == nil {
		l.values = make(map[localKey]localValue[T])
	}
	l.values[key] = v
}

// dropWhenCollected removes the greenlet's value when the greenlet is collected. The argument of
// the cleanup is reachable, so it must not lead to the greenlet, as a value may.
func (l *Local[T]) dropWhenCollected(g *greenlet.Greenlet, key localKey) runtime.Cleanup {
	type entry struct {
		local weak.Pointer[Local[T]]
		key   localKey
	}
	return runtime.AddCleanup(g, func(e entry) {
		if l := e.local.Value(); l != nil {
			l.mu.Lock()
			defer l.mu.Unlock()
			delete(l.values, e.key)
		}
	}, entry{weak.Make(l), key})
}

// sweep removes the values of greenlets that have ended but aren't collected, because the program
// still has the task, or because the value itself leads to the greenlet. It must be called with mu
// held.
func (l *Local[T]) sweep() {
	if len(l.values) < l.sweepAt {
		return
	}
	for key, v := range l.values {
		if g := key.Value(); g == nil || g.Dead() {
			v.cleanup.Stop()
			delete(l.values, key)
		}
	}
	l.sweepAt = 2*len(l.values) + minSweep
}

const minSweep = 16
