package repaint

import (
	"context"
	"sync"
	"time"
)

// WithTimeout is context.WithTimeout on the clock of the calling loop: with a virtual clock no real
// time passes before the context ends. In a plain goroutine it is context.WithTimeout.
//
// A context on a virtual clock has no Deadline of its own, because code outside the loop couldn't
// interpret it. Like every context it may be used, and cancelled, from any goroutine.
func WithTimeout(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	h, _ := here()
	if h == nil {
		return context.WithTimeout(ctx, d)
	}
	return h.withDeadline(ctx, h.loop.Now().Add(d))
}

// WithDeadline is [WithTimeout] with a time on the loop's clock instead of a duration.
func WithDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	h, _ := here()
	if h == nil {
		return context.WithDeadline(ctx, at)
	}
	return h.withDeadline(ctx, at)
}

func (h *runner) withDeadline(ctx context.Context, at time.Time) (context.Context, context.CancelFunc) {
	s := new(scope)
	if !h.endsBefore(ctx, at) {
		s.expiry = &expiry{of: s, runner: h, at: at, real: !h.loop.Virtual()}
	}
	s.init(ctx, nil, h)
	if e := s.expiry; s.expires() {
		timer := h.loop.CallAt(at, s.expire)
		e.unset = func() {
			if here, _ := here(); here == h {
				timer.Stop()
			} else {
				h.loop.Post(func() { timer.Stop() })
			}
		}
		if at.Compare(h.loop.Now()) <= 0 {
			s.expire()
		}
	}
	return s, func() {
		s.cancel(context.Canceled, nil)
		s.release()
	}
}

// endsBefore reports whether a scope ends by itself at the given moment of this runner's clock, if
// not before.
func (h *runner) endsBefore(ctx context.Context, at time.Time) bool {
	s, ok := ctx.(*scope)
	if !ok {
		return false
	}
	for e := s.expiry; e != nil; e = e.above {
		if e.sameClock(h) && !at.Before(e.at) {
			return true
		}
	}
	return false
}

// An expiry says when a scope ends by itself.
type expiry struct {
	of     *scope
	runner *runner
	at     time.Time
	real   bool   // at is a moment of the real clock
	unset  func() // gives up the loop's timer; may be called by any goroutine
	// above is another expiry of the scopes above that may come first: it is on another clock. Set
	// before use.
	above *expiry

	mu      sync.Mutex  // held for moments
	backup  *time.Timer // for those who wait for the channel, should the loop be busy at the time
	stopped bool
}

func (s *scope) expire() { s.cancel(context.DeadlineExceeded, nil) }

// expires reports whether the scope comes to an end by itself, and not by one above.
func (s *scope) expires() bool { return s.expiry != nil && s.expiry.of == s }

// sameClock reports whether the expiry uses the clock of a runner's loop.
func (e *expiry) sameClock(h *runner) bool { return e.runner == h || e.real && !h.loop.Virtual() }

// overdue reports whether the moment has passed, even if the loop hasn't noticed.
func (e *expiry) overdue() bool { return e.real && !time.Now().Before(e.at) }

// back makes the scope end in time even if its loop is busy or stands still.
func (e *expiry) back() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.real && !e.stopped && e.backup == nil {
		e.backup = time.AfterFunc(time.Until(e.at), e.of.expire)
	}
}

func (e *expiry) stop() {
	e.mu.Lock()
	stopped := e.stopped
	e.stopped = true
	if e.backup != nil {
		e.backup.Stop()
	}
	e.mu.Unlock()
	if !stopped {
		e.unset()
	}
}

// A trigger is a context that ends on request with any error. A context of package context ends
// with DeadlineExceeded only in real time. A trigger is the parent of one ordinary context, which
// package context connects to it through AfterFunc.
type trigger struct {
	context.Context // has the parent's values, and the cause once there is one
	setCause        context.CancelCauseFunc
	parent          context.Context
	done            chan struct{}

	mu   sync.Mutex
	err  error
	then func()
}

func newTrigger(parent context.Context) *trigger {
	t := &trigger{parent: parent, done: make(chan struct{})}
	t.Context, t.setCause = context.WithCancelCause(context.WithoutCancel(parent))
	return t
}

func (t *trigger) Deadline() (time.Time, bool) { return t.parent.Deadline() }

func (t *trigger) Done() <-chan struct{} { return t.done }

func (t *trigger) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// AfterFunc is the method that package context looks for.
func (t *trigger) AfterFunc(fn func()) (stop func() bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.then = fn
	return func() bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		was := t.then != nil
		t.then = nil
		return was
	}
}

func (t *trigger) fire(err, cause error) {
	t.mu.Lock()
	if t.err != nil {
		t.mu.Unlock()
		return
	}
	t.setCause(cause)
	t.err = err
	close(t.done)
	then := t.then
	t.then = nil
	t.mu.Unlock()
	if then != nil {
		then()
	}
}
