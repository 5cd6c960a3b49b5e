package repaint

import (
	"context"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/loop"
)

// Await returns the future's result, and waits until there is one. How it waits depends on the
// caller:
//
//   - A task is suspended: only its greenlet waits, and all others go on. It is SQLAlchemy's
//     await_only. It may be called at any depth, below functions and libraries that know nothing
//     about it, and in greenlets that the task has made itself.
//   - The main function of a [Run] runs the loop meanwhile.
//   - A plain goroutine blocks, even one that a task has started.
//   - A loop's callback can't wait, and gets [ErrInCallback].
//
// If the context has ended, or ends before the future is done, Await cancels the future and returns
// the context's cause: errors.Is reports true for it with context.Cause(ctx) and with ctx.Err().
// Each Await with such a context does so, so a function that ignores the first error gets another
// one. Clean-up uses context.WithoutCancel(ctx).
//
// Await also returns the future's own error; [loop.ErrClosed] if the future's loop has ended
// without completing it; and in a main function a [*DeadlockError]. If the future has failed with a
// [*loop.PanicError], Await panics with it.
//
// Await may be called from any goroutine.
func Await[T any](ctx context.Context, f loop.Awaitable[T]) (T, error) {
	future := f.AsFuture()
	if ctx.Err() != nil || !future.Done() {
		t, g, err := waitHere(ctx, &future.Latch)
		if t != nil {
			err = t.await(ctx, g, &future.Latch)
		}
		if err != nil {
			var none T
			return none, err
		}
	}
	return result(future)
}

// AwaitOnly is [Await] for code that must not block: outside a task it neither waits nor touches
// the future, but returns [ErrNoGreenlet].
func AwaitOnly[T any](ctx context.Context, f loop.Awaitable[T]) (T, error) {
	if !InGreenlet() {
		var none T
		return none, misplaced(ErrNoGreenlet, "AwaitOnly",
			"outside of a task, where it would block: run the calling function with repaint.Spawn, or call repaint.Await, which waits anywhere")
	}
	return Await(ctx, f)
}

func result[T any](f *loop.Future[T]) (T, error) {
	v, err := f.Result()
	if err != nil {
		if p, ok := err.(*loop.PanicError); ok {
			panic(p)
		}
	}
	return v, err
}

func wait(ctx context.Context, c *loop.Latch) error {
	t, g, err := waitHere(ctx, c)
	if t != nil {
		return t.await(ctx, g, c)
	}
	return err
}

// waitHere waits if the caller isn't in a task. Otherwise it returns the task and the greenlet that
// must wait. It is a function of its own, so that finding these out takes no room on a suspended
// task's stack.
//
//go:noinline
func waitHere(ctx context.Context, c *loop.Latch) (*task, *greenlet.Greenlet, error) {
	if err := loop.ContextError(ctx); err != nil {
		c.Cancel(err)
		return nil, nil, err
	}
	h, g := here()
	switch {
	case h == nil:
		return nil, nil, c.Wait(ctx)
	case h.current != nil:
		return h.current, g, nil
	}
	return nil, nil, h.drive(ctx, "Await", g, c)
}

// abandon cancels the future because the context has ended, and returns the context's error. It
// returns nil if the future was done just before, so that its result isn't lost.
func abandon(ctx context.Context, c *loop.Latch) error {
	err := loop.ContextError(ctx)
	if !c.Cancel(err) {
		return nil
	}
	return err
}

// UntilDone waits until the context ends, and returns its cause. The main function of a server
// calls it to wait for the signal to stop. The wait takes as long as necessary and is never part of
// a deadlock; see [DeadlockError].
func UntilDone(ctx context.Context) error {
	ended := loop.NewPromise[struct{}](nil)
	ended.Future().SetName("the end of a context")
	stop := context.AfterFunc(ctx, func() { ended.Resolve(struct{}{}) })
	defer stop()
	if _, err := Await(context.WithoutCancel(ctx), ended.Future()); err != nil {
		return err
	}
	return loop.ContextError(ctx)
}
