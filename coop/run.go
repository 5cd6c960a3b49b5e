package coop

import (
	"context"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/loop"
)

// detach runs fn on behalf of several callers, in a task of the current loop, or in a goroutine if
// there is no loop. The context of fn has the values of ctx. It ends when cancel is called, or with
// the loop's Run. In a loop fn runs up to its first wait before detach returns.
func detach(ctx context.Context, name string, fn func(ctx context.Context)) (cancel func(cause error)) {
	ctx = context.WithoutCancel(ctx)
	if repaint.CurrentLoop() == nil {
		ctx, cancel := context.WithCancelCause(ctx)
		go func() {
			defer cancel(nil)
			fn(ctx)
		}()
		return cancel
	}
	task := repaint.Spawn(ctx, func(ctx context.Context) (struct{}, error) {
		fn(ctx)
		return struct{}{}, nil
	}, repaint.Named(name))
	return func(cause error) { task.Cancel(cause) }
}

// complete calls fn, and then calls deliver once with the outcome, however fn ends. deliver returns
// false if no caller waits any more. A panic goes to the waiting callers. If there are none, the
// panic continues in a loop, whose Run raises it. In a goroutine it would end the program because
// of a caller's cancel, so it is dropped there.
func complete[V any](fn func() (V, error), deliver func(V, error) bool) {
	returned := false
	defer func() {
		if returned {
			return
		}
		var none V
		switch r := recover(); {
		case r == nil:
			deliver(none, loop.ErrGoexit)
		case greenlet.IsKill(r):
			deliver(none, errLost)
			panic(r)
		default:
			p := loop.Recovered(r)
			if !deliver(none, p) && repaint.CurrentLoop() != nil {
				panic(p)
			}
		}
	}()
	v, err := fn()
	returned = true
	deliver(v, err)
}
