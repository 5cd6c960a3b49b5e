package repaint_test

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func waitsInHere(ctx context.Context, f *loop.Future[int]) (int, error) {
	return repaint.Await(ctx, f)
}

func TestDumpTellsOfEachTaskItsNameOriginWaitAndStack(t *testing.T) {
	leakcheck.Test(t)
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		p := loop.NewPromise[int](repaint.CurrentLoop())
		p.Future().SetName("the answer")
		repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return waitsInHere(ctx, p.Future()) }, repaint.Named("asker"))
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
		require.NoError(t, repaint.Sleep(ctx, time.Second))
		var b bytes.Buffer
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return 0, repaint.DumpTasks(&b)
		}))
		require.NoError(t, err)
		p.Resolve(1)
		dump := b.String()
		for _, part := range []string{
			"3 tasks, 2 of them wait", "1 timers",
			"task 1 (asker) [github.com/seed1239206e/repaint_test.TestDumpTells", "dump_test.go:", "waits for the answer, for 1s by now", "repaint_test.waitsInHere(",
			"task 2 [", "waits for a sleep",
			"task 3 [", "is running",
		} {
			require.Contains(t, dump, part)
		}
		for _, part := range []string{"repaint.carry(", "(*task).suspend(", "(*Task[...]).main("} {
			require.NotContains(t, dump, part, "how a task is run is nobody's business")
		}
		require.Equal(t, 3, strings.Count(dump, "spawned in github.com/seed1239206e/repaint_test.TestDumpTells"), dump)
		return nil
	}, loop.VirtualClock(time.Unix(0, 0)), loop.Debug(time.Hour))
	require.NoError(t, err)
	require.ErrorIs(t, repaint.DumpTasks(os.Stdout), repaint.ErrNoLoop)
}

func TestDumpOfVeryManyTasksIsShort(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		for range 1500 {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Hour) })
		}
		var b bytes.Buffer
		require.NoError(t, repaint.DumpTasks(&b))
		require.Equal(t, 1000, strings.Count(b.String(), "waits for a sleep"))
		require.Contains(t, b.String(), "and 500 more")
	})
}

// lockedBuffer collects the output of a signal's goroutine.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	came chan struct{}
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer func() { b.came <- struct{}{} }()
	return b.text.Write(p)
}

// take waits for the next output, and returns it.
func (b *lockedBuffer) take() string {
	<-b.came
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.text.Reset()
	return b.text.String()
}

func notified() chan os.Signal {
	c := make(chan os.Signal, 1)
	signal.Notify(c, dumpSignal)
	return c
}

func raise(t *testing.T, s os.Signal) {
	me, err := os.FindProcess(os.Getpid())
	require.NoError(t, err)
	require.NoError(t, me.Signal(s))
}

func TestSignalDumpsAllLoopsAlsoOneThatIsHeld(t *testing.T) {
	signal.Stop(notified()) // package signal has a goroutine of its own from now on
	leakcheck.Test(t)
	b := &lockedBuffer{came: make(chan struct{}, 10)}
	stop := repaint.DumpOnSignal(b, dumpSignal)
	release := make(chan struct{})
	running := make(chan struct{}, 2)
	var done sync.WaitGroup
	done.Go(func() { // a loop that answers
		_ = repaint.Run(t.Context(), func(ctx context.Context) error {
			p := loop.NewPromise[int](nil)
			p.Future().SetName("the end of the test")
			go func() {
				<-release
				p.Resolve(1)
			}()
			task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return waitsInHere(ctx, p.Future()) })
			running <- struct{}{}
			_, err := repaint.Await(ctx, task)
			return err
		})
	})
	done.Go(func() { // and one that can't
		_ = repaint.Run(t.Context(), func(ctx context.Context) error {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				running <- struct{}{}
				blocksInHere(release)
				return 0, nil
			}, repaint.Named("blocker"))
			return nil
		}, loop.Debug(time.Hour))
	})
	<-running
	<-running
	raise(t, dumpSignal)
	dump := b.take()
	require.Contains(t, dump, "2 loops")
	require.Contains(t, dump, "waits for the end of the test")
	require.Contains(t, dump, "repaint_test.waitsInHere(")
	require.Contains(t, dump, "is held by task 1 (blocker)")
	require.Contains(t, dump, "repaint_test.blocksInHere(")
	close(release)
	done.Wait()
	raise(t, dumpSignal)
	require.Contains(t, b.take(), "0 loops", "they have ended")
	stop()
	stop()
}

func blocksInHere(until chan struct{}) { <-until }

func TestTaskThatHoldsTheLoopIsReportedByName(t *testing.T) {
	leakcheck.Test(t)
	for _, who := range []string{"task", "main"} {
		reported := make(chan error, 1)
		release := make(chan struct{})
		hold := func() {
			go func() {
				reported <- <-reported
				close(release)
			}()
			blocksInHere(release)
		}
		err := repaint.Run(t.Context(), func(ctx context.Context) error {
			if who == "main" {
				hold()
				return nil
			}
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				if err := repaint.Sleep(ctx, time.Millisecond); err != nil {
					return 0, err
				}
				hold()
				return 0, nil
			}, repaint.Named("holder")))
			return err
		}, loop.Debug(20*time.Millisecond), loop.ReportTo(func(err error) { reported <- err }))
		require.NoError(t, err)
		var held *loop.HeldError
		require.ErrorAs(t, <-reported, &held)
		require.Contains(t, held.Stack, "repaint_test.blocksInHere(")
		if who == "task" {
			require.Contains(t, held.Holder, "task 1 (holder)")
		} else {
			require.Contains(t, held.Holder, "main function")
		}
	}
}

// A library that holds a lock while it waits is harmless among goroutines. Among tasks of one loop,
// the second task that wants the lock blocks the loop, and with it the task that has the lock.
func TestLockThatIsKeptAcrossAnAwaitIsReported(t *testing.T) {
	leakcheck.Test(t)
	reported := make(chan error, 1)
	var mu sync.Mutex
	var forced atomic.Bool
	library := func(ctx context.Context) (int, error) {
		mu.Lock()
		defer func() {
			if !forced.Swap(false) {
				mu.Unlock()
			}
		}()
		return 0, repaint.Sleep(ctx, time.Millisecond)
	}
	blocked := make(chan struct{})
	go func() {
		_ = repaint.Run(t.Context(), func(ctx context.Context) error {
			defer close(blocked)
			_, err := repaint.Gather(ctx, library, library)
			return err
		}, loop.Debug(20*time.Millisecond), loop.ReportTo(func(err error) { reported <- err }))
	}()
	var held *loop.HeldError
	require.ErrorAs(t, <-reported, &held)
	require.Contains(t, held.Stack, "sync.(*Mutex).Lock")
	require.Contains(t, held.Stack, "TestLockThatIsKeptAcrossAnAwaitIsReported")
	forced.Store(true) // otherwise the test would hang, as the program would
	mu.Unlock()
	<-blocked
}

func TestDebugModeWorksThroughTheEnvironment(t *testing.T) {
	if os.Getenv("REPAINT_DEBUG_TEST") != "" {
		_ = repaint.Run(t.Context(), func(ctx context.Context) error {
			println("debugging", repaint.CurrentLoop().Debugging())
			return nil
		})
		return
	}
	if testing.Short() {
		t.Skip("-short: it starts the test program again")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), "REPAINT_DEBUG_TEST=1", "REPAINT_DEBUG=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Contains(t, string(out), "debugging true")
}
