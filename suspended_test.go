//go:build gc && (amd64 || arm64) && !repaint_slowgoid

// Elsewhere the number of a goroutine is read from a stack trace, for which a stack grows.

package repaint_test

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// The runtime's smallest stack is 2 KiB, and a task that needs more has twice as much. So what is
// on the way from a goroutine's first function to the switch counts for each of a million tasks.
func TestAWaitingTaskFitsIntoTheSmallestStack(t *testing.T) {
	if raceDetector {
		t.Skip("with the race detector frames are of other sizes")
	}
	const inside = "REPAINT_TEST_STACKS"
	if os.Getenv(inside) == "" {
		// A process of its own, which begins with the smallest stack for each goroutine, whatever
		// ran before.
		self := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$", "-test.v")
		self.Env = append(os.Environ(), inside+"=1", "GODEBUG=adaptivestackstart=0")
		out, err := self.CombinedOutput()
		require.NoError(t, err, "%s", out)
		return
	}
	waits := map[string]func(ctx context.Context, gate *loop.Future[int]) error{
		"Await": func(ctx context.Context, gate *loop.Future[int]) error {
			_, err := repaint.Await(ctx, gate)
			return err
		},
		"Sleep": func(ctx context.Context, _ *loop.Future[int]) error { return repaint.Sleep(ctx, time.Hour) },
		"turns": func(ctx context.Context, gate *loop.Future[int]) error {
			for !gate.Done() {
				if err := repaint.Sleep(ctx, 0); err != nil {
					return err
				}
			}
			return nil
		},
	}
	for name, wait := range waits {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(ctx context.Context) {
				const n = 2000
				gate := loop.NewPromise[int](repaint.CurrentLoop())
				before := stacks()
				g := repaint.NewGroup(ctx)
				for range n {
					g.Go(func(ctx context.Context) error { return wait(ctx, gate.Future()) })
				}
				for range 3 {
					require.NoError(t, repaint.Sleep(ctx, 0))
				}
				require.Less(t, (stacks()-before)/n, uint64(2500), "bytes of stack for each task")
				gate.Resolve(1)
				require.NoError(t, g.Wait())
			})
		})
	}
}

func stacks() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.StackInuse
}
