package repaint_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestCancelledContextBeforeAnAwait(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(errBoom)
		var told error
		p := loop.NewPromise[int](nil)
		p.OnCancel(func(cause error) { told = cause })
		_, err := repaint.Await(ctx, p.Future())
		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorIs(t, told, errBoom)
		require.ErrorIs(t, repaint.Sleep(ctx, 0), errBoom)
		_, err = repaint.Await(ctx, loop.Resolved(1))
		require.ErrorIs(t, err, errBoom, "at each Await, whatever it waits for")
		v, err := repaint.Await(context.WithoutCancel(ctx), later(1))
		require.NoError(t, err, "cleaning up may wait")
		require.Equal(t, 1, v)
	})
}

func TestContextThatEndsDuringAnAwait(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		told := make(chan error, 1)
		p := loop.NewPromise[int](nil)
		p.OnCancel(func(cause error) { told <- cause })
		go cancel(errBoom)
		_, err := repaint.Await(ctx, p.Future())
		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, <-told, errBoom)
		require.False(t, p.Future().Done(), "its owner has yet to complete it")
		require.True(t, p.Resolve(1))
	})
}

func TestContextThatEndsAfterAnAwaitTouchesNothing(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		outer := ctx
		ctx, cancel := context.WithCancelCause(ctx)
		f := later(1)
		v, err := repaint.Await(ctx, f)
		require.NoError(t, err)
		require.Equal(t, 1, v)
		cancel(errBoom)
		v, err = f.Result()
		require.NoError(t, err)
		require.Equal(t, 1, v)
		require.NoError(t, repaint.Sleep(outer, 0))
	})
}

func TestDeadlineIsKept(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err := repaint.Await(ctx, loop.NewPromise[int](nil).Future())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		ctx, cancel = context.WithTimeoutCause(context.WithoutCancel(ctx), time.Millisecond, errBoom)
		defer cancel()
		err = repaint.Sleep(ctx, time.Hour)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, errBoom)
	})
}

func TestContextOfRunReachesEverything(t *testing.T) {
	leakcheck.Test(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	err := repaint.Run(ctx, func(ctx context.Context) error {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			_, err := repaint.Await(ctx, loop.NewPromise[int](nil).Future())
			require.ErrorIs(t, err, errBoom)
			require.Equal(t, errBoom, context.Cause(ctx))
			return 0, err
		})
		go cancel(errBoom)
		_, err := repaint.Await(context.WithoutCancel(ctx), task)
		require.ErrorIs(t, err, errBoom)
		require.ErrorIs(t, ctx.Err(), context.Canceled)
		// Run sees the cancel at once, even before package context has told every goroutine.
		fresh, cancel := context.WithCancel(context.Background())
		err = repaint.Run(fresh, func(ctx context.Context) error {
			cancel()
			return repaint.Sleep(ctx, time.Hour)
		})
		require.ErrorIs(t, err, context.Canceled)
		_, err = repaint.Await(ctx, loop.NewPromise[int](nil).Future())
		return err
	})
	require.ErrorIs(t, err, errBoom)
}

func TestTaskCancel(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var at []error
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			at = append(at, repaint.Sleep(ctx, time.Hour), repaint.Sleep(ctx, time.Hour), context.Cause(ctx))
			require.NoError(t, repaint.Sleep(context.WithoutCancel(ctx), time.Hour))
			return 9, nil
		})
		other := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 1, repaint.Sleep(ctx, time.Minute) })
		require.True(t, task.Cancel(errBoom))
		require.True(t, task.Cancel(context.DeadlineExceeded), "only the first cause counts")
		require.Empty(t, at, "it is told in the loop's next tick")
		v, err := repaint.Await(ctx, task)
		require.NoError(t, err, "it may overlook it")
		require.Equal(t, 9, v)
		require.Len(t, at, 3)
		for _, err := range at {
			require.ErrorIs(t, err, errBoom)
		}
		require.False(t, task.Cancel(nil))
		v, err = repaint.Await(ctx, other)
		require.NoError(t, err, "others aren't concerned")
		require.Equal(t, 1, v)
	})
}

func TestCancelFromAnotherGoroutine(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Hour) })
		go task.Cancel(errBoom)
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, errBoom)
		return nil
	}))
}

func TestCancelAndCompletionInTheSameTick(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		for _, cancelFirst := range []bool{true, false} {
			p := loop.NewPromise[int](repaint.CurrentLoop())
			p.OnCancel(func(error) {})
			task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				v, err := repaint.Await(ctx, p.Future())
				require.NoError(t, err, "a result that is there isn't lost")
				require.ErrorIs(t, repaint.Sleep(ctx, 0), errBoom, "the next one notices")
				return v, err
			})
			if cancelFirst {
				task.Cancel(errBoom)
			}
			p.Resolve(1)
			if !cancelFirst {
				task.Cancel(errBoom)
			}
			v, err := repaint.Await(ctx, task)
			require.NoError(t, err)
			require.Equal(t, 1, v)
		}
	})
}

func TestCancelledAwaitOfATaskCancelsTheTask(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var inner *repaint.Task[int]
		outer := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			inner = repaint.Spawn(context.WithoutCancel(ctx), func(ctx context.Context) (int, error) {
				return 0, repaint.Sleep(ctx, time.Hour)
			})
			return repaint.Await(ctx, inner)
		})
		outer.Cancel(errBoom)
		_, err := repaint.Await(ctx, outer)
		require.ErrorIs(t, err, errBoom)
		_, err = repaint.Await(ctx, inner)
		require.ErrorIs(t, err, errBoom)
	})
}

func TestATasksContextEndsWithIt(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var inside context.Context
		var child *repaint.Task[int]
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			inside = ctx
			child = repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Hour) })
			return 0, repaint.Sleep(ctx, time.Second)
		}))
		require.NoError(t, err)
		require.ErrorIs(t, inside.Err(), context.Canceled)
		_, err = repaint.Await(ctx, child)
		require.ErrorIs(t, err, context.Canceled)
		require.NoError(t, ctx.Err())
	})
}

func TestScopeIsAnOrdinaryContext(t *testing.T) {
	type key struct{}
	base := context.WithValue(t.Context(), key{}, "value")
	base, cancelBase := context.WithDeadlineCause(base, time.Now().Add(time.Hour), errBoom)
	defer cancelBase()
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(base, func(ctx context.Context) error {
		require.Equal(t, "value", ctx.Value(key{}))
		want, _ := base.Deadline()
		got, ok := ctx.Deadline()
		require.True(t, ok)
		require.Equal(t, want, got)

		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			require.NoError(t, context.Cause(ctx))
			derived, cancel := context.WithCancel(context.WithValue(ctx, key{}, "inner"))
			defer cancel()
			require.Equal(t, "inner", derived.Value(key{}))
			var wg sync.WaitGroup
			wg.Go(func() { <-derived.Done() })
			called := loop.NewPromise[int](nil)
			context.AfterFunc(ctx, func() { called.Resolve(1) })
			err := repaint.Sleep(derived, time.Hour)
			require.ErrorIs(t, err, errBoom)
			require.Equal(t, errBoom, context.Cause(derived))
			require.Equal(t, errBoom, context.Cause(ctx))
			require.Equal(t, context.Canceled, ctx.Err())
			wg.Wait()
			_, err = repaint.Await(context.WithoutCancel(ctx), called.Future())
			return 0, err
		})
		task.Cancel(errBoom)
		_, err := repaint.Await(ctx, task)
		return err
	}))
}

func TestManySpawnsLeaveNothingInAForeignContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	leakcheck.Repeat(t, func() {
		err := repaint.Run(ctx, func(inner context.Context) error {
			for range 20 {
				task := repaint.Spawn(ctx, func(c context.Context) (int, error) {
					_ = c.Done()
					return 0, repaint.Sleep(c, 0)
				})
				if _, err := repaint.Await(inner, task); err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, err)
	})
}

func TestUntilDoneWaitsForTheContext(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		time.AfterFunc(time.Millisecond, func() { cancel(errBoom) })
		require.ErrorIs(t, repaint.UntilDone(ctx), errBoom)
	})
	ctx, cancel := context.WithCancelCause(t.Context())
	err := repaint.Run(ctx, func(ctx context.Context) error {
		go cancel(errBoom)
		return repaint.UntilDone(ctx)
	})
	require.ErrorIs(t, err, errBoom)
}

func TestAResultThatCameJustBeforeTheCancelIsNotLost(t *testing.T) {
	// Another goroutine completes the future while the task's context ends: whichever comes first
	// decides, and the task and the future never disagree about it.
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		for range 300 {
			p := loop.NewPromise[int](nil)
			task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return repaint.Await(ctx, p.Future()) })
			resolved := loop.NewPromise[bool](nil)
			go resolved.Complete(func() (bool, error) { return p.Resolve(1), nil })
			task.Cancel(errBoom)
			v, err := repaint.Await(ctx, task)
			ok, _ := repaint.Await(ctx, resolved.Future())
			if ok {
				require.NoError(t, err)
				require.Equal(t, 1, v)
			} else {
				require.ErrorIs(t, err, errBoom)
			}
		}
		return nil
	}))
}

func TestCancelFromElsewhereReachesARunWithinAVirtualClock(t *testing.T) {
	for _, opts := range [][]loop.Option{nil, {loop.VirtualClock(time.Unix(0, 0))}} {
		virtually(t, func(ctx context.Context) {
			ordinary, cancel := context.WithCancelCause(ctx)
			defer cancel(nil)
			_, err := repaint.Await(ctx, repaint.Spawn(ordinary, func(ctx context.Context) (int, error) {
				return 0, repaint.Run(ctx, func(ctx context.Context) error {
					go cancel(errBoom)
					return repaint.UntilDone(ctx)
				}, opts...)
			}))
			require.ErrorIs(t, err, errBoom)
		})
	}
}

func TestCancelIsNoticedAlsoIfTheLoopIsNeverIdle(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		ordinary, cancel := context.WithCancel(ctx)
		waiting := repaint.Spawn(ordinary, func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, time.Hour) })
		cancel()
		for range 1000 {
			if waiting.Done() {
				return
			}
			require.NoError(t, repaint.Sleep(ctx, 0))
		}
		t.Error("the cancel wasn't noticed")
	})
}
