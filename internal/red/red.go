// Package red makes the red faces of blue code, for pg and db alike.
package red

import (
	"context"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// Call calls blue code and returns its result as a future. In a loop the code runs as a task,
// elsewhere in a goroutine of its own. Cancelling the future cancels the code's context. Any
// goroutine may call it.
func Call[T any](ctx context.Context, fn func(ctx context.Context) (T, error)) *loop.Future[T] {
	if repaint.CurrentLoop() != nil {
		return repaint.Spawn(ctx, fn).AsFuture()
	}
	ctx, cancel := context.WithCancelCause(ctx)
	p := loop.NewPromise[T](nil)
	p.ReportFailure()
	p.OnCancel(func(cause error) { cancel(cause) })
	go func() {
		defer cancel(nil)
		p.Complete(func() (T, error) { return fn(ctx) })
	}()
	return p.Future()
}
