package repaint

import (
	"context"
	"errors"
	"iter"
	"runtime"
	"sync"

	"github.com/seed1239206e/repaint/internal/callsite"
	"github.com/seed1239206e/repaint/loop"
)

// Each calls fn for each value of the sequence, up to limit of them side by side, and yields the
// results in the order of the values. It is for streams: it takes values only as the loop takes
// results, so neither need fit into memory. With a limit of zero or less, Each starts all calls
// before it waits for the first result.
//
//	for user, err := range repaint.Each(ctx, 10, slices.Values(ids), load) { … }
//
// Each yields an error and the other calls go on; to stop, leave the loop. When the loop ends or is
// left, the context of the running calls ends, and Each waits for them: no call outlives the loop.
// When ctx ends, Each takes no more values, yields the results of the running calls, and then
// yields the context's cause. A panic in fn is raised in the loop, and a runtime.Goexit continues
// there.
//
// In a loop the calls are tasks, in a plain goroutine they are goroutines, as with a [Group].
//
//go:noinline
func Each[In, Out any](ctx context.Context, limit int, values iter.Seq[In], fn func(ctx context.Context, v In) (Out, error)) iter.Seq2[Out, error] {
	site := callsite.Caller()
	return func(yield func(Out, error) bool) {
		b := newBrood[Out](ctx, site)
		defer b.end()
		deliver := func() bool {
			v, err := b.take(0)
			if b.futures[0] == nil {
				b.futures = b.futures[1:]
				return yield(v, err)
			}
			yield(v, err)
			return false
		}
		for v := range values {
			if ctx.Err() != nil {
				break
			}
			for len(b.futures) > 0 && (len(b.futures) == limit || b.futures[0].Done()) {
				if !deliver() {
					return
				}
			}
			b.launch(func(ctx context.Context) (Out, error) { return fn(ctx, v) })
		}
		for len(b.futures) > 0 {
			if !deliver() {
				return
			}
		}
		if err := loop.ContextError(ctx); err != nil {
			var none Out
			yield(none, err)
		}
	}
}

// AsCompleted calls the functions side by side and yields their results in the order in which they
// come. It is asyncio's as_completed. Errors, panics, the end of the loop and of the context are as
// with [Each], except that AsCompleted doesn't yield the context's cause: each function returns its
// own error.
//
//go:noinline
func AsCompleted[T any](ctx context.Context, fns ...func(ctx context.Context) (T, error)) iter.Seq2[T, error] {
	return asCompleted(ctx, fns, callsite.Caller())
}

func asCompleted[T any](ctx context.Context, fns []func(ctx context.Context) (T, error), site callsite.Site) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		b := newBrood[T](ctx, site)
		defer b.end()
		var order finishers
		for i, fn := range fns {
			b.launch(func(ctx context.Context) (T, error) {
				defer order.add(i)
				return fn(ctx)
			})
		}
		for range fns {
			i, err := order.next(b.runner)
			if err != nil { // a deadlock
				var none T
				yield(none, err)
				return
			}
			v, err := b.take(i)
			if !yield(v, err) {
				return
			}
		}
	}
}

// First calls the functions side by side and returns the first result that comes without an error.
// Then the context of the others ends, and First waits for them. Their results are lost, so a
// function that opens something must close it when its context has ended. If all functions fail,
// First returns their errors, joined in the order in which they came. Without functions it returns
// an error. It may be called where a [Group] may be used, and panics like one.
//
//go:noinline
func First[T any](ctx context.Context, fns ...func(ctx context.Context) (T, error)) (T, error) {
	var none T
	if len(fns) == 0 {
		return none, errors.New("repaint: First was called without functions, so there is no first result")
	}
	var failed failures
	for v, err := range asCompleted(ctx, fns, callsite.Caller()) {
		if err == nil {
			return v, nil
		}
		failed.add(err, endOf(ctx))
	}
	return none, failed.join()
}

// A brood is a number of functions that run side by side and don't outlive the caller that waits
// for them.
type brood[T any] struct {
	runner  *runner
	scope   scope
	site    callsite.Site     // where its functions are spawned
	futures []*loop.Future[T] // nil where the future has been taken
}

func newBrood[T any](ctx context.Context, site callsite.Site) *brood[T] {
	b := &brood[T]{site: site}
	b.runner, _ = here()
	b.scope.init(ctx, nil, b.runner)
	return b
}

func (b *brood[T]) launch(fn func(ctx context.Context) (T, error)) {
	if b.runner != nil {
		b.futures = append(b.futures, spawn[T](&b.scope, fn, b.site, nil, nil).AsFuture())
		return
	}
	p := loop.NewPromise[T](nil)
	p.Future().SetName("a function in a goroutine")
	go p.Complete(func() (T, error) { return fn(&b.scope) })
	b.futures = append(b.futures, p.Future())
}

// take waits for a future and takes it. If the wait ends in a deadlock, the future stays.
func (b *brood[T]) take(i int) (T, error) {
	f := b.futures[i]
	if err := wait(context.Background(), &f.Latch); err != nil {
		var none T
		return none, err
	}
	b.futures[i] = nil
	v, err := result(f)
	if err == loop.ErrGoexit {
		runtime.Goexit()
	}
	return v, err
}

var errLeft = errors.New("repaint: the loop that waited for the result was left")

// end cancels the running functions and waits for them. If one of them panics, so does end.
func (b *brood[T]) end() {
	b.scope.cancel(context.Canceled, errLeft)
	var panicked *loop.PanicError
	for _, f := range b.futures {
		if f == nil {
			continue
		}
		_ = wait(context.Background(), &f.Latch)
		if p, ok := f.Err().(*loop.PanicError); ok && panicked == nil {
			panicked = p
		}
	}
	b.scope.release()
	if panicked != nil {
		panic(panicked)
	}
}

// finishers are numbers of functions in the order in which they have finished.
type finishers struct {
	mu      sync.Mutex // held for moments
	done    []int
	waiting *loop.Promise[struct{}] // of the task that waits for the next, if one does
}

func (s *finishers) add(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = append(s.done, i)
	if s.waiting != nil {
		s.waiting.Resolve(struct{}{})
		s.waiting = nil
	}
}

func (s *finishers) next(h *runner) (int, error) {
	s.mu.Lock()
	if len(s.done) == 0 {
		var l *loop.Loop
		if h != nil {
			l = h.loop
		}
		s.waiting = loop.NewPromise[struct{}](l)
		s.waiting.Future().SetName("the first of several functions")
		f := s.waiting.Future()
		s.mu.Unlock()
		if err := wait(context.Background(), &f.Latch); err != nil {
			return 0, err
		}
		s.mu.Lock()
	}
	defer s.mu.Unlock()
	i := s.done[0]
	s.done = s.done[1:]
	return i, nil
}
