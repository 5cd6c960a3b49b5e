package repaint

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed1239206e/repaint/loop"
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
	above  *scope      // the parent, if that's a scope
	stop   func() bool // ends the watch over a parent that isn't a scope; set before use
	end    atomic.Pointer[scopeEnd]

	mu sync.Mutex // held for moments; a scope above may be locked inside, never one below
	// wake is scheduled in the loop once the scope has ended, unless that was by release.
	wake     loop.Runnable
	loop     *loop.Loop
	std      atomic.Pointer[stdContext]
	children *scope // a list
	// Neighbours in the list of the scope above, guarded by its mu.
	next, prev *scope
	listed     bool
}

type scopeEnd struct{ err, cause error }

type stdContext struct {
	context.Context
	cancel context.CancelCauseFunc
}

// init makes it a scope below parent. When it ends, wake is scheduled in the loop, if there is one.
func (s *scope) init(parent context.Context, l *loop.Loop, wake loop.Runnable) {
	s.parent, s.loop, s.wake = parent, l, wake
	if above, ok := parent.(*scope); ok {
		s.above = above
		above.adopt(s)
		return
	}
	if parent.Done() != nil {
		s.stop = context.AfterFunc(parent, s.followParent)
	}
}

func (s *scope) adopt(child *scope) {
	s.mu.Lock()
	end := s.end.Load()
	if end == nil {
		child.listed = true
		if child.next = s.children; child.next != nil {
			child.next.prev = child
		}
		s.children = child
	}
	s.mu.Unlock()
	if end != nil {
		child.cancel(end.err, end.cause)
	}
}

func (s *scope) followParent() { s.cancel(s.parent.Err(), context.Cause(s.parent)) }

// cancel ends the scope and all below it. A nil cause stands for err. Only the first end counts.
func (s *scope) cancel(err, cause error) {
	if cause == nil {
		cause = err
	}
	s.mu.Lock()
	if s.end.Load() != nil {
		s.mu.Unlock()
		return
	}
	s.end.Store(&scopeEnd{err, cause})
	if std := s.std.Load(); std != nil && s.parent.Err() == nil {
		// If the parent has ended it sees to it itself, with the right error.
		std.cancel(cause)
	}
	children := s.children
	s.children = nil
	for c := children; c != nil; c = c.next {
		c.listed = false
	}
	wake := s.wake
	s.mu.Unlock()
	for c := children; c != nil; {
		next := c.next
		c.next, c.prev = nil, nil
		c.cancel(err, cause)
		c = next
	}
	if wake != nil {
		s.loop.Schedule(wake)
	}
}

// release ends the scope because what it belonged to has ended, and lets go of the parent.
func (s *scope) release() {
	s.mu.Lock()
	s.wake = nil
	s.mu.Unlock()
	if s.stop != nil {
		s.stop()
	}
	if up := s.above; up != nil {
		up.mu.Lock()
		if s.listed {
			s.listed = false
			if s.prev == nil {
				up.children = s.next
			} else {
				s.prev.next = s.next
			}
			if s.next != nil {
				s.next.prev = s.prev
			}
			s.next, s.prev = nil, nil
		}
		up.mu.Unlock()
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
		switch {
		case s.above != nil:
			if s.above.Err() == nil {
				return nil
			}
			up := s.above.end.Load()
			s.cancel(up.err, up.cause)
		case s.stop != nil && s.parent.Err() != nil:
			s.followParent()
		default:
			return nil
		}
		e = s.end.Load()
	}
	return e.err
}

// Deadline implements context.Context.
func (s *scope) Deadline() (time.Time, bool) { return s.parent.Deadline() }

// Done implements context.Context.
func (s *scope) Done() <-chan struct{} { return s.standard().Done() }

// Value implements context.Context. Package context finds an ordinary context through it,
// so that contexts can be derived from a scope, and context.Cause works, as usual.
func (s *scope) Value(key any) any {
	if std := s.std.Load(); std != nil {
		return std.Value(key)
	}
	if s.end.Load() != nil {
		return s.standard().Value(key)
	}
	return s.parent.Value(key)
}

// standard returns the ordinary context that stands for this one, making it if need be.
func (s *scope) standard() context.Context {
	if std := s.std.Load(); std != nil {
		return std.Context
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if std := s.std.Load(); std != nil {
		return std.Context
	}
	std := new(stdContext)
	std.Context, std.cancel = context.WithCancelCause(s.parent)
	if e := s.end.Load(); e != nil {
		std.cancel(e.cause)
	}
	s.std.Store(std)
	return std.Context
}

// watchChannel returns the channel of the ordinary context if there is one.
func (s *scope) watchChannel() <-chan struct{} {
	if std := s.std.Load(); std != nil {
		return std.Done()
	}
	return nil
}
