package loop

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
)

// A Latch is the part of a [Future] that doesn't depend on the result's type: whether the future is
// done, its error, its name, and the waiters. Each Future embeds one. The zero Latch isn't for use
// on its own. Any goroutine may call its methods, except OnDone. It must not be copied.
type Latch struct {
	loop *Loop // the only loop that completes it; nil if any goroutine may. Set before use
	// done is set once, under mu, after the result; a goroutine that has seen it set may read the
	// result without mu.
	done atomic.Bool
	// asked is the number of a request among those of the asker, see AskedBy, and 0 if the promise
	// is no request. Set before use.
	asked uint32
	err   error
	// failure is reported if no code looks at err. It is set like err, and may be nil.
	failure *UnobservedError
	// asker is the loop that has asked for the result, if it isn't the loop above. It reports the
	// failure, if that matters. Set before use.
	asker *Loop

	mu        sync.Mutex // held for moments; a loop's mu may be taken inside, no other latch's
	watched   bool       // the loop knows that code outside waits
	cancelled bool       // the canceler has been called
	underWay  bool       // of a request, as are the next two
	certain   bool       // see Promise.Certain
	answered  bool       // the outcome is there, and the asker must publish it
	// matters says that a failure is reported even without debug mode. It isn't guarded by mu, but
	// set before the future is done.
	matters bool
	// first is the head of a circular list, in the order of subscription, or nil without waiters.
	first    *Waiter
	canceler Canceler
	name     *string
}

// Done reports whether the future is complete.
func (c *Latch) Done() bool { return c.done.Load() }

// Err returns the error that the future was completed with, or nil if it isn't done or has a value.
func (c *Latch) Err() error {
	if !c.done.Load() {
		return nil
	}
	if c.failure != nil {
		c.failure.observed.Store(true)
	}
	return c.err
}

// OnDone makes the loop call fn once the future is complete. Until then the loop expects to be
// called from outside, unless the promise is bound to this loop. OnDone must be called from that
// loop.
func (c *Latch) OnDone(l *Loop, fn func()) {
	s := &subscription{fn: fn}
	s.waiter.Notify(l, s)
	if c.Outside(l) {
		l.Bridge().Hold()
		s.held = l
	}
	if !c.Subscribe(&s.waiter) {
		l.Schedule(s)
	}
}

type subscription struct {
	waiter Waiter
	held   *Loop
	fn     func()
}

func (s *subscription) RunInLoop() {
	if s.held != nil {
		s.held.Bridge().Release()
	}
	s.fn()
}

// Cancel says that the result isn't wanted any more. The promise's owner decides what happens, see
// [Promise.OnCancel]. If there is no owner, the future is complete at once, with the cause as its
// error. A nil cause means context.Canceled. Cancel returns false if the future was already
// complete: then there is a result, and the caller must look at it or dispose of it.
func (c *Latch) Cancel(cause error) bool {
	if cause == nil {
		cause = context.Canceled
	}
	c.mu.Lock()
	if c.done.Load() {
		c.mu.Unlock()
		return false
	}
	if c.answered {
		c.finish(c.err)
		return false
	}
	owner, first := c.canceler, !c.cancelled
	c.cancelled = true
	if owner == nil {
		c.finish(cause)
		return true
	}
	c.mu.Unlock()
	if first {
		owner.CancelFuture(cause)
	}
	return true
}

// SetName names the future for dumps, which say that tasks wait for it.
func (c *Latch) SetName(name string) {
	c.mu.Lock()
	c.name = &name
	c.mu.Unlock()
}

// String returns the future's name, or the name of its [Canceler] if that is a fmt.Stringer, or
// else the kind of the future.
func (c *Latch) String() string {
	c.mu.Lock()
	name, owner := c.name, c.canceler
	c.mu.Unlock()
	return c.describe(name, owner)
}

func (c *Latch) describe(name *string, owner Canceler) string {
	if name != nil {
		return *name
	}
	if s, ok := owner.(fmt.Stringer); ok {
		return s.String()
	}
	if c.loop != nil {
		return "a future of the loop"
	}
	return "a future"
}

// Outside reports whether code outside the given loop may complete the future.
func (c *Latch) Outside(l *Loop) bool { return c.loop != l }

// A Waiter runs its Runnable when a future is done. It is for code that waits often and must not
// allocate for it; [Latch.OnDone] is the ordinary way. A Waiter waits for one future at a time.
type Waiter struct {
	told

	// The neighbours on the latch's list, guarded by its mu; nil while it isn't on one.
	next, prev *Waiter
}

// A told is a Runnable that a completion must run, and the loop in which it must run.
type told struct {
	loop *Loop
	run  Runnable
}

// Notify sets the Runnable, and the loop in which it is scheduled.
//
// Without a loop the goroutine that completes the future calls the Runnable, with the future
// locked: it must be quick, must not panic, and must not use this future.
func (w *Waiter) Notify(l *Loop, r Runnable) { w.told = told{l, r} }

// Subscribe makes the future notify the waiter once, when it is done. It returns false, and
// notifies nothing, if the future is already done.
//
// The waiter can be reused when its Runnable runs, when Unsubscribe has returned, or as soon as the
// future is seen to be done. In the last case its Runnable may still have to run.
func (c *Latch) Subscribe(w *Waiter) bool {
	if w.next != nil {
		panic("loop: a Waiter can't wait for two futures at a time")
	}
	c.mu.Lock()
	if c.done.Load() {
		c.mu.Unlock()
		return false
	}
	if c.loop != nil && c.loop != w.loop && !c.watched {
		if !c.loop.watch(c) {
			c.finish(ErrClosed) // nothing else could complete it now
			return false
		}
		c.watched = true
	}
	if c.first == nil {
		c.first, w.next, w.prev = w, w, w
	} else {
		w.next, w.prev = c.first, c.first.prev
		w.prev.next, w.next.prev = w, w
	}
	c.mu.Unlock()
	return true
}

// Unsubscribe removes a waiter. It returns false if the waiter was already notified: its Runnable
// has been scheduled, though it may not have run.
func (c *Latch) Unsubscribe(w *Waiter) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w.next == nil {
		return false
	}
	c.remove(w)
	return true
}

func (c *Latch) remove(w *Waiter) {
	if w.next == w {
		c.first = nil
	} else {
		w.prev.next, w.next.prev = w.next, w.prev
		if c.first == w {
			c.first = w.next
		}
	}
	w.next, w.prev = nil, nil
}

func (c *Latch) fail(err error) bool {
	c.mu.Lock()
	if c.done.Load() || c.answered {
		c.mu.Unlock()
		return false
	}
	c.finish(err)
	return true
}

// finish completes the future and notifies the waiters. It is called with mu held, and releases it.
//
// A waiter is off the list before any code can see that the future is done, so code that sees it
// may reuse the waiter. finish notifies waiters with mu held, so that Unsubscribe returns false
// only when the Runnable is on its way.
//
// A request of a loop with a chooser is completed in two steps. The first gives the outcome to the
// loop. The second, publish, belongs to the loop. In between no other code can see or change the
// outcome.
func (c *Latch) finish(err error) {
	if c.asked != 0 && !c.answered {
		c.err = err
		if c.asker.answer(c) {
			c.mu.Unlock()
			return
		}
	}
	var few [4]told // most often they are one or none
	all := few[:0]
	for w := c.first; w != nil; w = c.first {
		c.remove(w)
		all = append(all, w.told)
	}
	reporter := c.loop
	if c.asker != nil && c.matters {
		reporter = c.asker
	}
	dropped := c.cancelled && c.canceler == nil // the canceling code knows
	if err != nil && !dropped && (reporter != nil || c.matters) {
		if c.failure = reporter.unobserved(err, c.matters && len(all) == 0); c.failure != nil {
			c.failure.What = c.describe(c.name, c.canceler)
		}
	}
	c.err = err
	c.canceler = nil
	c.done.Store(true)
	for _, t := range all {
		if t.loop != nil {
			t.loop.Schedule(t.run)
		} else {
			t.run.RunInLoop()
		}
	}
	if c.underWay { // only after the loop has been told
		c.underWay = false
		c.asker.countRequest(false, c.certain)
	}
	watched, failure := c.watched, c.failure
	c.mu.Unlock()
	if watched {
		c.loop.unwatch(c)
	}
	if failure != nil {
		reporter.keep(c, failure)
	}
}

// publish completes a future whose outcome the loop has been given.
func (c *Latch) publish() {
	c.mu.Lock()
	if c.done.Load() { // a cancel has completed it
		c.mu.Unlock()
		return
	}
	c.finish(c.err)
}

// Wait blocks the calling goroutine until the future is done, and returns nil whatever the result
// is. If the context ends first, Wait cancels the future and returns the error of [ContextError].
// If both happen at once, the future wins, so that no result is lost. But if the context has ended
// before the call, the context wins. See [Future.Wait] for where it may be called.
func (c *Latch) Wait(ctx context.Context) error {
	if err := ContextError(ctx); err != nil {
		c.Cancel(err)
		return err
	}
	if c.Done() {
		return nil
	}
	done := make(signal)
	w := Waiter{told: told{run: done}}
	if !c.Subscribe(&w) {
		return nil
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		c.Unsubscribe(&w)
		if err := ContextError(ctx); c.Cancel(err) {
			return err
		}
		return nil
	}
}

type signal chan struct{}

func (s signal) RunInLoop() { close(s) }
