package coop

import (
	"context"
	"errors"
	"runtime"
	"sync"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// A Loader turns many calls for one key each into one call for many keys: a data loader.
// [NewLoader] makes one.
//
// In a loop it collects the keys that tasks ask for. It calls the batch function at the moment when
// all tasks wait and none is left that could ask for more. So it needs no timer and no guess: a
// thousand tasks that load one row each make exactly one batch, and three lookups that depend on
// each other make three, however many tasks do them. A loop that is never idle doesn't keep them
// waiting: after a millisecond, or 256 turns of the loop, the batch begins with the keys that it
// has. A key that several callers ask for, even while it is being loaded, is loaded once.
//
// Among plain goroutines that moment can't be known. There the first key starts a batch at once,
// and the keys that callers ask for while it runs make the next batch. Loads by a batch function
// itself don't wait there for any other batch to end.
//
// A batch function may load from other loaders, and from its own. It must not load a key that it is
// loading itself, or a key of a batch that waits for it: it would wait for itself. A loop reports
// that as a deadlock.
//
// One loader may be used by several loops and goroutines at a time. Each loop has batches of its
// own, and all plain goroutines together have theirs; they share the cache. So a loader can live as
// long as the program, or as a request.
//
// # Lives and deaths
//
// A batch belongs to all its callers. It runs in a task of the loop, or in a goroutine of its own.
// Its context has the first caller's values, but doesn't end with any caller's context: it ends
// when all callers have given up, or with the loop's Run. The batch leaves out a key whose callers
// have all given up before it begins.
//
// All methods may be called from any goroutine.
type Loader[K comparable, V any] struct {
	identity // its home isn't used: a promise belongs to the caller's loop
	batch    func(ctx context.Context, keys []K) (map[K]V, error)
	maxBatch int // 0 for no bound
	caching  bool

	mu    sync.Mutex // held for moments; no other is taken inside
	cache map[K]V    // the primed values, and the loaded ones if caching
	// rooms has the rooms with work under way, by loop. The room of the plain goroutines is at nil.
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

// MaxBatch limits the number of keys in a batch. A full batch starts at once. MaxBatch panics if n
// isn't positive.
func MaxBatch(n int) LoaderOption {
	if n < 1 {
		panic("coop: MaxBatch must be positive")
	}
	return loaderOption(func(s *loaderSetup) { s.maxBatch = n })
}

// Cached makes the loader keep all values that it loads, for its whole life. It doesn't keep
// errors. Cached is meant for loaders that live as long as a request.
func Cached() LoaderOption { return loaderOption(func(s *loaderSetup) { s.caching = true }) }

// NewLoader returns a loader that calls batch. The keys that batch gets are all different, and in
// the order in which callers asked for them.
//
// The results of batch decide each key. A key in the map gets its value, and a missing key fails
// with [ErrNotFound]. If the error is or wraps [KeyErrors], the keys in it fail with their errors,
// and the map decides the others. Any other error fails all keys. A panic is raised in all waiting
// callers as a [*loop.PanicError], and a runtime.Goexit continues in them. If all callers have
// given up, the loop's Run raises the panic; in a goroutine it is dropped.
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

// LoadMany returns the values of several keys, in the order of the keys. It asks for all of them
// before it waits. If some keys fail, the error is a [KeyErrors] with their errors, and their
// values are zero. If the wait itself fails, for example because the context ends, LoadMany returns
// that error and no values.
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

// LoadFuture is [Loader.Load] for red code: it returns at once. Cancelling the future means giving
// up. LoadFuture takes only the values from the context. The end of the context doesn't matter,
// because the code that awaits the future has a context of its own.
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

// Prime gives a key a value, which Load returns from then on until the key is cleared. It also
// works without [Cached]. Callers that already wait for the key get the value that is being
// loaded.
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

// Clear forgets the value of a key. Later callers get a value that is loaded after Clear, even if
// the key is being loaded now, because it may have changed since. Callers that already wait get the
// value that is being loaded.
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

// wait waits for the call's result. The caller counts as waiting before wait, and no longer after
// it.
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

// leave notes that a caller that waited for the call has given up.
func (l *Loader[K, V]) leave(c *call[K, V]) {
	l.mu.Lock()
	after := c.leave()
	l.mu.Unlock()
	after.do()
}

// find returns the result for a key of a batch that returned values and err.
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

// eachOf returns the errors of single keys that a batch's error consists of, or nil if it is an
// error for all keys.
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
