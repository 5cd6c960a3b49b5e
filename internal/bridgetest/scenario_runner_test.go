package bridgetest

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// What asyncio's runners promise, and more loops than one.

func TestARunWhoseContextHasEndedCallsMainWhoseWaitsFail(t *testing.T) {
	leakcheck.Test(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(ErrBoom)
	called := false
	err := repaint.Run(ctx, func(ctx context.Context) error {
		called = true
		_, err := repaint.Await(ctx, Spawn(ctx, func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) }))
		return err
	})
	require.ErrorIs(t, err, ErrBoom)
	require.True(t, called)
}

func TestErrorsOfTasksThatAreLeftDoNotReplaceMains(t *testing.T) {
	leakcheck.Test(t)
	joined := 0
	leave := func(ctx context.Context) {
		for range 3 {
			Spawn(ctx, func(ctx context.Context) error {
				_ = repaint.Sleep(ctx, time.Hour)
				joined++
				return errors.New("while ending")
			})
		}
	}
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		leave(ctx)
		return nil
	}))
	require.Equal(t, ErrBoom, repaint.Run(t.Context(), func(ctx context.Context) error {
		leave(ctx)
		return ErrBoom
	}))
	require.Equal(t, 6, joined)
}

func TestMainsOwnPanicIsMoreThanATasks(t *testing.T) {
	leakcheck.Test(t)
	require.PanicsWithValue(t, "main", func() {
		_ = repaint.Run(t.Context(), func(ctx context.Context) error {
			Spawn(ctx, func(context.Context) error { Panics(); return nil })
			panic("main")
		}, loop.ReportTo(func(error) {}))
	})
}

func TestTasksThatSpawnFurtherOnesWhileRunEndsAreJoinedToo(t *testing.T) {
	leakcheck.Test(t)
	begun, ended := 0, 0
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		var descend func(depth int) func(ctx context.Context) error
		descend = func(depth int) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				begun++
				defer func() { ended++ }()
				err := repaint.Sleep(ctx, time.Hour)
				if depth > 0 {
					Spawn(ctx, descend(depth-1))
					Spawn(context.WithoutCancel(ctx), descend(depth-1))
				}
				return err
			}
		}
		Spawn(ctx, descend(5))
		return nil
	}, loop.VirtualClock(time.Unix(0, 0))))
	require.Equal(t, 63, begun)
	require.Equal(t, 63, ended)
}

func TestRunsInARowAreIndependent(t *testing.T) {
	leakcheck.Test(t)
	seen := make(map[*loop.Loop]bool)
	for i := range 10 {
		err := repaint.Run(t.Context(), func(ctx context.Context) error {
			seen[repaint.CurrentLoop()] = true
			require.Zero(t, repaint.CurrentStats().Tasks)
			Spawn(ctx, func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
			if i%2 == 0 {
				return ErrBoom
			}
			return repaint.Sleep(ctx, 0)
		})
		require.Equal(t, i%2 == 0, err != nil)
		require.Nil(t, repaint.CurrentLoop())
	}
	require.Len(t, seen, 10)
}

func TestNestedRunsComeBackToTheirOuterLoopHoweverTheyEnd(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		outer := repaint.CurrentLoop()
		progress := 0
		background := Spawn(ctx, func(ctx context.Context) error {
			for repaint.Sleep(ctx, 0) == nil {
				progress++
			}
			return nil
		})
		var nest func(ctx context.Context, depth int)
		nest = func(ctx context.Context, depth int) {
			if depth == 0 {
				Panics()
			}
			here := repaint.CurrentLoop()
			p := Recovered(func() {
				_ = repaint.Run(ctx, func(ctx context.Context) error {
					require.NotSame(t, here, repaint.CurrentLoop())
					Spawn(ctx, func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
					_, err := repaint.Await(ctx, Spawn(ctx, func(ctx context.Context) error {
						if err := repaint.Sleep(ctx, 0); err != nil {
							return err
						}
						nest(ctx, depth-1)
						return nil
					}))
					return err
				}, loop.VirtualClock(time.Unix(0, 0)))
			})
			require.ErrorIs(t, p, ErrBoom)
			require.Same(t, here, repaint.CurrentLoop())
			panic(p)
		}
		require.ErrorIs(t, Recovered(func() { nest(ctx, 4) }), ErrBoom)
		require.Zero(t, progress, "the outer loop stands still meanwhile")
		require.Same(t, outer, repaint.CurrentLoop())
		for range 3 {
			require.NoError(t, repaint.Sleep(ctx, 0))
		}
		require.Positive(t, progress)
		background.Cancel(nil)
		_, err := repaint.Await(ctx, background)
		require.NoError(t, err)
	})
}

func TestARunInACallbackStandsAlone(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		done := loop.NewPromise[[]int](repaint.CurrentLoop())
		repaint.CurrentLoop().CallSoon(func() {
			var got []int
			err := repaint.Run(ctx, func(ctx context.Context) (err error) {
				got, err = repaint.Gather(ctx, Sleeper(1, 1), Sleeper(2, 0))
				return err
			}, loop.VirtualClock(time.Unix(0, 0)))
			done.Settle(got, err)
		})
		got, err := repaint.Await(ctx, done.Future())
		require.NoError(t, err)
		require.Equal(t, []int{1, 2}, got)
	})
}

func TestADeadlockOfANestedRunIsItsOwn(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		Spawn(ctx, func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
		err := repaint.Run(ctx, func(ctx context.Context) error {
			_, err := repaint.Await(ctx, loop.NewPromise[int](repaint.CurrentLoop()).Future())
			return err
		})
		var dead *repaint.DeadlockError
		require.ErrorAs(t, err, &dead)
		require.Len(t, dead.Waiting, 1, "the outer loop's tasks aren't its business")
		require.NoError(t, repaint.Sleep(ctx, time.Minute))
	})
}

func TestCancelOfATaskReachesTheRunInside(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		begun := make(chan struct{})
		var inner error
		task := make(chan *repaint.Task[struct{}], 1)
		go func() {
			<-begun
			(<-task).Cancel(ErrBoom) // the outer loop can't: it stands still
		}()
		running := Spawn(ctx, func(ctx context.Context) error {
			if err := repaint.Sleep(ctx, 0); err != nil {
				return err
			}
			return repaint.Run(ctx, func(ctx context.Context) error {
				close(begun)
				inner = repaint.Sleep(ctx, time.Hour)
				return inner
			})
		})
		task <- running
		_, err := repaint.Await(ctx, running)
		require.ErrorIs(t, err, ErrBoom)
		require.ErrorIs(t, inner, ErrBoom)
		return nil
	}))
}

func TestGoroutinesThatTasksStartMayRunLoopsOfTheirOwn(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		outer := repaint.CurrentLoop()
		g := repaint.NewGroup(ctx)
		for i := range 8 {
			g.Go(func(ctx context.Context) error {
				result := loop.NewPromise[int](nil)
				go result.Complete(func() (v int, err error) {
					err = repaint.Run(ctx, func(ctx context.Context) error {
						if repaint.CurrentLoop() == outer {
							return errors.New("the loop of the starter")
						}
						got, err := repaint.Gather(ctx, Sleeper(i, 1), Sleeper(i, 0))
						v = got[0] + got[1]
						return err
					})
					return v, err
				})
				v, err := repaint.Await(ctx, result.Future())
				require.Equal(t, 2*i, v)
				require.Same(t, outer, repaint.CurrentLoop())
				return err
			})
		}
		require.NoError(t, g.Wait())
	})
}

// ring runs n loops at once. In each a task awaits one of the next loop.
func ring(n int, inEach func(ctx context.Context, i int, next func() *repaint.Task[int]) (int, error)) []error {
	tasks := make([]*repaint.Task[int], n)
	published := make([]chan struct{}, n)
	for i := range published {
		published[i] = make(chan struct{})
	}
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			errs[i] = repaint.Run(context.Background(), func(ctx context.Context) error {
				tasks[i] = repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					if err := repaint.Sleep(ctx, 0); err != nil {
						return 0, err
					}
					return inEach(ctx, i, func() *repaint.Task[int] {
						<-published[(i+1)%n]
						return tasks[(i+1)%n]
					})
				})
				close(published[i])
				_, err := repaint.Await(ctx, tasks[i])
				return err
			})
		})
	}
	wg.Wait()
	return errs
}

func TestLoopsOnAllCoresAwaitEachOthersTasks(t *testing.T) {
	leakcheck.Test(t)
	n := 4 * runtime.GOMAXPROCS(0)
	var hops atomic.Int32
	for _, err := range ring(n, func(ctx context.Context, i int, next func() *repaint.Task[int]) (int, error) {
		if i == n-1 {
			return 1, nil
		}
		v, err := repaint.Await(ctx, next())
		hops.Add(1)
		return v + 1, err
	}) {
		require.NoError(t, err)
	}
	require.EqualValues(t, n-1, hops.Load())
}

func TestCancelGoesFromLoopToLoop(t *testing.T) {
	leakcheck.Test(t)
	const n = 5
	atTheEnd := make(chan error, 1)
	waiting := make(chan struct{})
	for i, err := range ring(n, func(ctx context.Context, i int, next func() *repaint.Task[int]) (int, error) {
		switch i {
		case 0:
			below := next()
			ctx, cancel := context.WithCancelCause(ctx)
			go func() {
				<-waiting
				cancel(ErrBoom)
			}()
			return repaint.Await(ctx, below)
		case n - 1:
			close(waiting)
			err := repaint.Sleep(ctx, time.Hour)
			atTheEnd <- err
			return 0, err
		}
		return repaint.Await(ctx, next())
	}) {
		require.ErrorIs(t, err, ErrBoom, i)
	}
	require.ErrorIs(t, <-atTheEnd, ErrBoom)
}

func TestAGreenletThatWaitsForAnotherLoopIsToldWhenThatEnds(t *testing.T) {
	leakcheck.Test(t)
	begun := make(chan *loop.Promise[int])
	mayEnd := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_ = repaint.Run(context.Background(), func(ctx context.Context) error {
			begun <- loop.NewPromise[int](repaint.CurrentLoop())
			<-mayEnd
			return nil
		})
	})
	orphan := <-begun
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		for range 3 {
			g.Go(func(ctx context.Context) error {
				_, err := repaint.Await(ctx, orphan.Future())
				require.ErrorIs(t, err, loop.ErrClosed)
				return nil
			})
		}
		close(mayEnd) // they wait by now
		require.NoError(t, g.Wait())
		_, err := repaint.Await(ctx, orphan.Future())
		return err
	})
	require.ErrorIs(t, err, loop.ErrClosed)
	wg.Wait()
	require.False(t, orphan.Resolve(1))
}

func TestResultsOfALoopOutliveIt(t *testing.T) {
	leakcheck.Test(t)
	var done *repaint.Task[int]
	var left *repaint.Task[struct{}]
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		done = repaint.Spawn(ctx, Sleeper(5, 0))
		left = Spawn(ctx, func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
		return repaint.Sleep(ctx, time.Millisecond)
	}))
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		v, err := repaint.Await(ctx, done)
		require.NoError(t, err)
		require.Equal(t, 5, v)
		_, err = repaint.Await(ctx, left)
		require.ErrorIs(t, err, context.Canceled)
	})
}

func TestWhatIsPostedToALoopThatHasEndedIsDropped(t *testing.T) {
	leakcheck.Test(t)
	var l *loop.Loop
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		l = repaint.CurrentLoop()
		return nil
	}))
	l.Post(func() { t.Error("must not run") })
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error { return repaint.Sleep(ctx, 0) }))
}

func TestATaskCannotBeSpawnedWithALoopThatHasEnded(t *testing.T) {
	leakcheck.Test(t)
	var late context.Context
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		late = ctx
		return nil
	}))
	_, err := Spawn(late, func(context.Context) error { t.Error("must not run"); return nil }).Result()
	require.ErrorIs(t, err, repaint.ErrNoLoop)
	require.ErrorIs(t, late.Err(), context.Canceled)
	Virtually(t, func(ctx context.Context) {
		_, err := repaint.Await(ctx, Spawn(late, func(ctx context.Context) error { return repaint.Sleep(ctx, 0) }))
		require.ErrorIs(t, err, context.Canceled, "in another loop its context has ended")
	})
}
