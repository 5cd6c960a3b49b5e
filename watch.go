package repaint

import "context"

// A contextWatch reports the end of a context, and remembers the context, because the next Await
// most often has the same one.
type contextWatch struct {
	scope *scope          // the context, if it is one
	done  <-chan struct{} // its channel, if it isn't
	// One of these two is what tells the owner. A scope does it without the help of another
	// goroutine.
	watched *scope
	unset   func() bool
}

// over makes the watch one over ctx. The scope is one whose end the owner is told anyway.
func (w *contextWatch) over(ctx context.Context, own *scope, owner scopeOwner, h *runner) {
	s, ok := ctx.(*scope)
	if ok {
		if s == own || s == w.scope {
			return
		}
		w.stop()
		w.scope = s
	} else {
		done := ctx.Done()
		if done == nil || done == w.done {
			return
		}
		w.stop()
		w.done = done
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

func (w *contextWatch) stop() {
	if w.watched != nil {
		w.watched.release()
	}
	if w.unset != nil {
		w.unset()
	}
	*w = contextWatch{}
}
