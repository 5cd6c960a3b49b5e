package repaint

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// errEnded is the cause with which the context of a task, a group or a Run ends when they do.
var errEnded = errors.New("repaint: what this context belonged to has ended")

// A scope is the context of a task, a group or a Run. It is a context.Context that costs next to nothing
// as long as nobody looks closely: an ordinary one is made when somebody asks for its channel, or derives from it.
// Scopes know the scopes below them, and cancel them without the help of goroutines.
//
// Its methods may be called from any goroutine.
type scope struct {
	parent context.Context
	stop   func() bool // ends the watch over a parent that isn't a scope; set before use
	expiry *expiry     // if it ends by itself at some time; set before use
	end    atomic.Pointer[scopeEnd]
	std    atomic.Pointer[stdContext]

	mu sync.Mutex // held for moments; a scope above may be locked inside, never one below
	// owner is told once the scope has ended, unless that was by release. It may be nil.
	owner    scopeOwner
	children *scope // the head of a circular list
	// Neighbours in the list of the scope above, guarded by its mu; nil while it isn't on it.
	next, prev *scope
}

// A scopeOwner is told, in any goroutine, that its scope has ended.
type scopeOwner interface{ scopeEnded() }

type scopeEnd struct{ err, cause error }

type stdContext struct {
	context.Context
	cancel context.CancelCauseFunc
	// trigger is the context's parent if the scope's own parent can't be, because the two may end differently; else nil.
	trigger *trigger
}

// init makes it a scope below parent. The host is that of the caller, nil if it has none.
func (s *scope) init(parent context.Context, owner scopeOwner, h *host) {
	s.parent, s.owner = parent, owner
	if above := s.above(); above != nil {
		above.adopt(s)
	} else if parent.Done() != nil {
		s.stop = h.afterFunc(parent, s.followParent)
	}
}

// above returns the parent if that's a scope.
func (s *scope) above() *scope {
	up, _ := s.parent.(*scope)
	return up
}

func (s *scope) adopt(child *scope) {
	s.mu.Lock()
	end := s.end.Load()
	if end == nil {
		if first := s.children; first == nil {
			s.children, child.next, child.prev = child, child, child
		} else {
			child.next, child.prev = first, first.prev
			child.prev.next, child.next.prev = child, child
		}
	}
	s.mu.Unlock()
	if end != nil {
		child.cancel(end.err, end.cause)
	}
}

// disown takes a child off the list, if it is on it. It must be called with mu held.
func (s *scope) disown(child *scope) {
	if child.next == nil {
		return
	}
	if child.next == child {
		s.children = nil
	} else {
		child.prev.next, child.next.prev = child.next, child.prev
		if s.children == child {
			s.children = child.next
		}
	}
	child.next, child.prev = nil, nil
}

// followParent is called when the parent has ended.
func (s *scope) followParent() { s.cancel(context.Canceled, nil) }

// parentEnd returns how the parent has ended, nil if it hasn't. It must be called without mu,
// because a scope above may notice only now that it has ended, and end those below.
func (s *scope) parentEnd() *scopeEnd {
	if up := s.above(); up != nil {
		if up.Err() == nil {
			return nil
		}
		return up.end.Load()
	}
	return endOf(s.parent)
}

// cancel ends the scope and all below it. A nil cause stands for err. Only the first end counts,
// and if the parent has ended, though the news may still be on its way, that is the first.
func (s *scope) cancel(err, cause error) {
	if cause == nil {
		cause = err
	}
	if s.end.Load() != nil {
		return
	}
	above := s.parentEnd()
	if above != nil {
		err, cause = above.err, above.cause
	}
	s.mu.Lock()
	if s.end.Load() != nil {
		s.mu.Unlock()
		return
	}
	s.end.Store(&scopeEnd{err, cause})
	if std := s.std.Load(); std != nil {
		switch {
		case std.trigger != nil:
			std.trigger.fire(err, cause)
		case above == nil: // or else the parent sees to it, with the right error
			std.cancel(cause)
		}
	}
	owner := s.owner
	s.mu.Unlock()
	for {
		s.mu.Lock()
		child := s.children
		if child != nil {
			s.disown(child)
		}
		s.mu.Unlock()
		if child == nil {
			break
		}
		child.cancel(err, cause)
	}
	if owner != nil {
		owner.scopeEnded()
	}
}

// ended is the end of a scope that was released.
var ended = &scopeEnd{context.Canceled, errEnded}

// release ends the scope because what it belonged to has ended, and lets go of the parent.
func (s *scope) release() {
	if s.stop != nil {
		s.stop()
	}
	if s.expiry != nil {
		s.expiry.stop()
	}
	if up := s.above(); up != nil {
		up.mu.Lock()
		up.disown(s)
		up.mu.Unlock()
	}
	s.mu.Lock()
	s.owner = nil
	simple := s.end.Load() == nil && s.children == nil && s.std.Load() == nil
	if simple {
		s.end.Store(ended)
	}
	s.mu.Unlock()
	if simple {
		return
	}
	s.cancel(context.Canceled, errEnded)
	if std := s.std.Load(); std != nil {
		std.cancel(errEnded) // also if the parent was to do it
	}
}

// Err implements context.Context.
func (s *scope) Err() error {
	e := s.end.Load()
	if e == nil {
		// A parent's end may be on its way here, in another goroutine. It counts from now.
		switch up := s.above(); {
		case s.expiry != nil && s.expiry.overdue():
			s.expire()
		case up != nil:
			if up.Err() == nil {
				return nil
			}
			s.followParent()
		case s.stop != nil && s.parent.Err() != nil:
			s.followParent()
		default:
			return nil
		}
		e = s.end.Load()
	}
	return e.err
}

// endOf returns how a context has ended, nil if it hasn't.
func endOf(ctx context.Context) *scopeEnd {
	if err := ctx.Err(); err != nil {
		return &scopeEnd{err, context.Cause(ctx)}
	}
	return nil
}

// endedWith reports whether the scope has ended and err says so.
func (s *scope) endedWith(err error) bool {
	e := s.end.Load()
	return e != nil && errors.Is(err, e.err)
}

// Deadline implements context.Context.
func (s *scope) Deadline() (time.Time, bool) {
	at, ok := s.parent.Deadline()
	if e := s.expiry; e != nil && e.real && (!ok || e.at.Before(at)) {
		return e.at, true
	}
	return at, ok
}

// Done implements context.Context.
func (s *scope) Done() <-chan struct{} { return s.standard().Done() }

// Value implements context.Context. Package context finds an ordinary context through it,
// so that contexts can be derived from a scope, and context.Cause works, as usual.
func (s *scope) Value(key any) any {
	if key == (scopeKey{}) {
		return s
	}
	if s.end.Load() != nil {
		// The ordinary context may be about to end just now, in another goroutine, here or in a parent's.
		// Until it has, context.Cause wouldn't find the cause.
		std := s.standard()
		<-std.Done()
		return std.Value(key)
	}
	if std := s.std.Load(); std != nil {
		return std.Value(key)
	}
	return s.parent.Value(key)
}

// standard returns the ordinary context that stands for this one, making it if need be.
func (s *scope) standard() context.Context {
	if std := s.std.Load(); std != nil {
		return std.Context
	}
	for {
		// Without mu: package context looks at the parent, and that may notice only now that it has ended.
		std := new(stdContext)
		base, end := s.parent, s.end.Load()
		if s.expiry != nil || end != nil {
			std.trigger = newTrigger(s.parent)
			base = std.trigger
		}
		std.Context, std.cancel = context.WithCancelCause(base)
		if s.publish(std, end) {
			if s.expiry != nil && end == nil {
				s.expiry.back(s)
			}
			return std.Context
		}
		std.cancel(nil)
		if other := s.std.Load(); other != nil {
			return other.Context
		}
	}
}

// publish makes std the ordinary context, which was made when the end was what the argument says.
// It returns false if there is one by now, or if the scope has ended meanwhile.
func (s *scope) publish(std *stdContext, end *scopeEnd) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.std.Load() != nil || s.end.Load() != end {
		return false
	}
	if end != nil {
		std.trigger.fire(end.err, end.cause)
	}
	s.std.Store(std)
	return true
}

// scopeKey is a context key: the value is the innermost scope.
type scopeKey struct{}

// scopeOf returns the scope with which, and only with which, the context ends; nil if there is none.
func scopeOf(ctx context.Context) *scope {
	if s, ok := ctx.(*scope); ok {
		return s
	}
	s, _ := ctx.Value(scopeKey{}).(*scope)
	if s == nil || ctx.Done() != s.Done() {
		return nil
	}
	return s
}
