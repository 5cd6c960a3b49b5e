package repaint_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// reports collects what loops report, from any goroutine.
type reports struct {
	mu   sync.Mutex
	errs []error
}

func (r *reports) add(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

func (r *reports) all() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.errs)
}

func fails(context.Context) (int, error) { return 0, errBoom }

// failsLater fails in the loop, in one of the next turns.
func failsLater(ctx context.Context) (int, error) {
	return 0, errors.Join(repaint.Sleep(ctx, 1), errBoom)
}

func TestFailureOfATaskThatNothingAwaitsIsReportedOnce(t *testing.T) {
	for name, spawn := range map[string]func(ctx context.Context){
		"at once":      func(ctx context.Context) { repaint.Spawn(ctx, fails, repaint.Named("failing")) },
		"after a wait": func(ctx context.Context) { repaint.Spawn(ctx, failsLater, repaint.Named("failing")) },
		"and is kept": func(ctx context.Context) {
			task := repaint.Spawn(ctx, fails, repaint.Named("failing"))
			context.AfterFunc(ctx, func() { runtime.KeepAlive(task) })
		},
		"with a deadline of its own": func(ctx context.Context) {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				ctx, cancel := repaint.WithTimeout(ctx, 1)
				defer cancel()
				return 0, errors.Join(errBoom, repaint.Sleep(ctx, time.Hour))
			}, repaint.Named("failing"))
		},
		"although it was cancelled": func(ctx context.Context) {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				_ = repaint.Sleep(ctx, time.Hour)
				return 0, errBoom
			}, repaint.Named("failing")).Cancel(nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			var r reports
			require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
				spawn(ctx)
				return repaint.Sleep(ctx, time.Millisecond)
			}, loop.ReportTo(r.add)))
			require.Len(t, r.all(), 1)
			require.ErrorIs(t, r.all()[0], errBoom)
			require.ErrorContains(t, r.all()[0], "task 1 (failing)")
			require.ErrorContains(t, r.all()[0], "unobserved_test.go", "it says where it was spawned")
		})
	}
}

func TestFailureIsReportedAsSoonAsNothingCanLookAtItAnyMore(t *testing.T) {
	leakcheck.Test(t)
	var r reports
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		repaint.Spawn(ctx, fails)
		for len(r.all()) == 0 {
			runtime.GC()
			require.NoError(t, repaint.Sleep(ctx, time.Millisecond))
		}
		return nil
	}, loop.ReportTo(r.add)))
	require.Len(t, r.all(), 1, "not again at the end")
}

func TestFailureThatSomethingLooksAtIsNotReported(t *testing.T) {
	for name, main := range map[string]func(ctx context.Context){
		"Await":                     func(ctx context.Context) { _, _ = repaint.Await(ctx, repaint.Spawn(ctx, fails)) },
		"Await of one that goes on": func(ctx context.Context) { _, _ = repaint.Await(ctx, repaint.Spawn(ctx, failsLater)) },
		"Await that its context ends": func(ctx context.Context) {
			c, cancel := repaint.WithTimeout(ctx, 1)
			defer cancel()
			_, _ = repaint.Await(c, repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Hour) }))
		},
		"Result": func(ctx context.Context) { _, _ = repaint.Spawn(ctx, fails).Result() },
		"Cancel": func(ctx context.Context) {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Hour) }).Cancel(errBoom)
		},
		"its context's deadline": func(ctx context.Context) {
			c, cancel := repaint.WithTimeout(ctx, 1)
			repaint.Spawn(c, func(ctx context.Context) (int, error) {
				defer cancel()
				return 0, repaint.Sleep(ctx, time.Hour)
			})
		},
		"the end of Run": func(ctx context.Context) {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Hour) })
		},
		"Group": func(ctx context.Context) {
			g := repaint.NewGroup(ctx)
			g.Go(func(ctx context.Context) error { _, err := fails(ctx); return err })
			g.Go(func(ctx context.Context) error { _, err := failsLater(ctx); return err })
			_ = g.Wait()
		},
		"Gather": func(ctx context.Context) { _, _ = repaint.Gather(ctx, fails, failsLater) },
		"First": func(ctx context.Context) {
			_, _ = repaint.First(ctx, fails, func(context.Context) (int, error) { return 1, nil }, failsLater)
		},
		"Each": func(ctx context.Context) {
			for range repaint.Each(ctx, 0, slices.Values([]int{1, 2, 3}), func(ctx context.Context, _ int) (int, error) { return failsLater(ctx) }) {
				break
			}
		},
		"Block": func(ctx context.Context) { _, _ = repaint.Block(ctx, fails) },
		"Offload that is given up": func(ctx context.Context) {
			c, cancel := context.WithCancelCause(ctx)
			cancel(context.DeadlineExceeded)
			_, _ = loop.Offload(repaint.CurrentLoop(), func() (int, error) { return 0, nil }).Wait(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			var r reports
			require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
				main(ctx)
				return repaint.Sleep(ctx, time.Millisecond)
			}, loop.ReportTo(r.add)))
			runtime.GC()
			require.Empty(t, r.all())
		})
	}
}

func TestFailureOfAnOffloadThatNothingAwaitsIsReported(t *testing.T) {
	leakcheck.Test(t)
	var r reports
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		f := loop.Offload(repaint.CurrentLoop(), func() (int, error) { return 0, errBoom })
		for !f.Done() {
			require.NoError(t, repaint.Sleep(ctx, time.Millisecond))
		}
		return nil
	}, loop.ReportTo(r.add)))
	require.Len(t, r.all(), 1)
	require.ErrorContains(t, r.all()[0], "offloaded work failed")
}

// A function that was never called must not be lost in silence.
func TestSpawnOutsideOfALoopIsReportedUnlessSomethingLooks(t *testing.T) {
	log := captureLog(t)
	spawnOutside := func(name string) *repaint.Task[int] {
		return repaint.Spawn(t.Context(), func(context.Context) (int, error) { t.Error("must not run"); return 0, nil }, repaint.Named(name))
	}
	_, err := spawnOutside("looked at").Result()
	require.ErrorIs(t, err, repaint.ErrNoLoop)
	kept := spawnOutside("kept")
	spawnOutside("dropped")
	require.Eventually(t, func() bool {
		runtime.GC()
		return bytes.Count(log(), []byte("\n")) >= 2
	}, 10*time.Second, time.Millisecond)
	runtime.KeepAlive(kept)
	require.Contains(t, string(log()), "a task that wasn't started (kept) [github.com/")
	require.Contains(t, string(log()), "a task that wasn't started (dropped) [")
	require.Contains(t, string(log()), "call it within repaint.Run")
	require.NotContains(t, string(log()), "looked at)")
	require.Equal(t, 2, bytes.Count(log(), []byte("\n")), "once each")
}

// captureLog keeps the default logger's records until the test ends.
func captureLog(t *testing.T) func() []byte {
	var mu sync.Mutex
	var b bytes.Buffer
	before := slog.Default()
	t.Cleanup(func() { slog.SetDefault(before) })
	slog.SetDefault(slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), nil)))
	return func() []byte {
		mu.Lock()
		defer mu.Unlock()
		return bytes.Clone(b.Bytes())
	}
}

func TestPanicThatMainDoesNotReturnForIsReported(t *testing.T) {
	var reported []error
	require.PanicsWithValue(t, "main's own", func() {
		_ = repaint.Run(t.Context(), func(ctx context.Context) error {
			repaint.Spawn(ctx, func(context.Context) (int, error) { return panics(), nil })
			panic("main's own")
		}, loop.ReportTo(func(err error) { reported = append(reported, err) }))
	})
	require.Len(t, reported, 1)
	require.ErrorIs(t, reported[0], errBoom)
}
