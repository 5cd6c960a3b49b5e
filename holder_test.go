package repaint

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

// Without this a program of a million goroutines stood still for a minute, to say that a loop does.
func TestAReportOfAHeldLoopStopsTheProgramOnlyForAMoment(t *testing.T) {
	before := mostStacks
	defer func() { mostStacks = before }()
	for _, debug := range []bool{false, true} {
		var opts []loop.Option
		if debug {
			opts = append(opts, loop.Debug(time.Minute))
		}
		require.NoError(t, Run(t.Context(), func(ctx context.Context) error {
			_, err := Await(ctx, Spawn(ctx, func(context.Context) (int, error) {
				h, _ := here()
				mostStacks = 0
				name, stack := h.LoopHolder()
				require.Contains(t, stack, "(no stack: ")
				if debug {
					require.Contains(t, name, "task 1")
				} else {
					require.Contains(t, name, "REPAINT_DEBUG=1 says which")
				}
				mostStacks = before
				_, stack = h.LoopHolder()
				require.Contains(t, stack, "TestAReportOfAHeldLoop")
				return 0, nil
			}))
			return err
		}, opts...))
	}
}
