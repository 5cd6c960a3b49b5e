package repaint

import (
	"context"

	"github.com/seed1239206e/repaint/loop"
)

// A contextWatch reports the end of a context during a wait. Most contexts have only one wait and
// then end. So the watch ends with the wait; otherwise the context's end would start a goroutine
// and wake the loop in vain. But the watch remembers the context, and from its second wait in a row
// on the context stays watched.
type contextWatch struct {
	scope *scope          // the context, if it is one
	done  <-chan struct{} // its channel, if it isn't
	// One of these two tells the owner. Both are nil while no context is watched. A scope tells the
	// owner without the help of another goroutine.
	watched *scope
	unset   func() bool
	stays   bool // it goes on after a wait
}

// over makes the watch report the end of ctx to the owner, unless ctx ends only with own, of whose
// end the owner learns anyway.
func (w *contextWatch) over(ctx context.Context, own *scope, owner *loop.Waiter, h *runner) {
	s, ok := ctx.(*scope)
	if ok {
		if s == own {
			return
		}
		if w.know(s, nil) {
			return
		}
	} else {
		done := ctx.Done()
		if done == nil || w.know(nil, done) {
			return
		}
		if s = scopeOf(ctx); s == own {
			return
		}
	}
	if s != nil {
		w.watched = new(scope)
		w.watched.init(s, owner, h)
	} else {
		w.unset = h.afterFunc(ctx, owner.Tell)
	}
}

// know reports whether the watch reports that context's end already. If not, it remembers the
// context.
func (w *contextWatch) know(s *scope, done <-chan struct{}) bool {
	if s != w.scope || done != w.done {
		w.stop()
		w.scope, w.done = s, done
		return false
	}
	w.stays = true
	return w.watched != nil || w.unset != nil
}

// waited is called after a wait. It ends the watch unless the context stays watched.
func (w *contextWatch) waited() {
	if !w.stays {
		w.let()
	}
}

func (w *contextWatch) stop() {
	w.let()
	*w = contextWatch{}
}

// let ends the watch, but remembers the context.
func (w *contextWatch) let() {
	if w.watched != nil {
		w.watched.release()
		w.watched = nil
	}
	if w.unset != nil {
		w.unset()
		w.unset = nil
	}
}
