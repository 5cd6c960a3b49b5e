package repaint_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// turns makes so many tasks take so many turns each, and returns the loop's figures for that time.
func turns(t *testing.T, ctx context.Context, tasks, each int) repaint.Stats {
	t.Helper()
	gate := loop.NewPromise[int](repaint.CurrentLoop())
	g := repaint.NewGroup(ctx)
	for range tasks {
		g.Go(func(ctx context.Context) error {
			if _, err := repaint.Await(ctx, gate.Future()); err != nil {
				return err
			}
			for range each {
				if err := repaint.Sleep(ctx, 0); err != nil {
					return err
				}
			}
			return nil
		})
	}
	before := repaint.CurrentStats()
	gate.Resolve(1)
	require.NoError(t, g.Wait())
	after := repaint.CurrentStats()
	after.Switches -= before.Switches
	after.Ticks -= before.Ticks
	after.Callbacks -= before.Callbacks
	return after
}

func TestATurnIsOneSwitchAndEachRoundATick(t *testing.T) {
	const tasks, each = 10, 50
	virtually(t, func(ctx context.Context) {
		s := turns(t, ctx, tasks, each)
		require.Equal(t, uint64(each+1), s.Ticks)
		require.Equal(t, uint64(tasks*(each+1)), s.Callbacks)
		require.LessOrEqual(t, s.Switches, uint64(tasks*(each+1)+2*each/16), "one switch a turn; every 64 ticks the driver looks around")
		one := turns(t, ctx, 1, 60)
		require.LessOrEqual(t, one.Switches, uint64(10), "whose turn comes next goes on")
		require.Equal(t, uint64(61), one.Ticks)
	})
}

func TestWhereTheDriverIsNeededItGetsControl(t *testing.T) {
	const tasks, each = 10, 50
	switches := func(t *testing.T, opts ...loop.Option) uint64 {
		leakcheck.Test(t)
		var s repaint.Stats
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			s = turns(t, ctx, tasks, each)
			return nil
		}, opts...))
		return s.Switches
	}
	const all = 2 * tasks * (each + 1)
	t.Run("seed", func(t *testing.T) { require.GreaterOrEqual(t, switches(t, loop.Seed(1)), uint64(all)) })
	t.Run("debug mode", func(t *testing.T) { require.GreaterOrEqual(t, switches(t, loop.Debug(time.Hour)), uint64(all)) })
	t.Run("tracer", func(t *testing.T) {
		defer greenlet.AddTracer(func(greenlet.Event, *greenlet.Greenlet, *greenlet.Greenlet) {})()
		require.GreaterOrEqual(t, switches(t), uint64(all))
	})
}

func TestHooksAreCalledBetweenTheTicksOfTasksThatFollowEachOther(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		l := repaint.CurrentLoop()
		driver := greenlet.Current()
		var d []string
		remove := l.OnTickEnd(func() {
			require.Same(t, driver, greenlet.Current())
			d = append(d, "|")
		})
		g := repaint.NewGroup(ctx)
		for i := range 3 {
			g.Go(func(ctx context.Context) error {
				for range 3 {
					d = append(d, fmt.Sprint(i))
					if i == 1 {
						l.CallAtTickEnd(ended(func() { d = append(d, "end") }))
					}
					if err := repaint.Sleep(ctx, 0); err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		remove()
		require.Equal(t, []string{
			"0", "1", "2", // before the loop is driven
			"0", "1", "2", "|", "end", "end",
			"0", "1", "2", "|", "end",
			"|",
		}, d)
	})
}

type ended func()

func (fn ended) RunInLoop() { fn() }

func TestCallbacksBetweenTasksRunInTheDriverAndInTheirOrder(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		l := repaint.CurrentLoop()
		driver := greenlet.Current()
		var d []string
		g := repaint.NewGroup(ctx)
		for i := range 4 {
			g.Go(func(ctx context.Context) error {
				for round := range 3 {
					d = append(d, fmt.Sprint("task ", i, ".", round))
					if i == 1 {
						l.CallSoon(func() {
							require.Same(t, driver, greenlet.Current())
							require.False(t, repaint.InGreenlet())
							d = append(d, fmt.Sprint("callback ", round))
						})
					}
					if err := repaint.Sleep(ctx, 0); err != nil {
						return err
					}
				}
				return nil
			})
		}
		require.NoError(t, g.Wait())
		require.Equal(t, []string{
			"task 0.0", "task 1.0", "task 2.0", "task 3.0",
			"task 0.1", "callback 0", "task 1.1", "task 2.1", "task 3.1",
			"task 0.2", "callback 1", "task 1.2", "task 2.2", "task 3.2", "callback 2",
		}, d)
	})
}

// The main function's turn is between two ticks, even if the tasks alone would go on forever.
func TestTheMainFunctionGoesOnBetweenTwoTicksOfTasks(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		l := repaint.CurrentLoop()
		p := loop.NewPromise[int](l)
		turns := [2]int{}
		var tasks []*repaint.Task[int]
		for i := range turns {
			tasks = append(tasks, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				for {
					if turns[i]++; turns[i] == 5 && i == 0 {
						p.Resolve(1)
					}
					if err := repaint.Sleep(ctx, 0); err != nil {
						return 0, err
					}
				}
			}))
		}
		_, err := repaint.Await(ctx, p.Future())
		require.NoError(t, err)
		require.Equal(t, [2]int{5, 5}, turns)

		inner, cancel := context.WithCancel(ctx)
		stop := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			cancel()
			return 0, repaint.Sleep(ctx, 0)
		})
		_, err = repaint.Await(inner, loop.NewPromise[int](l).Future())
		require.ErrorIs(t, err, context.Canceled)
		for _, task := range append(tasks, stop) {
			task.Cancel(nil)
		}
	})
}

// A task that has locked its thread can't give control to another one. It gets an error that says
// so, and the others lose nothing.
func TestATaskThatLocksItsThreadTakesNobodysTurn(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		if !ownLockIsSeen() {
			t.Skip("the state of thread locking can't be seen here")
		}
		gate := loop.NewPromise[int](repaint.CurrentLoop())
		var order []int
		var locked error
		g := repaint.NewGroup(ctx)
		for i := range 5 {
			g.Go(func(ctx context.Context) error {
				if _, err := repaint.Await(ctx, gate.Future()); err != nil {
					return err
				}
				order = append(order, i)
				if i == 1 {
					runtime.LockOSThread()
					locked = repaint.Sleep(ctx, 0)
					runtime.UnlockOSThread()
				}
				return repaint.Sleep(ctx, 0)
			})
		}
		gate.Resolve(1)
		require.NoError(t, g.Wait())
		require.ErrorIs(t, locked, greenlet.ErrThreadLock)
		require.Equal(t, []int{0, 1, 2, 3, 4}, order)
	})
}

func ownLockIsSeen() bool {
	before := greenlet.CurrentThreadLock()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return greenlet.CurrentThreadLock() != before
}

// A task may wait in a greenlet of its own, be killed there, or be spawned by a task or a callback.
func TestTasksOfAllKindsFollowEachOther(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		l := repaint.CurrentLoop()
		gate := loop.NewPromise[int](l)
		wait := func(ctx context.Context) (int, error) {
			if _, err := repaint.Await(ctx, gate.Future()); err != nil {
				return 0, err
			}
			return 1, repaint.Sleep(ctx, 0)
		}
		var tasks []*repaint.Task[int]
		tasks = append(tasks, repaint.Spawn(ctx, wait))
		tasks = append(tasks, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			v, err := greenlet.New(func(any) (any, error) { return wait(ctx) }).Switch(nil)
			if err != nil {
				return 0, err
			}
			return v.(int), repaint.Sleep(ctx, 0)
		}))
		tasks = append(tasks, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			child := repaint.Spawn(ctx, wait)
			if _, err := wait(ctx); err != nil {
				return 0, err
			}
			return repaint.Await(ctx, child)
		}))
		l.CallSoon(func() { tasks = append(tasks, repaint.Spawn(ctx, wait)) })
		require.NoError(t, repaint.Sleep(ctx, 0))
		tasks = append(tasks, repaint.Spawn(ctx, wait))
		gate.Resolve(1)
		require.Len(t, tasks, 5)
		for _, task := range tasks {
			v, err := repaint.Await(ctx, task)
			require.NoError(t, err)
			require.Equal(t, 1, v)
		}
	})
}
