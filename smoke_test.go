package repaint_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

func TestSmoke(t *testing.T) {
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		got, err := repaint.Gather(ctx, func(ctx context.Context) (int, error) {
			return 1, repaint.Sleep(ctx, time.Hour)
		}, func(ctx context.Context) (int, error) {
			return repaint.Block(ctx, func(ctx context.Context) (int, error) { time.Sleep(time.Millisecond); return 2, nil })
		})
		require.NoError(t, err)
		require.Equal(t, []int{1, 2}, got)
		return nil
	}, loop.WithVirtualClock(time.Now()))
	require.NoError(t, err)
}
