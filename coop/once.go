package coop

import (
	"context"
	"sync/atomic"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/loop"
)

// A Once runs functions until one succeeds. The zero value is for every goroutine; a Once that
// [NewOnce] makes in a loop belongs to that loop. It must not be copied.
//
// Unlike sync.Once it tries again after a failure, for example if a connection can't be made.
// [OnceValue] keeps failures.
type Once struct {
	identity
	done    atomic.Bool
	flights flights[struct{}, struct{}]
}

// NewOnce returns a Once. Made in a loop, it belongs to that loop.
func NewOnce(opts ...Option) *Once { return &Once{identity: newIdentity(opts)} }

// Do calls fn and returns its error, or returns nil at once if a call has succeeded before. If a
// call is under way, Do waits for it and returns its error. After a failure the next Do tries
// again.
//
// All callers share the call, as with [Shared.Do], so a caller whose context ends doesn't end it
// for the others. A function that calls Do of its own Once waits for itself.
func (o *Once) Do(ctx context.Context, fn func(ctx context.Context) error) error {
	if ctx.Err() != nil {
		return loop.ContextError(ctx)
	}
	if o.done.Load() {
		return nil
	}
	_, err := o.flights.do(ctx, struct{}{}, &o.identity, "the call of a coop.Once", func(ctx context.Context) (none struct{}, err error) {
		if o.done.Load() { // a call has ended between the look above and here
			return none, nil
		}
		if err = fn(ctx); err == nil {
			o.done.Store(true)
		}
		return none, err
	})
	return err
}

// Done reports whether a call has succeeded. It may be called from any goroutine.
func (o *Once) Done() bool { return o.done.Load() }

// OnceValue returns a function that calls fn once, when it is first called, and always returns the
// results of that call, even an error. It is sync.OnceValues for functions that wait.
//
// All callers share the call, as with [Shared.Do]. If all of them give up, or fn calls
// runtime.Goexit, there is no result to keep, and the next caller calls fn again. A panic is kept
// and raised in every caller.
//
// Made in a loop, the function belongs to that loop. Made outside any loop, it may be called from
// any goroutine.
func OnceValue[T any](fn func(ctx context.Context) (T, error), opts ...Option) func(ctx context.Context) (T, error) {
	o := &onceValue[T]{identity: newIdentity(opts), fn: fn}
	return o.do
}

type onceValue[T any] struct {
	identity
	fn      func(ctx context.Context) (T, error)
	result  atomic.Pointer[onceResult[T]] // set once
	flights flights[struct{}, T]
}

type onceResult[T any] struct {
	value T
	err   error
	panic *loop.PanicError
}

func (r *onceResult[T]) get() (T, error) {
	if r.panic != nil {
		panic(r.panic)
	}
	return r.value, r.err
}

func (o *onceValue[T]) do(ctx context.Context) (T, error) {
	if ctx.Err() != nil {
		var none T
		return none, loop.ContextError(ctx)
	}
	if r := o.result.Load(); r != nil {
		return r.get()
	}
	return o.flights.do(ctx, struct{}{}, &o.identity, "the call of a coop.OnceValue", o.run)
}

func (o *onceValue[T]) run(ctx context.Context) (T, error) {
	if r := o.result.Load(); r != nil { // a call has ended between the look in do and here
		return r.get()
	}
	defer func() {
		if r := recover(); r != nil {
			if greenlet.IsKill(r) {
				panic(r)
			}
			p := loop.Recovered(r)
			o.result.Store(&onceResult[T]{panic: p})
			panic(p)
		}
	}()
	v, err := o.fn(ctx)
	if err == nil || ctx.Err() == nil {
		o.result.Store(&onceResult[T]{value: v, err: err})
	}
	return v, err
}
