package loop

import "context"

// A Future is a result that isn't there yet. Its [Promise] is the other end, at which it is completed.
//
// All its methods may be called from any goroutine.
type Future[T any] struct {
	Latch
	value T
}

// An Awaitable is a future or something that has one, such as a task.
type Awaitable[T any] interface {
	// AsFuture returns the future.
	AsFuture() *Future[T]
}

// AsFuture returns the future itself.
func (f *Future[T]) AsFuture() *Future[T] { return f }

// Result returns what the future was completed with, or [ErrPending].
func (f *Future[T]) Result() (T, error) {
	if !f.Done() {
		var none T
		return none, ErrPending
	}
	return f.value, f.Err()
}

// Wait blocks the calling goroutine until the future is done and returns its result.
// If the context ends first, the future is cancelled and the error is the one of [ContextError]; see [Latch.Wait].
//
// It must not be called from a loop, which would stop: repaint.Await does what is right everywhere.
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
// With a loop it says that only what happens in this loop will complete it:
// if the loop gets idle, those who wait for it are in a deadlock, and if the loop is closed it fails with [ErrClosed].
// With nil it says that anybody may: another goroutine, a driver, a signal.
func NewPromise[T any](l *Loop) *Promise[T] {
	p := new(Promise[T])
	p.future.loop = l
	return p
}

// Bind makes a zero Promise one for a loop and for an owner, which may be nil. It must be called before anything else.
func (p *Promise[T]) Bind(l *Loop, owner Canceler) { p.future.loop, p.future.canceler = l, owner }

// Future returns the other end.
func (p *Promise[T]) Future() *Future[T] { return &p.future }

// Resolve completes the future with a value. It reports whether it did: false means that it was complete already,
// which a cancel by those who waited can do at any time.
func (p *Promise[T]) Resolve(v T) bool { return p.Settle(v, nil) }

// Settle completes the future with both a value and an error, as a function returns them. It reports whether it did, as Resolve does.
func (p *Promise[T]) Settle(v T, err error) bool {
	f := &p.future
	f.mu.Lock()
	if f.done.Load() || f.answered {
		f.mu.Unlock()
		return false
	}
	f.value = v
	f.finish(err)
	return true
}

// Reject completes the future with an error, which must not be nil. It reports whether it did, as Resolve does.
func (p *Promise[T]) Reject(err error) bool {
	if err == nil {
		panic("loop: Reject needs an error")
	}
	return p.future.fail(err)
}

// Complete calls fn and completes the future with what fn returns; with a [*PanicError] if it panics,
// and with [ErrGoexit] if it calls runtime.Goexit, which then goes on.
func (p *Promise[T]) Complete(fn func() (T, error)) {
	returned := false
	defer func() {
		switch r := recover(); {
		case r != nil:
			if err := Recovered(r); !p.Reject(err) && p.future.asker != nil {
				// Who waited has gone, but a panic is never nobody's business.
				p.future.asker.Report(&UnobservedError{What: p.future.String(), Err: err})
			}
		case !returned:
			p.Reject(ErrGoexit)
		}
	}()
	v, err := fn()
	returned = true
	p.Settle(v, err)
}

// ReportFailure says that it matters if the future fails, so that an [UnobservedError] is reported unless something looks at
// the error or waits for it, also without debug mode. It is for futures that stand for a function that runs on its own.
// It must be called before the promise is completed.
func (p *Promise[T]) ReportFailure() { p.future.matters = true }

// OnCancel has fn called when somebody cancels the future, instead of completing it at once:
// then it's for fn to see to it that the future is completed, now or later.
// It is called at most once, by the goroutine that cancels; another one may be completing the future at that moment.
// If the future is complete already, as it is when somebody has cancelled it before, fn is never called.
func (p *Promise[T]) OnCancel(fn func(cause error)) {
	f := &p.future
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.done.Load() {
		f.canceler = cancelFunc(fn)
	}
}

// A Canceler is told that nobody wants the result of a promise any more.
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
