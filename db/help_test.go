package db_test

import (
	"context"
	"runtime"

	"github.com/seed1239206e/repaint"
)

func exitGoroutine() { runtime.Goexit() }

// cancelSoon cancels after everybody else had a few turns. There is nothing to
// wait for: whether the statement has begun by then is a matter of luck, and all
// outcomes must be right.
func cancelSoon(ctx context.Context, cancel func()) {
	for range 50 {
		_ = repaint.Sleep(context.WithoutCancel(ctx), 0)
	}
	cancel()
}
