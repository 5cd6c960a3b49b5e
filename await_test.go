package repaint_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestAwaitOfTheOuterLoopsFutureInARunIsRefused(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		outer := loop.NewPromise[int](repaint.CurrentLoop())
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return 0, repaint.Run(ctx, func(ctx context.Context) error {
				_, err := repaint.Await(ctx, outer.Future())
				require.ErrorIs(t, err, repaint.ErrOtherLoop)
				_, err = repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					return repaint.Await(ctx, outer.Future())
				}))
				require.ErrorIs(t, err, repaint.ErrOtherLoop)
				return nil
			})
		}))
		require.NoError(t, err)
	})
}

func TestAwaitWorksAtAnyDepth(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		root := greenlet.Current()
		t.Log("in a raw greenlet inside a task, beside another task")
		raw := func(ctx context.Context) (int, error) {
			task := greenlet.Current()
			require.NotSame(t, root, task)
			v, err := greenlet.New(func(any) (any, error) {
				return greenlet.New(func(any) (any, error) {
					if err := repaint.Sleep(ctx, time.Second); err != nil {
						return nil, err
					}
					return repaint.Await(ctx, later(20))
				}).Switch(nil)
			}).Switch(nil)
			require.Same(t, task, greenlet.Current())
			return v.(int), err
		}
		got, err := repaint.Gather(ctx, raw, raw, func(ctx context.Context) (int, error) { return 2, repaint.Sleep(ctx, time.Second) })
		require.NoError(t, err)
		require.Equal(t, []int{20, 20, 2}, got)

		t.Log("in a raw greenlet of the main function")
		v, err := greenlet.New(func(any) (any, error) {
			if err := repaint.Sleep(ctx, time.Second); err != nil {
				return nil, err
			}
			return repaint.Await(ctx, later(5))
		}).Switch(nil)
		require.NoError(t, err)
		require.Equal(t, 5, v)
	})
}

func TestAwaitOfAFinishedFutureDoesNotSwitch(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			before := repaint.CurrentStats()
			v, err := repaint.Await(ctx, loop.Resolved(7))
			require.NoError(t, err)
			_, err = repaint.Await(ctx, loop.Failed[int](errBoom))
			require.Equal(t, errBoom, err)
			require.Equal(t, before, repaint.CurrentStats())
			return v, nil
		})
		v, err := repaint.Await(ctx, task)
		require.NoError(t, err)
		require.Equal(t, 7, v)
	})
}

func TestAwaitAnywhere(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		v, err := repaint.Await(ctx, later("value"))
		require.NoError(t, err)
		require.Equal(t, "value", v)
		_, err = repaint.Await(ctx, loop.Failed[int](errBoom))
		require.Equal(t, errBoom, err)
	})
}

func TestAwaitInAGoroutineThatATaskStartedWaitsForReal(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		release := loop.NewPromise[int](nil)
		done := loop.NewPromise[int](nil)
		blue := func(ctx context.Context) { // a library that makes its own goroutine and hands the context on
			go done.Complete(func() (int, error) {
				if repaint.InGreenlet() || repaint.CurrentLoop() != nil {
					return 0, errors.New("a child goroutine thinks it is in the loop")
				}
				if _, err := repaint.AwaitOnly(ctx, release.Future()); !errors.Is(err, repaint.ErrNoGreenlet) {
					return 0, err
				}
				return repaint.Await(ctx, release.Future())
			})
		}
		got, err := repaint.Gather(ctx, func(ctx context.Context) (int, error) {
			blue(ctx)
			return repaint.Await(ctx, done.Future())
		}, func(ctx context.Context) (int, error) {
			defer release.Resolve(42)
			return 1, repaint.Sleep(ctx, time.Second)
		})
		require.NoError(t, err)
		require.Equal(t, []int{42, 1}, got)
	})
}

func TestAwaitOfATaskFromAnotherGoroutine(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 3, repaint.Sleep(ctx, time.Second) })
		elsewhere := loop.NewPromise[int](nil)
		go elsewhere.Complete(func() (int, error) { return repaint.Await(context.Background(), task) })
		v, err := repaint.Await(ctx, elsewhere.Future())
		require.NoError(t, err)
		require.Equal(t, 3, v)
	})
}

func TestAwaitOfAFutureWhoseLoopHasEnded(t *testing.T) {
	var orphan *loop.Promise[int]
	waiting := make(chan error)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		orphan = loop.NewPromise[int](repaint.CurrentLoop())
		go func() { // it has waited since before the end
			_, err := repaint.Await(context.Background(), orphan.Future())
			waiting <- err
		}()
		return nil
	}))
	require.ErrorIs(t, <-waiting, loop.ErrClosed)
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		_, err := repaint.Await(ctx, orphan.Future())
		require.ErrorIs(t, err, loop.ErrClosed)
	})
}

func TestAwaitInACallbackIsRefused(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		p := loop.NewPromise[int](repaint.CurrentLoop())
		done := loop.NewPromise[int](repaint.CurrentLoop())
		repaint.CurrentLoop().CallSoon(func() {
			_, err := repaint.Await(ctx, p.Future())
			require.ErrorIs(t, err, repaint.ErrInCallback)
			require.ErrorIs(t, repaint.Sleep(ctx, 1), repaint.ErrInCallback)
			_, err = repaint.Block(ctx, func(context.Context) (int, error) { t.Error("must not run"); return 0, nil })
			require.ErrorIs(t, err, repaint.ErrInCallback)
			// A task that it spawns can wait.
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				v, err := repaint.Await(ctx, p.Future())
				done.Resolve(v)
				return v, err
			})
			p.Resolve(1)
		})
		v, err := repaint.Await(ctx, done.Future())
		require.NoError(t, err)
		require.Equal(t, 1, v)
	})
}

func TestAwaitOnly(t *testing.T) {
	leakcheck.Test(t)
	f := loop.Resolved(1)
	_, err := repaint.AwaitOnly(t.Context(), f)
	require.ErrorIs(t, err, repaint.ErrNoGreenlet)
	require.ErrorContains(t, err, "AwaitOnly")
	require.ErrorContains(t, err, "repaint.Spawn")
	require.False(t, repaint.InGreenlet())

	virtually(t, func(ctx context.Context) {
		_, err := repaint.AwaitOnly(ctx, f)
		require.ErrorIs(t, err, repaint.ErrNoGreenlet, "the main function isn't a greenlet")
		v, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			require.True(t, repaint.InGreenlet())
			return repaint.AwaitOnly(ctx, later(2))
		}))
		require.NoError(t, err)
		require.Equal(t, 2, v)
	})
}

func TestSleep(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		start := time.Now()
		require.NoError(t, repaint.Sleep(ctx, time.Millisecond))
		require.GreaterOrEqual(t, time.Since(start), time.Millisecond)
		require.NoError(t, repaint.Sleep(ctx, 0))
		require.NoError(t, repaint.Sleep(ctx, -1))
	})
}

func TestSleepZeroGivesOthersATurn(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var log []int
		g := repaint.NewGroup(ctx)
		for i := range 3 {
			g.Go(func(ctx context.Context) error {
				for range 2 {
					log = append(log, i)
					if err := repaint.Sleep(ctx, 0); err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		require.Equal(t, []int{0, 1, 2, 0, 1, 2}, log)
	})
}

func TestSleepersWakeInOrder(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var log []int
		g := repaint.NewGroup(ctx)
		for _, n := range []int{3, 1, 2, 1} {
			g.Go(func(ctx context.Context) error {
				err := repaint.Sleep(ctx, time.Duration(n)*time.Hour)
				log = append(log, n)
				return err
			})
		}
		require.NoError(t, g.Wait())
		require.Equal(t, []int{1, 1, 2, 3}, log)
	})
}

func TestBlock(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		inLoop := repaint.InGreenlet()
		here := make(chan bool, 1)
		v, err := repaint.Block(ctx, func(ctx context.Context) (int, error) {
			here <- repaint.InGreenlet()
			return 5, errBoom
		})
		require.Equal(t, errBoom, err)
		require.Equal(t, 5, v, "as a function may return both")
		require.False(t, <-here, "the function runs in a plain goroutine in both colours")
		v, err = repaint.Block(ctx, func(ctx context.Context) (int, error) { return 5, nil })
		require.NoError(t, err)
		require.Equal(t, 5, v)
		require.Equal(t, inLoop, repaint.InGreenlet())
		func() {
			defer func() {
				r := recover()
				if p, ok := r.(*loop.PanicError); ok {
					r = p.Value
				}
				require.Equal(t, errBoom, r)
			}()
			_, _ = repaint.Block(ctx, func(context.Context) (int, error) { return panics(), nil })
		}()
	})
}

func TestBlockReturnsWhenTheFunctionHas(t *testing.T) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		ended := false
		_, err := repaint.Block(ctx, func(ctx context.Context) (int, error) {
			cancel(errBoom)
			<-ctx.Done()
			ended = true
			return 0, context.Cause(ctx)
		})
		require.ErrorIs(t, err, errBoom)
		require.True(t, ended)
	})
}

func TestBlockLetsOthersRun(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		gate := make(chan struct{})
		got, err := repaint.Gather(ctx, func(ctx context.Context) (int, error) {
			return repaint.Block(ctx, func(context.Context) (int, error) { <-gate; return 1, nil })
		}, func(ctx context.Context) (int, error) {
			close(gate)
			return 2, nil
		})
		require.Equal(t, []int{1, 2}, got)
		// In the main function, too.
		v, err2 := repaint.Block(ctx, func(context.Context) (int, error) { return 3, nil })
		require.Equal(t, 3, v)
		return errors.Join(err, err2)
	}))
}

func TestBlockThatCouldNotBeginIsDropped(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		gate := make(chan struct{})
		busy := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return repaint.Block(ctx, func(context.Context) (int, error) { <-gate; return 1, nil })
		})
		dropped := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return repaint.Block(ctx, func(context.Context) (int, error) { t.Error("must not run"); return 1, nil })
		})
		dropped.Cancel(errBoom)
		_, err := repaint.Await(ctx, dropped)
		require.ErrorIs(t, err, errBoom)
		close(gate)
		_, err = repaint.Await(ctx, busy)
		return err
	}, loop.OffloadLimit(1)))
}

func TestGoexitInBlockGoesOnInTheCaller(t *testing.T) {
	leakcheck.Test(t)
	returned := false
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = repaint.Run(context.Background(), func(ctx context.Context) error {
			_, _ = repaint.Block(ctx, func(context.Context) (int, error) { runtime.Goexit(); return 0, nil })
			returned = true
			return nil
		})
	}()
	<-done
	require.False(t, returned)
}
