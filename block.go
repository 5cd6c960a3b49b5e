package repaint

import (
	"context"
	"runtime"

	"github.com/seed1239206e/repaint/loop"
)

// Block calls fn, which may block. In a plain goroutine Block calls it directly. In a loop fn runs
// in another goroutine, while the calling task, or the main function, waits as in [Await].
//
// Block returns when fn has returned, even if the context ends meanwhile: fn gets the context, and
// should then return soon. So the caller never uses fn's data while fn still does. If the context
// ends before fn has begun, fn isn't called. If fn ran in another goroutine, a panic in fn is
// raised in the caller as a [*loop.PanicError], and a runtime.Goexit continues in the caller.
func Block[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) (T, error) {
	h, _ := here()
	if h == nil {
		return fn(ctx)
	}
	var none T
	if err := loop.ContextError(ctx); err != nil {
		return none, err
	}
	if h.current == nil && h.inCallback() {
		return none, misplaced(ErrInCallback, "Block", "by a callback: spawn a task that calls it, or use loop.Offload")
	}
	f := loop.OffloadJoined(h.loop, func() (T, error) { return fn(ctx) })
	if err := wait(ctx, &f.Latch); err != nil {
		if err := wait(context.Background(), &f.Latch); err != nil {
			return none, err
		}
	}
	v, err := result(f)
	if err == loop.ErrGoexit {
		runtime.Goexit()
	}
	return v, err
}
