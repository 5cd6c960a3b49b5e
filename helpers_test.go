package repaint_test

import (
	"context"
	"testing"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/bridgetest"
	"github.com/seed1239206e/repaint/loop"
)

// The short names of the helpers that the tests of this package share with bridgetest.

var errBoom = bridgetest.ErrBoom

type keyOfTest = bridgetest.Key

func virtually(t *testing.T, main func(ctx context.Context)) {
	t.Helper()
	bridgetest.Virtually(t, main)
}

func inBothColours(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	bridgetest.InBothColours(t, test)
}

func later[T any](v T) *loop.Future[T] { return bridgetest.Later(v) }

func panics() int { return bridgetest.Panics() }

func recovered(fn func()) *loop.PanicError { return bridgetest.Recovered(fn) }

func sleeper(v, ms int) func(context.Context) (int, error) { return bridgetest.Sleeper(v, ms) }

func failing(err error, ms int) func(context.Context) (int, error) {
	return bridgetest.Failing(err, ms)
}

func spawn(ctx context.Context, fn func(ctx context.Context) error, opts ...repaint.TaskOption) *repaint.Task[struct{}] {
	return bridgetest.Spawn(ctx, fn, opts...)
}
