package repaint

import (
	"context"
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
