package bridgetest

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// When a cancel comes, and what becomes of it.

func TestCancelBeforeTheFirstStepEndsTheFirstWait(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		ended, cancel := context.WithCancelCause(ctx)
		cancel(ErrBoom)
		begun := false
		task := Spawn(ended, func(ctx context.Context) error {
			begun = true
			require.Equal(t, ErrBoom, context.Cause(ctx))
			return repaint.Sleep(ctx, time.Hour)
		})
		require.True(t, begun, "it begins all the same")
		require.True(t, task.Done(), "and needs no turn of the loop to end")
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, ErrBoom)
	})
}

func TestATaskMayCancelItself(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var task *repaint.Task[struct{}]
		task = Spawn(ctx, func(ctx context.Context) error {
			if err := repaint.Sleep(ctx, 0); err != nil {
				return err
			}
			require.True(t, task.Cancel(ErrBoom))
			require.Equal(t, ErrBoom, context.Cause(ctx))
			return repaint.Sleep(ctx, time.Hour)
		})
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, ErrBoom)
	})
}

func TestATaskThatIsReadyAndThenCancelledLosesNothing(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		// The task is ready but hasn't run yet. In asyncio this is the cancel of a task whose step
		// is scheduled.
		steps := 0
		task := Spawn(ctx, func(ctx context.Context) error {
			for {
				if err := repaint.Sleep(ctx, 0); err != nil {
					return err
				}
				steps++
			}
		})
		require.NoError(t, repaint.Sleep(ctx, 0))
		require.Equal(t, 1, steps)
		task.Cancel(ErrBoom)
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, ErrBoom)
		require.Equal(t, 2, steps, "the turn that it had asked for isn't lost")
	})
}

func TestCancelWhileQueuedForAPlaceInAGroupIsNoticedAfterwards(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		g := repaint.NewGroup(ctx)
		g.SetLimit(1)
		g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, time.Minute) })
		since := elapsed()
		queued := Spawn(ctx, func(ctx context.Context) error {
			g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, time.Minute) })
			require.Equal(t, time.Minute, since(), "Go waits to the end")
			return repaint.Sleep(ctx, 0)
		})
		queued.Cancel(ErrBoom)
		_, err := repaint.Await(ctx, queued)
		require.ErrorIs(t, err, ErrBoom)
		require.NoError(t, g.Wait(), "the group has another context")
		require.Equal(t, 2*time.Minute, since())
	})
}

func TestCancelOfAGroupWithFunctionsQueuedForAPlace(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		var begun, ended atomic.Int32
		g := repaint.NewGroup(ctx)
		g.SetLimit(2)
		for i := range 6 {
			g.Go(func(ctx context.Context) error {
				if begun.Add(1); i == 1 {
					cancel(ErrBoom)
				}
				defer ended.Add(1)
				return repaint.Sleep(ctx, time.Hour)
			})
		}
		require.ErrorIs(t, g.Wait(), ErrBoom)
		require.EqualValues(t, 6, begun.Load())
		require.EqualValues(t, 6, ended.Load())
	})
}

func TestCancelWhileOffloadedEndsTheWaitAtOnceAndTheJoinedOneInTheEnd(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		for name, joined := range map[string]bool{"loop.Offload": false, "Block": true} {
			begun, release := make(chan struct{}), make(chan struct{})
			var returned atomic.Bool
			work := func() (int, error) {
				close(begun)
				<-release
				returned.Store(true)
				return 1, nil
			}
			task := Spawn(ctx, func(ctx context.Context) (err error) {
				if joined {
					_, err = repaint.Block(ctx, func(context.Context) (int, error) { return work() })
					require.True(t, returned.Load(), name)
					require.NoError(t, err, "what came in spite of the cancel isn't lost")
					return repaint.Sleep(ctx, 0)
				}
				_, err = repaint.Await(ctx, loop.Offload(repaint.CurrentLoop(), work))
				require.False(t, returned.Load(), name)
				close(release)
				return err
			})
			<-begun
			task.Cancel(ErrBoom)
			if joined {
				require.NoError(t, repaint.Sleep(ctx, 0))
				require.False(t, task.Done(), name)
				close(release)
			}
			_, err := repaint.Await(ctx, task)
			require.ErrorIs(t, err, ErrBoom, name)
		}
		return nil
	}))
}

func TestCancelOfWhatWaitsToBeOffloadedDropsIt(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		release := make(chan struct{})
		busy := loop.Offload(repaint.CurrentLoop(), func() (int, error) { <-release; return 1, nil })
		var tasks []*repaint.Task[struct{}]
		for range 3 {
			tasks = append(tasks, Spawn(ctx, func(ctx context.Context) error {
				_, err := repaint.Await(ctx, loop.Offload(repaint.CurrentLoop(), func() (int, error) { t.Error("must not run"); return 0, nil }))
				return err
			}))
		}
		require.Equal(t, 3, repaint.CurrentStats().Queued)
		for _, task := range tasks {
			task.Cancel(ErrBoom)
			_, err := repaint.Await(ctx, task)
			require.ErrorIs(t, err, ErrBoom)
		}
		close(release)
		v, err := repaint.Await(ctx, busy)
		require.Equal(t, 1, v)
		return err
	}, loop.OffloadLimit(1)))
}

func TestCancelOfATaskInTheTickInWhichItEnds(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		l := repaint.CurrentLoop()
		for _, cancelFirst := range []bool{true, false} {
			var cancelled bool
			gate := loop.NewPromise[int](l)
			gate.OnCancel(func(error) {})
			task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return repaint.Await(ctx, gate.Future()) })
			if cancelFirst {
				l.CallSoon(func() { cancelled = task.Cancel(ErrBoom) })
			}
			gate.Resolve(4)
			if !cancelFirst {
				l.CallSoon(func() { cancelled = task.Cancel(ErrBoom) })
			}
			v, err := repaint.Await(ctx, task)
			require.NoError(t, err)
			require.Equal(t, 4, v)
			require.NoError(t, repaint.Sleep(ctx, 0))
			require.Equal(t, cancelFirst, cancelled, "who is told false can rely on it that the task had ended")
		}
	})
}

func TestCancelFromOtherGoroutinesOfManyTasksThatAreJustEnding(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		for range 50 {
			p := loop.NewPromise[int](nil)
			var tasks []*repaint.Task[int]
			for range 8 {
				tasks = append(tasks, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					return repaint.Await(ctx, shielded(p.Future()))
				}))
			}
			go p.Resolve(1)
			go func() {
				for _, task := range tasks {
					task.Cancel(ErrBoom)
				}
			}()
			for _, task := range tasks {
				if v, err := repaint.Await(ctx, task); err != nil {
					require.ErrorIs(t, err, ErrBoom)
				} else {
					require.Equal(t, 1, v)
				}
			}
		}
		return nil
	}))
}

func TestACleanUpMayAwaitSpawnAndGroup(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		since := elapsed()
		task := repaint.Spawn(ctx, func(ctx context.Context) (sum int, err error) {
			defer func() {
				cleanup := context.WithoutCancel(ctx)
				got, e := repaint.Gather(cleanup, Sleeper(1, 1000), Sleeper(2, 2000), func(ctx context.Context) (int, error) {
					return repaint.Await(ctx, repaint.Spawn(ctx, Sleeper(3, 3000)))
				})
				require.NoError(t, e)
				for _, v := range got {
					sum += v
				}
			}()
			return 0, repaint.Sleep(ctx, time.Hour)
		})
		task.Cancel(ErrBoom)
		v, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, ErrBoom)
		require.Equal(t, 6, v)
		require.Equal(t, 3*time.Second, since())
	})
}

func TestASwallowedCancelReturnsAtEachFurtherWait(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		since := elapsed()
		task := repaint.Spawn(ctx, func(ctx context.Context) (noticed int, err error) {
			for range 100 {
				if errors.Is(repaint.Sleep(ctx, time.Minute), ErrBoom) {
					noticed++
				}
			}
			return noticed, nil
		})
		require.NoError(t, repaint.Sleep(ctx, 10*time.Minute+time.Second))
		task.Cancel(ErrBoom)
		v, err := repaint.Await(ctx, task)
		require.NoError(t, err)
		require.Equal(t, 90, v)
		require.Equal(t, 10*time.Minute+time.Second, since(), "no further wait takes its time")
	})
}

func TestCancelOfWhatWaitsForManyCancelsThemAndWaitsForAll(t *testing.T) {
	for name, many := range map[string]func(ctx context.Context, fns []func(context.Context) (int, error)) error{
		"Gather": func(ctx context.Context, fns []func(context.Context) (int, error)) error {
			_, err := repaint.Gather(ctx, fns...)
			return err
		},
		"Group": func(ctx context.Context, fns []func(context.Context) (int, error)) error {
			g := repaint.NewGroup(ctx)
			for _, fn := range fns {
				g.Go(func(ctx context.Context) error {
					_, err := fn(ctx)
					return err
				})
			}
			return g.Wait()
		},
		"First": func(ctx context.Context, fns []func(context.Context) (int, error)) error {
			_, err := repaint.First(ctx, fns...)
			return err
		},
		"AsCompleted": func(ctx context.Context, fns []func(context.Context) (int, error)) (last error) {
			for _, err := range repaint.AsCompleted(ctx, fns...) {
				last = err
			}
			return last
		},
		"Each": func(ctx context.Context, fns []func(context.Context) (int, error)) (last error) {
			call := func(ctx context.Context, fn func(context.Context) (int, error)) (int, error) { return fn(ctx) }
			for _, err := range repaint.Each(ctx, 0, slices.Values(fns), call) {
				last = err
			}
			return last
		},
	} {
		t.Run(name, func(t *testing.T) {
			Virtually(t, func(ctx context.Context) {
				since := elapsed()
				told, ended := 0, 0
				var fns []func(context.Context) (int, error)
				for i := range 4 {
					fns = append(fns, func(ctx context.Context) (int, error) {
						err := repaint.Sleep(ctx, time.Hour)
						if errors.Is(err, ErrBoom) && since() == 0 {
							told++
						}
						require.NoError(t, repaint.Sleep(context.WithoutCancel(ctx), time.Duration(i)*time.Second))
						ended++
						return 0, err
					})
				}
				task := Spawn(ctx, func(ctx context.Context) error {
					err := many(ctx, fns)
					require.Equal(t, 4, told)
					require.Equal(t, 4, ended)
					return err
				})
				task.Cancel(ErrBoom)
				_, err := repaint.Await(ctx, task)
				require.ErrorIs(t, err, ErrBoom)
				require.ErrorIs(t, err, context.Canceled)
				require.Equal(t, 3*time.Second, since())
			})
		})
	}
}

func TestCancelOfASpawnerReachesAllBelowInTheSameTick(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		const depth, width = 4, 3
		waiting, told := 0, 0
		since := elapsed()
		var grow func(depth int) func(ctx context.Context) error
		grow = func(depth int) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				if depth > 0 {
					for range width {
						Spawn(ctx, grow(depth-1))
					}
				}
				waiting++
				err := repaint.Sleep(ctx, time.Hour)
				if errors.Is(err, ErrBoom) {
					told++
				}
				return err
			}
		}
		top := Spawn(ctx, grow(depth))
		require.Equal(t, 1+3+9+27+81, waiting)
		top.Cancel(ErrBoom)
		_, err := repaint.Await(ctx, top)
		require.ErrorIs(t, err, ErrBoom)
		require.NoError(t, repaint.Sleep(ctx, 0))
		require.Equal(t, waiting, told)
		require.Zero(t, since())
		require.Zero(t, repaint.CurrentStats().Tasks)
	})
}

func TestDeadlineAndCauseComeThroughAllLayers(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithDeadlineCause(ctx, time.Now().Add(time.Millisecond), ErrBoom)
		defer cancel()
		ctx = context.WithValue(ctx, Key{}, 1)
		_, err := repaint.Gather(ctx, func(ctx context.Context) (int, error) {
			g := repaint.NewGroup(ctx)
			g.Go(func(ctx context.Context) error {
				_, err := repaint.First(ctx, func(ctx context.Context) (int, error) {
					at, ok := ctx.Deadline()
					require.True(t, ok)
					require.WithinDuration(t, time.Now(), at, time.Minute)
					err := repaint.Sleep(ctx, time.Hour)
					require.Equal(t, context.DeadlineExceeded, ctx.Err())
					require.Equal(t, ErrBoom, context.Cause(ctx))
					return 0, err
				})
				return err
			})
			return 0, g.Wait()
		})
		require.ErrorIs(t, err, ErrBoom)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, context.Canceled)
	})
}

func TestTheFirstCauseOfATaskCounts(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		outer, cancel := context.WithCancelCause(ctx)
		task := Spawn(outer, func(ctx context.Context) error {
			_ = ctx.Done() // as a library may do that knows only contexts
			return repaint.Sleep(ctx, time.Hour)
		})
		task.Cancel(ErrBoom)
		cancel(errors.New("too late"))
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, ErrBoom)
		require.NotContains(t, err.Error(), "too late")
	})
}

func TestAContextMadeBelowAScopeWhoseAncestorHasJustEnded(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		outer, cancel := context.WithCancel(ctx)
		_, err := repaint.Await(ctx, Spawn(outer, func(ctx context.Context) error {
			_, err := repaint.Await(context.WithoutCancel(ctx), Spawn(ctx, func(ctx context.Context) error {
				cancel()
				_ = ctx.Done() // package context notices what the scope has yet to be told
				return repaint.Sleep(ctx, 0)
			}))
			return err
		}))
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestACancelBelowAScopeWhoseAncestorHasJustEnded(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		outer, cancel := context.WithCancel(ctx)
		_, err := repaint.Await(ctx, Spawn(outer, func(ctx context.Context) error {
			task := Spawn(ctx, func(ctx context.Context) error {
				_ = ctx.Done()
				return repaint.Sleep(ctx, time.Hour)
			})
			cancel()
			task.Cancel(ErrBoom)
			_, err := repaint.Await(context.WithoutCancel(ctx), task)
			return err
		}))
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestTheFirstCauseOfATaskCountsAlsoIfNobodyHasLooked(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		outer, cancel := context.WithCancelCause(ctx)
		task := Spawn(outer, func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
		task.Cancel(ErrBoom)
		cancel(errors.New("too late"))
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, ErrBoom)
	})
}
