package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// run calls fn in a loop with a virtual clock. It returns the output and the time that passed on
// that clock.
func run(t *testing.T, failures int, fn func(ctx context.Context, out *strings.Builder, d *driver) error) (string, time.Duration, error) {
	var out strings.Builder
	var took time.Duration
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		l := repaint.CurrentLoop()
		start := l.Now()
		err := fn(ctx, &out, &driver{out: &out, failures: failures})
		took = l.Now().Sub(start)
		return err
	}, loop.VirtualClock(time.Unix(0, 0)))
	return out.String(), took, err
}

func TestOutput(t *testing.T) {
	out, took, err := run(t, 0, func(ctx context.Context, out *strings.Builder, d *driver) error { return red(ctx, out, d) })
	require.NoError(t, err)
	require.Equal(t, time.Second, took)
	require.Equal(t, `sync starting
async executing
async done
sync done
`, out)
}

func TestTheDriversErrorIsReturned(t *testing.T) {
	out, took, err := run(t, 1, func(ctx context.Context, out *strings.Builder, d *driver) error { return red(ctx, out, d) })
	require.ErrorIs(t, err, errRefused)
	require.Equal(t, time.Second, took)
	require.Equal(t, "sync starting\nasync executing\n", out)
}

func TestTheDriversErrorIsHandledAndTheCallRepeated(t *testing.T) {
	out, took, err := run(t, 2, func(ctx context.Context, out *strings.Builder, d *driver) error {
		c, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (*connection, error) {
			return createPatiently(ctx, out, d)
		}))
		require.NotNil(t, c)
		return err
	})
	require.NoError(t, err)
	require.Equal(t, 3*time.Second, took)
	require.Equal(t, `sync starting
async executing
sync handling: connection refused
sync starting
async executing
sync handling: connection refused
sync starting
async executing
async done
sync done
`, out)
}

func TestTheDriversErrorIsHandledAndTheFunctionGoesOn(t *testing.T) {
	out, _, err := run(t, 1, func(ctx context.Context, out *strings.Builder, d *driver) error {
		v, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (string, error) {
			if _, err := createConnection(ctx, out, d); err != nil {
				return "without a connection", nil
			}
			return "with a connection", nil
		}))
		require.Equal(t, "without a connection", v)
		return err
	})
	require.NoError(t, err)
	require.Equal(t, "sync starting\nasync executing\n", out)
}
