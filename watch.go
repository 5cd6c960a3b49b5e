package repaint

import "context"

// A contextWatch reports the end of a context during a wait. It remembers the context: most have one
// wait, and then end, so the watch ends with the wait, or else that end would make a goroutine, and the
// loop look in vain. From its second wait in a row on a context stays watched.
type contextWatch struct {
	scope *scope          // the context, if it is one
	done  <-chan struct{} // its channel, if it isn't
	// One of these two is what tells the owner, and none does while nothing is watched. A scope does it
	// without the help of another goroutine.
	watched *scope
	unset   func() bool
	stays   bool // also after a wait
}

// over makes the watch one over ctx. The scope is one whose end the owner is told anyway.
func (w *contextWatch) over(ctx context.Context, own *scope, owner scopeOwner, h *runner) {
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
		w.unset = h.afterFunc(ctx, owner.scopeEnded)
	}
}

// know reports whether that context is being watched. If not, it is the one that will be.
func (w *contextWatch) know(s *scope, done <-chan struct{}) bool {
	if s != w.scope || done != w.done {
		w.stop()
		w.scope, w.done = s, done
		return false
	}
	w.stays = true
	return w.watched != nil || w.unset != nil
}

// waited is called after a wait.
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
