package repaint

import "context"

// A contextWatch tells somebody when a context ends, and remembers which one it watches,
// because the next Await most often has the same.
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

// afterFunc is context.AfterFunc. With a virtual clock, however, fn is called by the loop, when
// nothing is ready and before time goes on: so what a context's end leads to has its place in the
// order of things. The runner may be nil. It must be called from the runner's loop, but what it returns
// may be called from anywhere.
func (h *runner) afterFunc(ctx context.Context, fn func()) (stop func() bool) {
	if h == nil || !h.loop.Virtual() {
		return context.AfterFunc(ctx, fn)
	}
	if h.polls == nil {
		h.polls = new(polls)
	}
	return h.polls.add(ctx, fn, h.loop)
}

// startPolling has the loop poll when it is idle, if it has a virtual clock, or runs within one
// that has.
func (h *runner) startPolling() {
	virtual := h.loop.Virtual()
	for o := h.outer; o != nil; o = o.outer {
		virtual = virtual || o.loop.Virtual()
		if o.polls != nil {
			h.borrowed = append(h.borrowed, o.polls.wake(h.loop)...)
		}
	}
	if virtual {
		h.loop.OnIdle(h.poll)
	}
}

// poll tells those whose contexts have ended.
func (h *runner) poll() {
	if h.polls != nil {
		h.polls.look()
	}
	if h.outer != nil {
		h.outer.poll() // nothing else does, while this runner's Run goes on
	}
}

func (h *runner) stopPolling() {
	for _, stop := range h.borrowed {
		stop()
	}
}
