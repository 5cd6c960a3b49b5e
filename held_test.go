package repaint_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// These take the 5 seconds after which a held loop is reported.

func TestATaskThatBlocksItsLoopIsReported(t *testing.T) {
	leakcheck.Test(t)
	reports := make(chan error, 1)
	require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(context.Context) (int, error) {
			require.Contains(t, blocks(t, reports).Holder, "task 1")
			return 0, nil
		}))
		return err
	}, loop.Debug(0), loop.ReportTo(func(err error) { reports <- err })))
	require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		g.Go(func(context.Context) error { // before the loop is driven
			e := blocks(t, reports)
			require.Contains(t, e.Holder, "a task that runs github.com/seed1239206e/repaint_test.TestATaskThatBlocksItsLoopIsReported.")
			require.Contains(t, e.Holder, "REPAINT_DEBUG=1")
			return nil
		})
		return g.Wait()
	}, loop.ReportTo(func(err error) { reports <- err })))
}

func TestWhatHoldsALoopIsReadFromItsStack(t *testing.T) {
	const inTask = "time.Sleep(0x5)\n\t/go/time.go:363 +0x16\nexample.com/app.(*store[...]).wait({0x1, 0x2}, 0x3)\n\t/app/store.go:7 (inlined)\n" +
		"example.com/app.handle(...)\n\t/app/app.go:23 +0x17\ngithub.com/seed1239206e/repaint.(*Group).Go.func1({0x1?, 0x2?})\n\t/group.go:1 +0x2\n" +
		"github.com/seed1239206e/repaint.(*Task[...]).run(0x5b5d80)\n\t/task.go:149 +0xa7\ngithub.com/seed1239206e/repaint.carry({0x594780?, 0x1?})\n"
	require.Contains(t, repaint.HolderIn(inTask), "a task that runs example.com/app.handle (REPAINT_DEBUG=1")
	const inMain = "time.Sleep(0x5)\n\t/go/time.go:363 +0x16\nmain.main.func1({0x1, 0x2})\n\t/main.go:3 +0x1\ngithub.com/seed1239206e/repaint.Run({0x1, 0x2})\n"
	require.Contains(t, repaint.HolderIn(inMain), "its main function, or a callback, (REPAINT_DEBUG=1")
	require.Contains(t, repaint.HolderIn(""), "a task, or the main function, (REPAINT_DEBUG=1", "control had changed")
}

// blocks holds the loop of its task until the loop reports that.
func blocks(t *testing.T, reports <-chan error) *loop.HeldError {
	var e *loop.HeldError
	require.ErrorAs(t, <-reports, &e)
	require.Contains(t, e.Stack, "repaint_test.blocks")
	return e
}

func TestAWaitInACoroutineOfIterPullIsReported(t *testing.T) {
	leakcheck.Test(t)
	reports := make(chan error, 1)
	answer := loop.NewPromise[int](nil)
	require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			next, stop := iter.Pull(func(yield func(int) bool) {
				v, err := repaint.Await(ctx, answer.Future())
				require.NoError(t, err)
				yield(v)
			})
			defer stop()
			v, _ := next()
			return v, nil
		})
		v, err := repaint.Await(ctx, task)
		require.Equal(t, 7, v)
		return err
	}, loop.ReportTo(func(err error) {
		reports <- err
		answer.Resolve(7)
	})))
	require.ErrorContains(t, <-reports, "iter.Pull has made a coroutine of")
}
