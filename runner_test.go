package repaint_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

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

func TestDeadlockNamesWhoWaits(t *testing.T) {
	leakcheck.Test(t)
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
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
	require.Regexp(t, `task 1 \(one\) \[.*runner_test.go:\d+\] waits for task 2 \(two\)`, dead.Waiting[1])
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
		// No code awaits the outside future itself: a callback passes its result on.
		inside := loop.NewPromise[int](l)
		p.Future().OnDone(l, func() { v, _ := p.Future().Result(); inside.Resolve(v) })
		l.CallLater(time.Millisecond, func() { close(started) })
		v, err := repaint.Await(ctx, inside.Future())
		require.Equal(t, 1, v)
		return err
	})
	require.NoError(t, err)
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

// A Goexit in a task continues in the function that gave the task control, and skips the rest of
// that. Deferred functions run as the main function, or as the task that spawned the task, and can
// wait.
func TestWhatIsDeferredRunsAsItsOwnerAfterAGoexit(t *testing.T) {
	exit := func(context.Context) (int, error) { runtime.Goexit(); return 0, nil }
	exitLater := func(ctx context.Context) (int, error) {
		_ = repaint.Sleep(ctx, 0)
		runtime.Goexit()
		return 0, nil
	}
	for mode, opts := range map[string][]loop.Option{"plain": nil, "debug": {loop.Debug(time.Minute)}} {
		for name, main := range map[string]func(ctx context.Context, waits func(inTask bool)){
			"in Spawn": func(ctx context.Context, waits func(bool)) {
				defer waits(false)
				repaint.Spawn(ctx, exit)
			},
			"in a wait": func(ctx context.Context, waits func(bool)) {
				defer waits(false)
				_, _ = repaint.Await(ctx, repaint.Spawn(ctx, exitLater))
			},
			"in a sleep": func(ctx context.Context, waits func(bool)) {
				defer waits(false)
				repaint.Spawn(ctx, exitLater)
				_ = repaint.Sleep(ctx, time.Hour)
			},
			"in Spawn of a task": func(ctx context.Context, waits func(bool)) {
				defer waits(false)
				_, _ = repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					defer waits(true)
					repaint.Spawn(ctx, exit)
					return 0, nil
				}))
			},
			"in Spawn of a task that was resumed": func(ctx context.Context, waits func(bool)) {
				defer waits(false)
				repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					defer waits(true)
					_ = repaint.Sleep(ctx, 0)
					repaint.Spawn(ctx, exit)
					return 0, nil
				})
				_ = repaint.Sleep(ctx, time.Hour)
			},
		} {
			t.Run(mode+", "+name, func(t *testing.T) {
				leakcheck.Test(t)
				seen := 0
				waits := func(inTask bool) {
					seen++
					assert.Equal(t, inTask, repaint.InGreenlet())
					v, err := repaint.Await(context.Background(), repaint.Spawn(context.Background(), func(ctx context.Context) (int, error) {
						return 7, repaint.Sleep(ctx, 0)
					}))
					assert.NoError(t, err)
					assert.Equal(t, 7, v)
					assert.Equal(t, inTask, repaint.InGreenlet())
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					_ = repaint.Run(context.Background(), func(ctx context.Context) error { main(ctx, waits); return nil }, opts...)
				}()
				<-done
				want := 1
				if strings.Contains(name, "of a task") {
					want = 2
				}
				assert.Equal(t, want, seen)
			})
		}
	}
}
