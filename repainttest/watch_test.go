package repainttest_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/repainttest"
)

// A bell keeps what is written, and rings then.
type bell struct {
	text strings.Builder
	rung chan struct{}
	once sync.Once
}

func (b *bell) Write(p []byte) (int, error) {
	defer b.once.Do(func() { close(b.rung) })
	return b.text.Write(p)
}

func TestTaskThatBlocksTheLoopIsReported(t *testing.T) {
	b := &bell{rung: make(chan struct{})}
	defer repainttest.ReportHeld(b)()
	repainttest.Explore(t, 1, func(t *testing.T, ctx context.Context) {
		require.NoError(t, tasks(ctx, func(ctx context.Context) error {
			err := yields(ctx, 1)
			<-b.rung // blocks the goroutine
			return err
		}))
	})
	require.Contains(t, b.text.String(), "a step hasn't ended for 10ms of real time, step 1")
	require.Contains(t, b.text.String(), "blocks its goroutine")
	require.Contains(t, b.text.String(), "watch_test.go")
}
