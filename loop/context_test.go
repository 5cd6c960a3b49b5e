package loop_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

func TestContextErrorIsNilWhileTheContextLasts(t *testing.T) {
	require.NoError(t, loop.ContextError(t.Context()))
}

func TestContextErrorIsBothTheErrorAndItsCause(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errTest)
	err := loop.ContextError(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, errTest)
	require.EqualError(t, err, "context canceled: test")
}

func TestContextErrorWithoutACauseIsThePlainOne(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.Equal(t, context.Canceled, loop.ContextError(ctx))
}

func TestContextErrorOfADeadlineIsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errTest)
		defer cancel()
		<-ctx.Done()
		err := loop.ContextError(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errTest)
		var timeout interface{ Timeout() bool }
		require.True(t, errors.As(err, &timeout) && timeout.Timeout())
	})
}
