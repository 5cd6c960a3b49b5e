package coop

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A Loader makes one call for many keys of many calls for one key each: a data loader. [NewLoader]
// makes it.
//
// In a loop it collects the keys that tasks ask for, and calls the batch function at the instant at
// which all of them wait, when no task is left that could ask for more. So there is no timer, and
// no guess: a thousand tasks that load one row each make exactly one batch, and three lookups that
// depend on each other make three, however many tasks do them. A loop that always has something
// else to do doesn't keep them waiting: after a millisecond, or 256 turns of the loop, the batch
// begins with what it has. A key that is asked for several times, also while it's being loaded, is
// loaded once.
//
// In plain goroutines that instant can't be known. There the first key starts a batch at once, and
// what is asked for while that one runs makes the next. What a batch function itself loads there
// doesn't wait for any other batch to end.
//
// A batch function may load from other loaders, and from its own, but not what it is loading
// itself, nor what is part of a batch that waits for it: that's a wait for itself, which in a loop
// is reported as a deadlock.
//
// One loader may be used by several loops and goroutines at a time. Each loop has batches of its
// own, and all plain goroutines together have theirs; they share the cache. So a loader can live as
// long as the program, or as a request.
//
// # Lives and deaths
//
// All its callers share a batch. It runs in a task of the loop, or in a goroutine of its own. Its
// context has the values of the first caller, but doesn't end with any caller's: it ends when all
// of them have given up, or with the loop's Run. A key isn't asked for if all its callers have
// given up before the batch begins.
//
// All methods may be called from any goroutine.
type Loader[K comparable, V any] struct {
	identity // its home isn't used: a promise belongs to the caller's loop
	batch    func(ctx context.Context, keys []K) (map[K]V, error)
	maxBatch int // 0 for no bound
	caching  bool

	mu    sync.Mutex // held for moments; no other is taken inside
	cache map[K]V    // what was primed, and what was loaded if caching
	// rooms has those in which something is going on, by loop. The plain goroutines' is that of
	// nil.
	rooms map[*loop.Loop]*room[K, V]
}

// A LoaderOption is an option of [NewLoader]. An [Option] is one, too.
type LoaderOption interface{ setUp(*loaderSetup) }

type loaderSetup struct {
	identity *identity
	maxBatch int
	caching  bool
}

type loaderOption func(*loaderSetup)

func (o loaderOption) setUp(s *loaderSetup) { o(s) }

func (o Option) setUp(s *loaderSetup) { o(s.identity) }

// MaxBatch limits how many keys a batch has. A batch that is full starts at once.
func MaxBatch(n int) LoaderOption {
	if n < 1 {
		panic("coop: MaxBatch must be positive")
	}
	return loaderOption(func(s *loaderSetup) { s.maxBatch = n })
}

// WithCache makes the loader keep what it has loaded, all of it and for its whole life. Keys that
// failed aren't kept. It is meant for loaders that live as long as a request.
func WithCache() LoaderOption { return loaderOption(func(s *loaderSetup) { s.caching = true }) }

// NewLoader returns a loader that calls batch. The keys that batch gets are all different, in the
// order in which they were asked for.
//
// What batch returns decides over each key: a key in the map gets its value, one that is missing
// fails with [ErrNotFound]. If the error is or wraps [KeyErrors], then the keys in it fail with
// their error and the others are as before. Any other error fails all of them. A panic is raised in
// all waiting callers, as a [*loop.PanicError], and a runtime.Goexit goes on in them; if all have
// given up, the panic is raised by the loop's Run, or in a goroutine dropped.
func NewLoader[K comparable, V any](batch func(ctx context.Context, keys []K) (map[K]V, error), opts ...LoaderOption) *Loader[K, V] {
	l := &Loader[K, V]{batch: batch, rooms: make(map[*loop.Loop]*room[K, V])}
	s := loaderSetup{identity: &l.identity}
	for _, o := range opts {
		o.setUp(&s)
	}
	l.maxBatch, l.caching = s.maxBatch, s.caching
	return l
}

// Load returns the value of a key, as part of a batch. If the context ends first, it returns the
// context's cause. [NewLoader] says which error it returns for a key that has failed.
func (l *Loader[K, V]) Load(ctx context.Context, key K) (V, error) {
	var none V
	if ctx.Err() != nil {
		return none, loop.ContextError(ctx)
	}
	o := order[K, V]{loader: l, ctx: ctx, home: repaint.CurrentLoop()}
	l.mu.Lock()
	if v, ok := l.cache[key]; ok {
		l.mu.Unlock()
		return v, nil
	}
	c := o.join(key)
	o.close()
	l.mu.Unlock()
	o.run()
	return l.wait(ctx, c)
}

// LoadMany returns the values of several keys, in their order. They are all asked for before it
// waits. If some of them fail, the error is a [KeyErrors] that has the errors of these, and their
// values are zero. If the wait itself fails, because the context ends say, it's the error of that,
// and there are no values.
func (l *Loader[K, V]) LoadMany(ctx context.Context, keys []K) ([]V, error) {
	if ctx.Err() != nil {
		return nil, loop.ContextError(ctx)
	}
	values := make([]V, len(keys))
	calls := make([]*call[K, V], len(keys))
	o := order[K, V]{loader: l, ctx: ctx, home: repaint.CurrentLoop()}
	l.mu.Lock()
	for i, key := range keys {
		v, ok := l.cache[key]
		if values[i] = v; !ok {
			calls[i] = o.join(key)
		}
	}
	o.close()
	l.mu.Unlock()
	next := 0
	defer func() { // also if a batch has panicked
		for _, c := range calls[next:] {
			if c != nil {
				l.leave(c)
			}
		}
	}()
	o.run()
	var errs KeyErrors[K]
	for i, c := range calls {
		next = i + 1
		if c == nil {
			continue
		}
		v, err := l.wait(ctx, c)
		switch {
		case err == nil:
			values[i] = v
		case !c.promise.Future().Done():
			return nil, err
		default:
			if errs == nil {
				errs = make(KeyErrors[K])
			}
			errs[keys[i]] = err
		}
	}
	if errs != nil {
		return values, errs
	}
	return values, nil
}

// LoadFuture is [Loader.Load] for red code: it returns at once. To cancel the future is to give up.
// It takes only the values from the context. Its end doesn't matter, since the code that awaits the
// future has a context of its own.
func (l *Loader[K, V]) LoadFuture(ctx context.Context, key K) *loop.Future[V] {
	if ctx.Err() != nil {
		return loop.Failed[V](loop.ContextError(ctx))
	}
	o := order[K, V]{loader: l, ctx: ctx, home: repaint.CurrentLoop()}
	l.mu.Lock()
	if v, ok := l.cache[key]; ok {
		l.mu.Unlock()
		return loop.Resolved(v)
	}
	c := o.join(key)
	a := &asker[K, V]{call: c}
	a.promise.Bind(o.home, a)
	c.askers = append(c.askers, a)
	o.watch = c.batch.room.watch()
	o.close()
	l.mu.Unlock()
	o.run()
	return a.promise.Future()
}

// Prime gives a key a value, which Load returns from now on, until the key is cleared. It works
// without [WithCache], too. Callers that already wait for the key get what is being loaded.
func (l *Loader[K, V]) Prime(key K, value V) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.rooms {
		if c := r.calls[key]; c != nil {
			c.stale = true
		}
	}
	l.keep(key, value)
}

// Clear forgets what is known of a key. Later callers get a value that is loaded after Clear, even
// if the key is being loaded at the moment: it may have changed since. Callers that already wait
// still get what is being loaded.
func (l *Loader[K, V]) Clear(key K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.cache, key)
	for _, r := range l.rooms {
		r.clear(r.calls[key])
	}
}

// ClearAll is [Loader.Clear] for all keys.
func (l *Loader[K, V]) ClearAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.cache)
	for _, r := range l.rooms {
		for _, c := range r.calls {
			r.clear(c)
		}
	}
}

// keep must be called with mu held.
func (l *Loader[K, V]) keep(key K, value V) {
	if l.cache == nil {
		l.cache = make(map[K]V)
	}
	l.cache[key] = value
}

// wait waits for the call's result. The caller counts as waiting before, and doesn't afterwards.
func (l *Loader[K, V]) wait(ctx context.Context, c *call[K, V]) (V, error) {
	future := c.promise.Future()
	returned := false
	defer func() {
		if !returned {
			l.leave(c)
		}
	}()
	v, err := repaint.Await(ctx, future)
	if err != nil && ctx.Err() != nil && future.Done() {
		v, err = repaint.Await(context.WithoutCancel(ctx), future) // it ended at the same moment
	}
	returned = future.Done()
	if err == loop.ErrGoexit {
		runtime.Goexit()
	}
	return v, err
}

// leave says that a caller that waited for the call has given up.
func (l *Loader[K, V]) leave(c *call[K, V]) {
	l.mu.Lock()
	after := c.leave()
	l.mu.Unlock()
	after.do()
}

// find says what a batch that returned these has for a key.
func find[K comparable, V any](key K, values map[K]V, err error, each KeyErrors[K]) (V, error) {
	var none V
	if each == nil && err != nil {
		return none, err
	}
	if err := each[key]; err != nil {
		return none, err
	}
	if v, ok := values[key]; ok {
		return v, nil
	}
	return none, &notFoundError[K]{key}
}

// eachOf returns the errors of single keys that a batch's error consists of, nil if it's one for
// all.
func eachOf[K comparable](err error) KeyErrors[K] {
	if err == nil {
		return nil
	}
	if _, panicked := err.(*loop.PanicError); panicked {
		return nil
	}
	var each KeyErrors[K]
	if !errors.As(err, &each) {
		return nil
	}
	if each == nil { // typed, but empty
		each = KeyErrors[K]{}
	}
	return each
}
