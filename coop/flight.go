package coop

import (
	"context"
	"runtime"
	"sync"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// flights are the runs under way, by key. Several callers share the result of each.
type flights[K comparable, V any] struct {
	mu    sync.Mutex // held for moments; no other is taken inside
	byKey map[K]*flight[K, V]
}

// A flight is one run. The mutex of flights guards its fields, except the promise.
type flight[K comparable, V any] struct {
	promise loop.Promise[V] // for all callers
	id      *identity
	what    string
	key     K

	waiting int // callers that have not given up
	over    bool
	cancel  func(cause error) // nil until the run has started
}

// CancelFuture implements [loop.Canceler]: if one caller gives up, the others go on waiting.
func (f *flight[K, V]) CancelFuture(error) {}

// String says what the callers wait for.
func (f *flight[K, V]) String() string { return f.id.describe(f.what) }

// do returns the result of the run that is under way for the key, or else of a new run of fn.
func (t *flights[K, V]) do(ctx context.Context, key K, id *identity, what string, fn func(ctx context.Context) (V, error)) (V, error) {
	for {
		if ctx.Err() != nil {
			var none V
			return none, loop.ContextError(ctx)
		}
		f, isNew := t.join(key, id, what)
		if isNew {
			t.start(ctx, f, fn)
		}
		v, err := t.wait(ctx, f)
		switch err {
		case errLost:
			continue // another caller must run it
		case loop.ErrGoexit:
			runtime.Goexit()
		}
		return v, err
	}
}

func (t *flights[K, V]) join(key K, id *identity, what string) (f *flight[K, V], isNew bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f = t.byKey[key]
	if isNew = f == nil; isNew {
		f = &flight[K, V]{id: id, what: what, key: key}
		f.promise.Bind(id.home, f)
		if t.byKey == nil {
			t.byKey = make(map[K]*flight[K, V])
		}
		t.byKey[key] = f
	}
	f.waiting++
	return f, isNew
}

func (t *flights[K, V]) start(ctx context.Context, f *flight[K, V], fn func(ctx context.Context) (V, error)) {
	cancel := detach(ctx, f.what, func(ctx context.Context) {
		complete(func() (V, error) { return fn(ctx) }, func(v V, err error) bool { return t.land(ctx, f, v, err) })
	})
	t.mu.Lock()
	f.cancel = cancel
	givenUp := f.waiting == 0 && !f.over
	t.mu.Unlock()
	if givenUp {
		cancel(errGivenUp)
	}
}

// land ends the flight. It reports whether a caller waits for the result.
func (t *flights[K, V]) land(ctx context.Context, f *flight[K, V], v V, err error) bool {
	t.mu.Lock()
	f.over = true
	t.forget(f)
	wanted := f.waiting > 0
	t.mu.Unlock()
	if _, panicked := err.(*loop.PanicError); wanted && err != nil && !panicked && err != loop.ErrGoexit && ctx.Err() != nil {
		err = errLost // no caller cancelled it, so its loop did
	}
	f.promise.Settle(v, err)
	_ = f.promise.Future().Err() // the callers see it, so the loop needn't report it
	return wanted
}

// forget must be called with mu held.
func (t *flights[K, V]) forget(f *flight[K, V]) {
	if t.byKey[f.key] == f {
		delete(t.byKey, f.key)
	}
}

func (t *flights[K, V]) wait(ctx context.Context, f *flight[K, V]) (V, error) {
	has := false
	defer func() {
		if !has {
			t.leave(f)
		}
	}()
	v, err := repaint.Await(ctx, f.promise.Future())
	if err != nil && ctx.Err() != nil && f.promise.Future().Done() {
		v, err = repaint.Await(context.WithoutCancel(ctx), f.promise.Future()) // it ended at the same moment
	}
	has = f.promise.Future().Done()
	return v, err
}

// leave takes a caller off the flight. The last one cancels it.
func (t *flights[K, V]) leave(f *flight[K, V]) {
	t.mu.Lock()
	f.waiting--
	var cancel func(error)
	if f.waiting == 0 && !f.over {
		t.forget(f)
		cancel = f.cancel
	}
	t.mu.Unlock()
	if cancel != nil {
		cancel(errGivenUp)
	}
}
