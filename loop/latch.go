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

	watched   bool // the loop knows that code outside waits; guarded by mu
	cancelled bool // the canceler has been called; guarded by mu
	// matters says that a failure is reported even without debug mode. It isn't guarded by mu, but
	// set before the future is done.
	matters bool

	err error // an *unlooked if it is reported unless code looks at it

	mu sync.Mutex // held for moments; a loop's mu may be taken inside, no other latch's
	// first is the head of a circular list, in the order of subscription, or nil without waiters.
	first *Waiter
	// canceler is the owner, a *named if the future has a name, or nil.
	canceler Canceler
	request  *request // nil for a promise that is none; set before use
}

// A named is a name in the place of the owner, which it contains and which may be nil. Both are
// guarded by the latch's mu.
type named struct {
	name  string
	owner Canceler
}

// CancelFuture implements [Canceler].
func (n *named) CancelFuture(cause error) { n.owner.CancelFuture(cause) }

// An unlooked is an error at which no code may look. It has a report about that.
type unlooked UnobservedError

// Error is the failure's text: no code outside of the latch sees this type.
func (u *unlooked) Error() string { return u.Err.Error() }

// owner returns the canceler, or nil. It must be called with mu held.
func (c *Latch) owner() Canceler {
	if n, ok := c.canceler.(*named); ok {
		return n.owner
	}
	return c.canceler
}

// setOwner must be called with mu held.
func (c *Latch) setOwner(owner Canceler) {
	if n, ok := c.canceler.(*named); ok {
		n.owner = owner
	} else {
		c.canceler = owner
	}
}

// Done reports whether the future is complete.
func (c *Latch) Done() bool { return c.done.Load() }

// Err returns the error that the future was completed with, or nil if it isn't done or has a value.
func (c *Latch) Err() error {
	if !c.done.Load() {
		return nil
	}
	if u, ok := c.err.(*unlooked); ok {
		u.observed.Store(true)
		return u.Err
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
	if c.request.isAnswered() {
		c.finish(c.err)
		return false
	}
	owner, first := c.owner(), !c.cancelled
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
	defer c.mu.Unlock()
	c.canceler = &named{name, c.owner()}
}

// String returns the future's name, or the name of its [Canceler] if that is a fmt.Stringer, or
// else the kind of the future.
func (c *Latch) String() string {
	c.mu.Lock()
	owner := c.canceler
	c.mu.Unlock()
	return c.describe(owner)
}

func (c *Latch) describe(owner Canceler) string {
	if n, ok := owner.(*named); ok {
		return n.name
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

func (t told) tell() {
	if t.loop != nil {
		t.loop.Schedule(t.run)
	} else {
		t.run.RunInLoop()
	}
}

// Notify sets the Runnable, and the loop in which it is scheduled.
//
// Without a loop the goroutine that completes the future calls the Runnable, with the future
// locked: it must be quick, must not panic, and must not use this future.
func (w *Waiter) Notify(l *Loop, r Runnable) { w.told = told{l, r} }

// Tell does what a future does for its waiters when it is done: it schedules the Runnable, or calls
// it if there is no loop. Any goroutine may call it.
func (w *Waiter) Tell() { w.tell() }

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
	if c.done.Load() || c.request.isAnswered() {
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
	if c.request != nil && c.request.number != 0 && !c.request.answered {
		c.err = err
		if c.request.asker.answer(c) {
			c.mu.Unlock()
			return
		}
	}
	var first told
	if w := c.first; w != nil {
		first = w.told
		c.remove(w)
	}
	if c.first != nil {
		c.finishForMany(err, first)
	} else {
		c.conclude(err, first, nil)
	}
}

// finishForMany is the rest of finish where there is more than one waiter, which is rare: its frame
// is large.
//
//go:noinline
func (c *Latch) finishForMany(err error, first told) {
	var few [4]told
	others := few[:0]
	for w := c.first; w != nil; w = c.first {
		others = append(others, w.told)
		c.remove(w)
	}
	c.conclude(err, first, others)
}

// conclude completes the future, whose waiters were taken off the list, and tells them. It is called
// with mu held, and releases it.
func (c *Latch) conclude(err error, first told, others []told) {
	var failure *UnobservedError
	c.err = err
	if err != nil {
		if failure = c.unobserved(err, first.run != nil); failure != nil {
			c.err = (*unlooked)(failure)
		}
	}
	c.setOwner(nil)
	c.done.Store(true)
	if first.run != nil {
		first.tell()
		for _, t := range others {
			t.tell()
		}
	}
	if c.request != nil { // only after the loop has been told
		c.request.over()
	}
	watched := c.watched
	c.mu.Unlock()
	if watched {
		c.loop.unwatch(c)
	}
	if failure != nil {
		c.reporter().keep(c, failure)
	}
}

// unobserved returns the report of a failure, if no code looks at it, or nil if it needs none. It
// must be called with mu held.
func (c *Latch) unobserved(err error, awaited bool) *UnobservedError {
	dropped := c.cancelled && c.owner() == nil // the canceling code knows
	reporter := c.reporter()
	if dropped || reporter == nil && !c.matters {
		return nil
	}
	failure := reporter.unobserved(err, c.matters && !awaited)
	if failure != nil {
		failure.What = c.describe(c.canceler)
	}
	return failure
}

// reporter returns the loop that reports a failure, or nil if there is none.
func (c *Latch) reporter() *Loop {
	if c.request != nil && c.matters {
		return c.request.asker
	}
	return c.loop
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
