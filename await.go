package repaint

import (
	"context"
	"runtime"
	"time"

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

// Sleep waits for d on the loop's clock, or in real time in a plain goroutine. If d isn't positive,
// Sleep gives all other ready tasks a turn. If the context ends first, Sleep returns its cause, as
// [Await] does.
func Sleep(ctx context.Context, d time.Duration) error {
	if err := loop.ContextError(ctx); err != nil {
		return err
	}
	h, g := here()
	switch {
	case h == nil:
		return sleepBlocking(ctx, d)
	case h.current == nil:
		return h.sleep(ctx, g, d)
	case d <= 0:
		return h.current.yield(ctx, g)
	}
	return h.current.sleep(ctx, g, d)
}

// sleep is Sleep in the main function.
func (h *runner) sleep(ctx context.Context, g *greenlet.Greenlet, d time.Duration) error {
	if h.explorer != nil {
		return h.sleepInTurn(ctx, g, d)
	}
	p := loop.NewPromise[struct{}](h.loop)
	timer := h.loop.CallLater(d, func() { p.Resolve(struct{}{}) })
	defer timer.Stop()
	p.Future().SetName("a sleep")
	return h.drive(ctx, "Sleep", g, &p.Future().Latch)
}

func (t *task) sleep(ctx context.Context, g *greenlet.Greenlet, d time.Duration) error {
	s := (*sleeping)(t)
	s.set(d)
	defer s.unset()
	if err := t.suspend(ctx, g, s); err != nil || t.rung {
		return err
	}
	return loop.ContextError(ctx)
}

// A sleeping task waits for its alarm. It has one alarm for all its sleeps.
type sleeping task

func (s *sleeping) Done() bool     { return s.rung }
func (s *sleeping) String() string { return "a sleep" }

//go:noinline
func (s *sleeping) set(d time.Duration) {
	s.rung = false
	more := (*task)(s).details()
	if more.alarm == nil {
		more.alarm = s.runner.loop.ScheduleLater(d, s)
	} else {
		more.alarm.Reset(d)
	}
}

//go:noinline
func (s *sleeping) unset() {
	(*task)(s).unwound()
	s.more.alarm.Stop()
}

// RunInLoop resumes the task when the time is over.
func (s *sleeping) RunInLoop() {
	s.rung = true
	(*task)(s).RunInLoop()
}

// yield is a sleep without a duration.
func (t *task) yield(ctx context.Context, g *greenlet.Greenlet) error {
	y := (*yielding)(t)
	t.yields++
	t.runner.loop.Schedule(y)
	defer t.unwound()
	if err := t.suspend(ctx, g, y); err != nil || y.Done() {
		return err
	}
	return loop.ContextError(ctx)
}

// A yielding task has given up its turn and waits for the next one.
type yielding task

// Done reports that all turns have come. It can be more than one that is waited for: a yield can be
// left before its turn has come.
func (y *yielding) Done() bool     { return y.yields == y.turns }
func (y *yielding) String() string { return "its next turn" }

// RunInLoop resumes the task when its turn has come.
func (y *yielding) RunInLoop() {
	y.turns++
	(*task)(y).RunInLoop()
}

func sleepBlocking(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		runtime.Gosched()
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return loop.ContextError(ctx)
	}
}

// Block calls fn, which may block. In a plain goroutine Block calls it directly. In a loop fn runs
// in another goroutine, while the calling task, or the main function, waits as in [Await].
//
// Block returns when fn has returned, even if the context ends meanwhile: fn gets the context, and
// should then return soon. So the caller never uses fn's data while fn still does. If the context
// ends before fn has begun, fn isn't called. If fn ran in another goroutine, a panic in fn is
// raised in the caller as a [*loop.PanicError], and a runtime.Goexit continues in the caller.
func Block[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (T, error) {
	h, _ := here()
	if h == nil {
		return fn(ctx)
	}
	var none T
	if err := loop.ContextError(ctx); err != nil {
		return none, err
	}
	if h.current == nil && h.inCallback() {
		return none, misplaced(ErrInCallback, "Block", "by a callback: spawn a task that calls it, or use loop.Offload")
	}
	f := loop.OffloadJoined(h.loop, func() (T, error) { return fn(ctx) })
	if err := wait(ctx, &f.Latch); err != nil {
		if err := wait(context.Background(), &f.Latch); err != nil {
			return none, err
		}
	}
	v, err := result(f)
	if err == loop.ErrGoexit {
		runtime.Goexit()
	}
	return v, err
}
