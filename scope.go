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

// A scope is the context of a task, a group or a Run. It is a context.Context that costs next to
// nothing until code asks for its channel or derives from it: then it makes an ordinary context.
// Scopes know the scopes below them, and cancel them without the help of goroutines.
//
// The end of a scope above ends this one before the code that caused it goes on. Err checks two
// exceptions: an ordinary context at the top, whose end package context reports in another
// goroutine, and deadlines that a busy loop hasn't noticed. The depth of a scope doesn't matter.
//
// Its methods may be called from any goroutine.
type scope struct {
	up   *scope // the parent if that is a scope, else nil; set before use
	root *root  // set before use
	// expiry is the first time at which this scope, or one above, ends by itself; nil if none does.
	// Set before use.
	expiry *expiry
	end    atomic.Pointer[scopeEnd]
	std    atomic.Pointer[stdContext]

	mu sync.Mutex // held for moments, never together with another scope's
	// owner is told, in any goroutine, once the scope has ended, unless that was by release. It may be
	// nil.
	owner    *loop.Waiter
	children *scope // the head of a circular list
	// Neighbours in the list of the scope above, guarded by its mu; nil while it isn't on it.
	next, prev *scope
}

// A root is what a scope and all those below it have in common: the highest of them, whose parent
// isn't a scope.
type root struct {
	scope  *scope
	parent context.Context
	stop   func() bool // ends the watch over the parent; nil if the parent can't end
}

type scopeEnd struct{ err, cause error }

type stdContext struct {
	context.Context
	cancel context.CancelCauseFunc
	// trigger is the context's parent if the scope's own parent can't be, because the two may end
	// differently; else nil.
	trigger *trigger
}

// init makes s a scope below parent. The runner is the caller's, or nil if the caller has none.
func (s *scope) init(parent context.Context, owner *loop.Waiter, h *runner) {
	if !s.initBelow(parent, owner, h) {
		s.initRoot(new(root), parent, h)
	}
}

// initBelow is init for a parent that is a scope. If it isn't one, initBelow returns false and leaves
// the rest to initRoot.
func (s *scope) initBelow(parent context.Context, owner *loop.Waiter, h *runner) bool {
	s.owner = owner
	if s.up, _ = parent.(*scope); s.up == nil {
		return false
	}
	s.root = s.up.root
	if e := s.up.expiry; e != nil {
		s.inherit(e, h)
	}
	s.up.adopt(s)
	return true
}

func (s *scope) initRoot(r *root, parent context.Context, h *runner) {
	r.scope, r.parent = s, parent
	s.root = r
	if parent.Done() != nil {
		r.stop = h.afterFunc(parent, s.followParent)
	}
}

// inherit makes the scope end with the expiry of a scope above.
func (s *scope) inherit(e *expiry, h *runner) {
	switch {
	case s.expiry == nil:
		s.expiry = e
	case e.sameClock(h): // then this one comes later
		s.expiry.above = e.above
	default:
		s.expiry.above = e
	}
	for ; e != nil; e = e.above {
		if e.runner != h {
			e.back() // a loop that this runner knows nothing about
		}
	}
}

// parent returns the scope above, or else the context on which the root stands.
func (s *scope) parent() context.Context {
	if s.up != nil {
		return s.up
	}
	return s.root.parent
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

// parentEnd returns how the parent has ended, or nil if it hasn't. It must be called without mu,
// because a scope above may notice only now that it has ended, and then ends the scopes below.
func (s *scope) parentEnd() *scopeEnd {
	if up := s.up; up != nil {
		if up.Err() == nil {
			return nil
		}
		return up.end.Load()
	}
	return endOf(s.root.parent)
}

// cancel ends the scope and all scopes below. They have ended when it returns. A nil cause stands
// for err. Only the first end counts. If the parent has ended, its end is the first, even if the
// news is still on its way.
func (s *scope) cancel(err, cause error) {
	if cause == nil {
		cause = err
	}
	if s.end.Load() == nil {
		above := s.parentEnd()
		if above != nil {
			err, cause = above.err, above.cause
		}
		s.finish(&scopeEnd{err, cause}, above == nil)
	}
	s.cascade()
}

// finish sets the end, unless there is one.
func (s *scope) finish(end *scopeEnd, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.end.Load() != nil {
		return
	}
	s.end.Store(end)
	if std := s.std.Load(); std != nil {
		switch {
		case std.trigger != nil:
			std.trigger.fire(end.err, end.cause)
		case first: // otherwise the parent does this, with the right error
			std.cancel(end.cause)
		}
	}
}

// cascade ends all scopes below one that has ended, and tells the owners, those of the lowest
// scopes first. Several goroutines may run it at once: each goes on until all scopes have ended.
// Its use of the stack doesn't grow with the depth of the scopes.
func (s *scope) cascade() {
	for at := s; ; {
		at.mu.Lock()
		child := at.children
		at.mu.Unlock()
		if child != nil {
			child.finish(at.end.Load(), false)
			at = child
			continue
		}
		at.tell()
		if at == s {
			return
		}
		up := at.up
		up.mu.Lock()
		up.disown(at)
		up.mu.Unlock()
		at = up
	}
}

// tell tells the owner of the end, once.
func (s *scope) tell() {
	s.mu.Lock()
	owner := s.owner
	s.owner = nil
	s.mu.Unlock()
	if owner != nil {
		owner.Tell()
	}
}

// ended is the end of a scope that was released.
var ended = &scopeEnd{context.Canceled, errEnded}

// release ends the scope because its task, group or Run has ended. It also detaches the scope from
// the parent.
func (s *scope) release() {
	if s.up == nil && s.root.stop != nil {
		s.root.stop()
	}
	if s.expires() {
		s.expiry.stop()
	}
	if up := s.up; up != nil {
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
		std.cancel(errEnded) // even if the parent was to do it
	}
}

// Err implements context.Context.
func (s *scope) Err() error {
	end := s.end.Load()
	if end == nil {
		if !s.endsUnnoticed() {
			return nil
		}
		end = s.end.Load()
	}
	return end.err
}

// endsUnnoticed ends the scope if it should have ended but hasn't been told. It reports whether it
// did.
func (s *scope) endsUnnoticed() bool {
	for e := s.expiry; e != nil; e = e.above {
		if e.overdue() {
			e.of.expire()
			return true
		}
	}
	if top := s.root; top.stop != nil && top.parent.Err() != nil {
		top.scope.followParent()
		return true
	}
	return false
}

// endOf returns how a context has ended, or nil if it hasn't.
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
	at, ok := s.root.parent.Deadline()
	for e := s.expiry; e != nil; e = e.above {
		if e.real && (!ok || e.at.Before(at)) {
			at, ok = e.at, true
		}
	}
	return at, ok
}

// Done implements context.Context.
func (s *scope) Done() <-chan struct{} { return s.standard().Done() }

// Value implements context.Context. Package context finds an ordinary context through it,
// so that contexts can be derived from a scope, and context.Cause works, as usual.
func (s *scope) Value(key any) any {
	switch {
	case key == (scopeKey{}):
		return s
	case key != cancelKey && cancelKey != nil:
		return s.root.parent.Value(key) // scopes have no values of their own
	}
	if s.end.Load() != nil {
		// The ordinary context may be about to end just now, in another goroutine, here or in a
		// parent's. Until it has, context.Cause wouldn't find the cause.
		std := s.standard()
		<-std.Done()
		return std.Value(key)
	}
	for ; ; s = s.up {
		if std := s.std.Load(); std != nil {
			return std.Value(key)
		}
		if s.up == nil {
			return s.root.parent.Value(key)
		}
	}
}

// cancelKey is the key by which package context asks for an ordinary context. It is nil if package
// context has another way.
var cancelKey = func() any {
	asked := &keyCatcher{Context: context.Background()}
	_ = context.Cause(asked)
	return asked.key
}()

// A keyCatcher is a context that has ended, and remembers the key that it was asked for.
type keyCatcher struct {
	context.Context
	key any
}

func (c *keyCatcher) Err() error { return context.Canceled }

func (c *keyCatcher) Value(key any) any {
	c.key = key
	return nil
}

// standard returns the ordinary context that stands for this scope, and makes it if there is none.
func (s *scope) standard() context.Context {
	if std := s.std.Load(); std != nil {
		return std.Context
	}
	// Make those of the scopes above first, the highest before all others. Package context asks for
	// them, and this keeps its recursion flat.
	var missing []*scope
	for at := s; ; at = at.up {
		missing = append(missing, at)
		if up := at.up; up == nil || up.std.Load() != nil || at.expires() || at.end.Load() != nil {
			break
		}
	}
	for i := len(missing) - 1; i > 0; i-- {
		missing[i].make()
	}
	return s.make()
}

// make makes the ordinary context, unless there is one.
func (s *scope) make() context.Context {
	for {
		if std := s.std.Load(); std != nil {
			return std.Context
		}
		// This runs without mu: package context looks at the parent, which may notice only now that
		// it has ended.
		std := new(stdContext)
		base, end := s.parent(), s.end.Load()
		if s.expires() || end != nil {
			std.trigger = newTrigger(base)
			base = std.trigger
		}
		std.Context, std.cancel = context.WithCancelCause(base)
		if s.publish(std, end) {
			for e := s.expiry; e != nil; e = e.above {
				e.back()
			}
			return std.Context
		}
		std.cancel(nil)
	}
}

// publish makes std the ordinary context. The argument says how the scope had ended when std was
// made. It returns false if there is another ordinary context now, or if the scope has ended
// meanwhile.
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

// scopeOf returns the scope with which the context ends, if the context can't end in any other way.
// It returns nil if there is none.
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
