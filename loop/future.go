package loop

import "context"

// A Future is a result that isn't there yet. Its [Promise] is the other end, which completes it. It
// is asyncio's Future, with the two ends as separate types.
//
// All its methods may be called from any goroutine.
type Future[T any] struct {
	value T // first, because an empty struct in the last place would take 8 bytes
	Latch
}

// An Awaitable is a future or something that has one, such as a task.
type Awaitable[T any] interface {
	// AsFuture returns the future.
	AsFuture() *Future[T]
}

// AsFuture returns the future itself.
func (f *Future[T]) AsFuture() *Future[T] { return f }

// Result returns the results that the future was completed with, or [ErrPending] if it isn't done.
func (f *Future[T]) Result() (T, error) {
	if !f.Done() {
		var none T
		return none, ErrPending
	}
	return f.value, f.Err()
}

// Wait blocks the calling goroutine until the future is done, and returns its result. If the
// context ends first, Wait cancels the future and returns the error of [ContextError]; see
// [Latch.Wait].
//
// It must not be called from a loop, because it would stop the loop. repaint.Await may be called
// anywhere.
func (f *Future[T]) Wait(ctx context.Context) (T, error) {
	if err := f.Latch.Wait(ctx); err != nil {
		var none T
		return none, err
	}
	return f.Result()
}

// A Promise completes its future. The zero value is a promise that isn't bound to a loop.
// All its methods may be called from any goroutine, and it must not be copied.
type Promise[T any] struct {
	future Future[T]
}

// NewPromise returns a promise for a loop, or for none.
//
// With a loop it says that only events in this loop will complete it. If the loop becomes idle,
// code that waits for the promise is in a deadlock. If the loop is closed, the promise fails with
// [ErrClosed]. With nil it says that any goroutine may complete it.
func NewPromise[T any](l *Loop) *Promise[T] {
	p := new(Promise[T])
	p.future.loop = l
	return p
}

// Bind binds a zero Promise to a loop, and gives it an owner, which may be nil. It must be called
// before anything else.
func (p *Promise[T]) Bind(l *Loop, owner Canceler) { p.future.loop, p.future.canceler = l, owner }

// Future returns the other end.
func (p *Promise[T]) Future() *Future[T] { return &p.future }

// Resolve completes the future with a value, and reports whether it did. It returns false if the
// future was already complete; a cancel by waiting code can complete it at any time.
func (p *Promise[T]) Resolve(v T) bool { return p.Settle(v, nil) }

// Settle completes the future with both a value and an error, as a function returns them. It
// reports whether it did, as Resolve does.
func (p *Promise[T]) Settle(v T, err error) bool {
	f := &p.future
	f.mu.Lock()
	if f.done.Load() || f.request.isAnswered() {
		f.mu.Unlock()
		return false
	}
	f.value = v
	f.finish(err)
	return true
}

// Reject completes the future with an error, which must not be nil. It reports whether it did, as
// Resolve does.
func (p *Promise[T]) Reject(err error) bool {
	if err == nil {
		panic("loop: Reject needs an error")
	}
	return p.future.fail(err)
}

// Complete calls fn and completes the future with fn's results. If fn panics, the future fails with
// a [*PanicError]. If fn calls runtime.Goexit, the future fails with [ErrGoexit], and the Goexit
// continues.
func (p *Promise[T]) Complete(fn func() (T, error)) {
	returned := false
	defer func() {
		switch r := recover(); {
		case r != nil:
			if err := Recovered(r); !p.Reject(err) && p.future.request != nil {
				// The waiting code has given up, but a panic is always reported.
				p.future.request.asker.Report(&UnobservedError{What: p.future.String(), Err: err})
			}
		case !returned:
			p.Reject(ErrGoexit)
		}
	}()
	v, err := fn()
	returned = true
	p.Settle(v, err)
}

// ReportFailure says that a failure of the future matters: even without debug mode, an
// [UnobservedError] is reported unless code looks at the error or waits for the future. It is for
// futures of functions that run on their own. It must be called before the promise is completed.
func (p *Promise[T]) ReportFailure() { p.future.matters = true }

// OnCancel makes a cancel of the future call fn instead of completing the future at once. fn must
// then make sure that the future is completed, now or later. fn is called at most once, by the
// cancelling goroutine; another goroutine may be completing the future at that moment. If the
// future is already complete, for example because it was cancelled before, fn is never called.
func (p *Promise[T]) OnCancel(fn func(cause error)) {
	f := &p.future
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.done.Load() {
		f.setOwner(cancelFunc(fn))
	}
}

// A Canceler is the owner of a promise. Its method is called when the result isn't wanted any more.
type Canceler interface {
	CancelFuture(cause error)
}

type cancelFunc func(error)

func (fn cancelFunc) CancelFuture(cause error) { fn(cause) }

// Resolved returns a future that is complete.
func Resolved[T any](v T) *Future[T] {
	f := new(Future[T])
	f.value = v
	f.done.Store(true)
	return f
}

// Failed returns a future that is complete with an error, which must not be nil.
func Failed[T any](err error) *Future[T] {
	if err == nil {
		panic("loop: Failed needs an error")
	}
	f := new(Future[T])
	f.err = err
	f.done.Store(true)
	return f
}
