package repaint_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

var errBoom = errors.New("boom")

// virtually runs main in a loop with a virtual clock, and looks for leaks.
func virtually(t *testing.T, main func(ctx context.Context)) {
	t.Helper()
	leakcheck.Test(t)
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		main(ctx)
		return nil
	}, loop.WithVirtualClock(time.Unix(0, 0)))
	require.NoError(t, err)
}

// inBothColours runs a test in a plain goroutine and in a task of a loop.
func inBothColours(t *testing.T, test func(t *testing.T, ctx context.Context)) {
	t.Run("goroutine", func(t *testing.T) {
		leakcheck.Test(t)
		test(t, t.Context())
	})
	t.Run("task", func(t *testing.T) {
		leakcheck.Test(t)
		err := repaint.Run(t.Context(), func(ctx context.Context) error {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (any, error) {
				test(t, ctx)
				return nil, nil
			}))
			return err
		})
		require.NoError(t, err)
	})
}

// later returns an outside future that another goroutine completes.
func later[T any](v T) *loop.Future[T] {
	p := loop.NewPromise[T](nil)
	go p.Resolve(v)
	return p.Future()
}

func TestRunReturnsWhatMainReturns(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(context.Context) error { return nil }))
	require.Equal(t, errBoom, repaint.Run(t.Context(), func(context.Context) error { return errBoom }))
}

func TestRunCancelsAndJoinsWhatIsLeft(t *testing.T) {
	leakcheck.Test(t)
	var ends []string
	var inner context.Context
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		inner = ctx
		for range 2 {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				err := repaint.Sleep(ctx, time.Hour)
				// Cleaning up may wait.
				require.NoError(t, repaint.Sleep(context.WithoutCancel(ctx), time.Millisecond))
				ends = append(ends, err.Error())
				return 0, err
			})
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, ends, 2)
	require.Contains(t, ends[0], "context canceled")
	require.ErrorIs(t, inner.Err(), context.Canceled)
}

func TestRunKillsATaskThatCanNeverEnd(t *testing.T) {
	leakcheck.Test(t)
	unwound := false
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			defer func() { unwound = true }()
			never := loop.NewPromise[int](repaint.CurrentLoop())
			return repaint.Await(context.WithoutCancel(ctx), never.Future())
		}, repaint.Named("stubborn"))
		return errBoom
	})
	require.ErrorIs(t, err, errBoom)
	require.ErrorIs(t, err, repaint.ErrNotJoined)
	require.ErrorContains(t, err, "stubborn")
	require.True(t, unwound)
}

func TestRunInsideATaskStandsAlone(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		outer := repaint.CurrentLoop()
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			var sum int
			err := repaint.Run(ctx, func(ctx context.Context) error {
				require.NotSame(t, outer, repaint.CurrentLoop())
				got, err := repaint.Gather(ctx,
					func(ctx context.Context) (int, error) { return 1, repaint.Sleep(ctx, time.Millisecond) },
					func(ctx context.Context) (int, error) { return repaint.Await(ctx, later(2)) })
				sum = got[0] + got[1]
				return err
			})
			require.Same(t, outer, repaint.CurrentLoop())
			if e := repaint.Sleep(ctx, time.Second); e != nil {
				return 0, e
			}
			return sum, err
		})
		v, err := repaint.Await(ctx, task)
		require.NoError(t, err)
		require.Equal(t, 3, v)
	})
}

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

func TestManyLoopsAtOnce(t *testing.T) {
	leakcheck.Test(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			err := repaint.Run(context.Background(), func(ctx context.Context) error {
				g := repaint.NewGroup(ctx)
				sum := 0
				for range 100 {
					g.Go(func(ctx context.Context) error {
						v, err := repaint.Await(ctx, later(i))
						sum += v
						return err
					})
				}
				if err := g.Wait(); err != nil || sum != 100*i {
					t.Error(err, sum)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

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

func TestARawGreenletMaySwitchWhereverItsTaskIs(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		// A generator made in one task and used by another waits on behalf of the one that uses it.
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
		go func() { // waits since before the end
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
		// Through a task in between.
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

func TestPanicInATaskThatNobodyAwaitsIsRaisedByRun(t *testing.T) {
	leakcheck.Test(t)
	others := 0
	p := recovered(func() {
		_ = repaint.Run(t.Context(), func(ctx context.Context) error {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				_ = repaint.Sleep(ctx, time.Hour)
				others++
				return 0, nil
			})
			repaint.Spawn(ctx, func(context.Context) (int, error) { return panics(), nil })
			return nil
		})
	})
	require.ErrorIs(t, p, errBoom)
	require.Equal(t, 1, others, "the others are joined all the same")
}

func TestPanicInMainLeavesInOrder(t *testing.T) {
	leakcheck.Test(t)
	others := 0
	require.PanicsWithValue(t, "main", func() {
		_ = repaint.Run(t.Context(), func(ctx context.Context) error {
			repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				_ = repaint.Sleep(ctx, time.Hour)
				others++
				return 0, nil
			})
			panic("main")
		})
	})
	require.Equal(t, 1, others)
	require.Nil(t, greenlet.Lookup())
}

func panics() int { panic(errBoom) }

func recovered(fn func()) (p *loop.PanicError) {
	defer func() { p, _ = recover().(*loop.PanicError) }()
	fn()
	return nil
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

func TestDeadlockNamesWhoWaits(t *testing.T) {
	leakcheck.Test(t)
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		var one, two *repaint.Task[int]
		one = repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			if err := repaint.Sleep(ctx, time.Millisecond); err != nil {
				return 0, err
			}
			return repaint.Await(ctx, two)
		}, repaint.Named("one"))
		two = repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return repaint.Await(ctx, one) }, repaint.Named("two"))
		gate := loop.NewPromise[int](repaint.CurrentLoop())
		gate.Future().SetName("the gate")
		repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return repaint.Await(ctx, gate.Future()) }, repaint.Named("three"))
		_, err := repaint.Await(ctx, two)
		return err
	})
	require.ErrorIs(t, err, loop.ErrDeadlock)
	var dead *repaint.DeadlockError
	require.ErrorAs(t, err, &dead)
	require.Len(t, dead.Waiting, 4)
	require.Regexp(t, `the main function waits for task 2 \(two\)`, dead.Waiting[0])
	require.Regexp(t, `task 1 \(one\) \[.*bridge_test.go:\d+\] waits for task 2 \(two\)`, dead.Waiting[1])
	require.Regexp(t, `task 2 \(two\) .* waits for task 1 \(one\)`, dead.Waiting[2])
	require.Regexp(t, `task 3 \(three\) .* waits for the gate`, dead.Waiting[3])
	for _, line := range dead.Waiting {
		require.ErrorContains(t, err, line)
	}
}

func TestWaitingForOthersIsNoDeadlock(t *testing.T) {
	leakcheck.Test(t)
	p := loop.NewPromise[int](nil)
	started := make(chan struct{})
	go func() {
		<-started
		p.Resolve(1)
	}()
	err := repaint.Run(t.Context(), func(ctx context.Context) error {
		l := repaint.CurrentLoop()
		// Nobody awaits the outside future itself: a callback hands its result on.
		inside := loop.NewPromise[int](l)
		p.Future().OnDone(l, func() { v, _ := p.Future().Result(); inside.Resolve(v) })
		l.CallLater(time.Millisecond, func() { close(started) })
		v, err := repaint.Await(ctx, inside.Future())
		require.Equal(t, 1, v)
		return err
	})
	require.NoError(t, err)
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
	}, loop.WithOffloadLimit(1)))
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

func TestStatsCountWhoWaits(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		require.Zero(t, repaint.CurrentStats().Waiting)
		g := repaint.NewGroup(ctx)
		for range 10 {
			g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, 1) })
		}
		s := repaint.CurrentStats()
		require.Equal(t, []int{10, 10, 10}, []int{s.Tasks, s.Waiting, s.MaxWaiting})
		require.NoError(t, g.Wait())
		s = repaint.CurrentStats()
		require.Equal(t, []int{0, 0, 10}, []int{s.Tasks, s.Waiting, s.MaxWaiting})
		require.Positive(t, s.Switches)
	})
	require.Zero(t, repaint.CurrentStats())
}
