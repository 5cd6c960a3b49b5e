package repaint_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestSpawnRunsUpToTheFirstWait(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var log []string
		task := repaint.Spawn(ctx, func(ctx context.Context) (string, error) {
			log = append(log, "begun")
			if err := repaint.Sleep(ctx, time.Hour); err != nil {
				return "", err
			}
			log = append(log, "resumed")
			return "value", nil
		})
		log = append(log, "spawned")
		require.False(t, task.Done())
		_, err := task.Result()
		require.ErrorIs(t, err, loop.ErrPending)
		before := repaint.CurrentLoop().Now()
		v, err := repaint.Await(ctx, task)
		require.NoError(t, err)
		require.Equal(t, "value", v)
		require.Equal(t, []string{"begun", "spawned", "resumed"}, log)
		require.Equal(t, time.Hour, repaint.CurrentLoop().Now().Sub(before))
	})
}

func TestASpawnedFunctionThatNeverAwaitsCostsNoTick(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		before := repaint.CurrentStats().Ticks
		task := repaint.Spawn(ctx, func(context.Context) (int, error) { return 1, errBoom })
		require.True(t, task.Done())
		_, err := repaint.Await(ctx, task)
		require.Equal(t, errBoom, err)
		require.Equal(t, before, repaint.CurrentStats().Ticks)
	})
}

func TestARawGreenletMaySwitchWhereverItsTaskIs(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		// A generator that one task makes and another one uses waits on behalf of the task that uses it.
		var consumer *greenlet.Greenlet
		generator := greenlet.New(func(any) (any, error) {
			for i := 0; ; i++ {
				if err := repaint.Sleep(ctx, time.Second); err != nil {
					return nil, err
				}
				if _, err := consumer.Switch(i); err != nil {
					return nil, err
				}
			}
		})
		var got []any
		for range 2 {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				consumer = greenlet.Current()
				for range 3 {
					v, err := generator.Switch(nil)
					if err != nil {
						return 0, err
					}
					got = append(got, v)
				}
				return 0, nil
			}))
			require.NoError(t, err)
		}
		require.Equal(t, []any{0, 1, 2, 3, 4, 5}, got)
		require.NoError(t, generator.Kill())
	})
}

func TestRequireAwait(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		spawn := func(fn func(ctx context.Context) (int, error)) error {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, fn, repaint.RequireAwait(), repaint.Named("strict")))
			return err
		}
		err := spawn(func(ctx context.Context) (int, error) { return repaint.Await(ctx, loop.Resolved(1)) })
		require.ErrorIs(t, err, repaint.ErrAwaitRequired)
		require.ErrorContains(t, err, "strict")
		require.NoError(t, spawn(func(ctx context.Context) (int, error) { return 0, repaint.Sleep(ctx, 1) }))
		require.Equal(t, errBoom, spawn(func(context.Context) (int, error) { return 0, errBoom }))
	})
}

func TestSpawnOutsideOfALoopFails(t *testing.T) {
	task := repaint.Spawn(t.Context(), func(context.Context) (int, error) { t.Error("must not run"); return 0, nil })
	require.True(t, task.Done())
	_, err := task.Result()
	require.ErrorIs(t, err, repaint.ErrNoLoop)
	require.ErrorContains(t, err, "repaint.Run")
	require.False(t, task.Cancel(nil))
}

func TestPanicInATaskIsRaisedInWhoAwaits(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		for _, wait := range []bool{false, true} {
			task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				if wait {
					_ = repaint.Sleep(ctx, time.Second)
				}
				return panics(), nil
			})
			p := recovered(func() { _, _ = repaint.Await(ctx, task) })
			require.ErrorIs(t, p, errBoom)
			require.Contains(t, string(p.Stack), "repaint_test.panics")
			_, err := task.Result()
			require.Same(t, p, err)
		}
		// The panic also passes through a task in between.
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				_ = repaint.Sleep(ctx, time.Second)
				return panics(), nil
			}))
		})
		p := recovered(func() { _, _ = repaint.Await(ctx, task) })
		require.ErrorIs(t, p, errBoom)
		require.Contains(t, string(p.Stack), "repaint_test.panics")
	})
}

func TestFailNowInATaskEndsTheTest(t *testing.T) {
	leakcheck.Test(t)
	for _, wait := range []bool{false, true} {
		fake := new(testing.T)
		failNow := fake.FailNow
		returned, joined := false, false
		done := make(chan struct{})
		go func() {
			defer close(done)
			_ = repaint.Run(context.Background(), func(ctx context.Context) error {
				repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					_ = repaint.Sleep(ctx, time.Hour)
					joined = true
					return 0, nil
				})
				task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					if wait {
						_ = repaint.Sleep(ctx, time.Millisecond)
					}
					failNow()
					return 0, nil
				})
				_, _ = repaint.Await(ctx, task)
				returned = true
				return nil
			})
			returned = true
		}()
		<-done
		require.True(t, fake.Failed())
		require.False(t, returned)
		require.True(t, joined, "the other task is ended in order")
	}
}

func TestGoexitInATaskIsTheErrorOfItsFuture(t *testing.T) {
	leakcheck.Test(t)
	var task *repaint.Task[int]
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = repaint.Run(context.Background(), func(ctx context.Context) error {
			task = repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				_ = repaint.Sleep(ctx, 0)
				runtime.Goexit()
				return 0, nil
			})
			_, err := repaint.Await(ctx, task)
			return err
		})
	}()
	<-done
	_, err := task.Result()
	require.ErrorIs(t, err, loop.ErrGoexit)
}

func TestAnErrorThrownIntoATaskIsWhatItsAwaitReturns(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		never := loop.NewPromise[int](repaint.CurrentLoop())
		var waiting *greenlet.Greenlet
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			waiting = greenlet.Current()
			v, err := repaint.Await(ctx, never.Future())
			require.Equal(t, errBoom, err)
			require.Zero(t, repaint.CurrentStats().Waiting)
			return v, repaint.Sleep(ctx, time.Second)
		})
		require.Equal(t, 1, repaint.CurrentStats().Waiting)
		_, err := waiting.Throw(errBoom)
		require.NoError(t, err)
		never.Resolve(1) // no code waits for it any more
		_, err = repaint.Await(ctx, task)
		require.NoError(t, err)
	})
}

// A task that switches to a greenlet lends it its place: when the greenlet waits, the task waits.
func TestATaskThatRecoversFromBeingKilledGoesOnInTheKillersPlace(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		never := loop.NewPromise[int](repaint.CurrentLoop())
		var waiting *greenlet.Greenlet
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			waiting = greenlet.Current()
			func() {
				defer func() { require.True(t, greenlet.IsKill(recover())) }()
				_, _ = repaint.Await(ctx, never.Future())
			}()
			require.Zero(t, repaint.CurrentStats().Waiting)
			return 7, repaint.Sleep(ctx, time.Second)
		})
		require.NoError(t, waiting.Kill())
		require.True(t, task.Done(), "it has ended before Kill returned")
		never.Resolve(1)
		v, err := repaint.Await(ctx, task)
		require.NoError(t, err)
		require.Equal(t, 7, v)
	})
}

// The cost of a level doesn't depend on the depth.
func TestTasksMaySpawnThemselvesDeep(t *testing.T) {
	const depth = 3000
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		before := footprint()
		gate := loop.NewPromise[int](repaint.CurrentLoop())
		outermost := repaint.Spawn(ctx, nested(1, depth, gate.Future()))
		require.Less(t, int(footprint()-before)/depth, 16<<10, "bytes a level")
		gate.Resolve(1)
		v, err := repaint.Await(ctx, outermost)
		require.Equal(t, 1, v)
		return err
	}))
}
