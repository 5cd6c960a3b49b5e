package bridgetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// What gevent promises of greenlets, links, pools and its hub.

func TestKilledTaskFailsWithTheExitOfItsGreenlet(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var own *greenlet.Greenlet
		unwound := false
		task := Spawn(ctx, func(ctx context.Context) error {
			defer func() { unwound = true }()
			own = greenlet.Current()
			return repaint.Sleep(ctx, time.Hour)
		})
		require.NoError(t, own.Kill())
		require.True(t, unwound)
		require.True(t, task.Done())
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, greenlet.ErrExit)
		require.Zero(t, repaint.CurrentStats().Timers)
		require.False(t, task.Cancel(nil), "to kill it again does nothing")
		require.NoError(t, own.Kill())
	})
}

func TestATaskThatIsKilledByAnotherLeavesTheKillerInControl(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var log []string
		var victim *greenlet.Greenlet
		Spawn(ctx, func(ctx context.Context) error {
			victim = greenlet.Current()
			defer func() { log = append(log, "victim unwinds") }()
			return repaint.Sleep(ctx, time.Hour)
		})
		_, err := repaint.Await(ctx, Spawn(ctx, func(ctx context.Context) error {
			log = append(log, "killer begins")
			require.NoError(t, victim.Kill())
			require.True(t, repaint.InGreenlet())
			require.NoError(t, repaint.Sleep(ctx, time.Second))
			log = append(log, "killer goes on")
			return nil
		}))
		require.NoError(t, err)
		require.Equal(t, []string{"killer begins", "victim unwinds", "killer goes on"}, log)
	})
}

func TestTheCauseOfACancelIsWhatTheTaskSees(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		type reason struct{ error }
		task := Spawn(ctx, func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
		task.Cancel(reason{ErrBoom})
		_, err := repaint.Await(ctx, task)
		var r reason
		require.ErrorAs(t, err, &r)
		require.Equal(t, ErrBoom, r.error)
	})
}

func TestLinksAreCalledInTheirOrderByTheLoop(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		l := repaint.CurrentLoop()
		var log []string
		link := func(f *loop.Future[int], text string) {
			f.OnDone(l, func() {
				v, err := f.Result()
				log = append(log, fmt.Sprint(text, " ", v, " ", err))
			})
		}
		works, fails := repaint.Spawn(ctx, Sleeper(1, 10)).AsFuture(), repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			_ = repaint.Sleep(ctx, 20*time.Millisecond)
			return 0, ErrBoom
		}).AsFuture()
		for i := range 3 {
			link(works, fmt.Sprint("link ", i))
		}
		link(fails, "failure")
		require.NoError(t, repaint.Sleep(ctx, time.Second))
		want := []string{"link 0 1 <nil>", "link 1 1 <nil>", "link 2 1 <nil>", "failure 0 boom"}
		require.Equal(t, want, log)
		link(works, "late")
		require.Equal(t, want, log, "not at once, even if it is done")
		require.NoError(t, repaint.Sleep(ctx, 0))
		require.Equal(t, append(want, "late 1 <nil>"), log)
	})
}

func TestALinkMaySpawn(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		l := repaint.CurrentLoop()
		p := loop.NewPromise[int](l)
		repaint.Spawn(ctx, Sleeper(2, 5)).AsFuture().OnDone(l, func() {
			repaint.Spawn(ctx, Sleeper(3, 5)).AsFuture().OnDone(l, func() { p.Resolve(4) })
		})
		v, err := repaint.Await(ctx, p.Future())
		require.NoError(t, err)
		require.Equal(t, 4, v)
	})
}

func TestATaskSpawnedLaterByATimer(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		since := elapsed()
		done := loop.NewPromise[time.Duration](repaint.CurrentLoop())
		timer := repaint.CurrentLoop().CallLater(time.Hour, func() {
			Spawn(ctx, func(ctx context.Context) error {
				err := repaint.Sleep(ctx, time.Minute)
				done.Resolve(since())
				return err
			})
		})
		never := repaint.CurrentLoop().CallLater(time.Minute, func() { t.Error("must not run") })
		require.True(t, never.Stop())
		at, err := repaint.Await(ctx, done.Future())
		require.NoError(t, err)
		require.Equal(t, time.Hour+time.Minute, at)
		require.False(t, timer.Stop())
	})
}

func TestIdleComesWhenNobodyElseIsReady(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var log []string
		Spawn(ctx, func(ctx context.Context) error {
			for i := range 3 {
				log = append(log, fmt.Sprint("busy ", i))
				if err := repaint.Sleep(ctx, 0); err != nil {
					return err
				}
			}
			log = append(log, "sleeps")
			return repaint.Sleep(ctx, time.Hour)
		})
		idle := loop.NewPromise[int](repaint.CurrentLoop())
		repaint.CurrentLoop().CallWhenIdle(func() { idle.Resolve(1) })
		_, err := repaint.Await(ctx, idle.Future())
		require.NoError(t, err)
		require.Equal(t, []string{"busy 0", "busy 1", "busy 2", "sleeps"}, log)
	})
}

func TestAPoolGoesOnAfterAnErrorAndYieldsInOrder(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		running, most := 0, 0
		var got []string
		for v, err := range repaint.Each(ctx, 4, slices.Values([]int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), func(ctx context.Context, v int) (int, error) {
			running++
			most = max(most, running)
			defer func() { running-- }()
			if err := repaint.Sleep(ctx, time.Duration(10-v)*time.Second); err != nil || v%4 == 3 {
				return 0, errors.Join(err, ErrBoom)
			}
			return v * v, nil
		}) {
			got = append(got, fmt.Sprint(v, err == nil))
		}
		require.Equal(t, []string{
			"0 true", "1 true", "4 true", "0 false", "16 true", "25 true", "36 true", "0 false", "64 true", "81 true",
		}, got)
		require.Equal(t, 4, most)
		require.Zero(t, running)
	})
}

func TestAPoolThatIsCancelledWithCallersWaitingForItsPlaces(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		pooled, end := context.WithCancelCause(ctx)
		g := repaint.NewGroup(pooled)
		g.SetLimit(2)
		begun := 0
		callers := repaint.NewGroup(ctx)
		for range 6 {
			callers.Go(func(context.Context) error {
				g.Go(func(ctx context.Context) error {
					begun++
					return repaint.Sleep(ctx, time.Hour)
				})
				return nil
			})
		}
		require.Equal(t, 2, begun)
		end(ErrBoom)
		require.NoError(t, callers.Wait(), "nobody waits for a place in vain")
		require.ErrorIs(t, g.Wait(), ErrBoom)
		require.Equal(t, 6, begun)
	})
}

func TestWaitForSomeOfManyWithATimeout(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		// In gevent this is wait with a count, and joinall with a timeout: the tasks go on.
		tasks := make([]*repaint.Task[int], 5)
		for i := range tasks {
			tasks[i] = repaint.Spawn(ctx, Sleeper(i, 10*(i+1)))
		}
		first := func(ctx context.Context, n int) (got []int) {
			fns := make([]func(context.Context) (int, error), len(tasks))
			for i, task := range tasks {
				f := shielded(task.AsFuture())
				fns[i] = func(ctx context.Context) (int, error) { return repaint.Await(ctx, f) }
			}
			for v, err := range repaint.AsCompleted(ctx, fns...) {
				if err != nil {
					break
				}
				if got = append(got, v); len(got) == n {
					break
				}
			}
			return got
		}
		require.Equal(t, []int{0, 1}, first(ctx, 2))
		limited, cancel := repaint.WithTimeout(ctx, 15*time.Millisecond)
		defer cancel()
		require.Equal(t, []int{0, 1, 2}, first(limited, 10))
		for i, task := range tasks {
			v, err := repaint.Await(ctx, task)
			require.NoError(t, err, "nobody was cancelled by it")
			require.Equal(t, i, v)
		}
	})
}

func TestAfterADeadlockTheMainFunctionMayGoOn(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		p := loop.NewPromise[int](repaint.CurrentLoop())
		p.OnCancel(func(error) {})
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return repaint.Await(ctx, p.Future()) })
		for range 3 {
			_, err := repaint.Await(ctx, task)
			require.ErrorIs(t, err, loop.ErrDeadlock)
			require.False(t, task.Done(), "the task isn't told: it still waits")
		}
		require.NoError(t, repaint.Sleep(ctx, time.Hour), "a timer is something that happens")
		p.Resolve(3)
		v, err := repaint.Await(ctx, task)
		require.NoError(t, err)
		require.Equal(t, 3, v)
	})
}

func TestATimerThatIsSetIsNoDeadlock(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		p := loop.NewPromise[int](repaint.CurrentLoop())
		repaint.CurrentLoop().CallLater(1000*time.Hour, func() { p.Resolve(1) })
		_, err := repaint.Await(ctx, p.Future())
		require.NoError(t, err)
	})
}

func TestADeadlockNamesTasksThatHaveSwitchedAway(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		root := greenlet.Current()
		var away *greenlet.Greenlet
		task := Spawn(ctx, func(ctx context.Context) error {
			away = greenlet.Current()
			_, err := root.Switch(nil)
			return err
		}, repaint.Named("away"))
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, loop.ErrDeadlock)
		require.ErrorContains(t, err, "(away)")
		require.ErrorContains(t, err, "has switched away")
		_, err = away.Switch(nil)
		require.NoError(t, err)
		require.True(t, task.Done())
	})
}

func TestAnErrorGoesThroughRawGreenletsToTheTask(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		var log []string
		_, err := greenlet.New(func(any) (any, error) {
			defer func() { log = append(log, "outer") }()
			return greenlet.New(func(any) (any, error) {
				defer func() { log = append(log, "inner") }()
				if err := repaint.Sleep(ctx, time.Second); err != nil {
					return nil, err
				}
				_, err := repaint.Await(ctx, repaint.Spawn(ctx, Failing(ErrBoom, 10)))
				return nil, err
			}).Switch(nil)
		}).Switch(nil)
		require.ErrorIs(t, err, ErrBoom)
		require.Equal(t, []string{"inner", "outer"}, log)
		require.NoError(t, repaint.Sleep(ctx, time.Second))
	})
}

func TestAPanicGoesThroughRawGreenletsToTheTask(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		var wrapped *greenlet.PanicError
		func() {
			defer func() { wrapped, _ = recover().(*greenlet.PanicError) }()
			_, _ = greenlet.New(func(any) (any, error) {
				_ = repaint.Sleep(ctx, time.Second)
				return Panics(), nil
			}).Switch(nil)
		}()
		require.ErrorIs(t, wrapped, ErrBoom)
		require.NoError(t, repaint.Sleep(ctx, time.Second))
	})
}

func TestACancelReachesARawGreenletThatWaitsForItsTask(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		task := Spawn(ctx, func(ctx context.Context) error {
			_, err := greenlet.New(func(any) (any, error) { return nil, repaint.Sleep(ctx, time.Hour) }).Switch(nil)
			return err
		})
		task.Cancel(ErrBoom)
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, ErrBoom)
	})
}

func TestAnExitThrownIntoARawGreenletThatWaitsReachesItsTaskAsNoError(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var raw *greenlet.Greenlet
		unwound := false
		task := Spawn(ctx, func(ctx context.Context) error {
			raw = greenlet.New(func(any) (any, error) {
				defer func() { unwound = true }()
				return nil, repaint.Sleep(ctx, time.Hour)
			})
			_, err := raw.Switch(nil)
			require.NoError(t, err)
			return repaint.Sleep(ctx, time.Second)
		})
		_, err := raw.Throw(greenlet.ErrExit)
		require.NoError(t, err)
		require.True(t, unwound)
		require.True(t, raw.Dead())
		_, err = repaint.Await(ctx, task)
		require.NoError(t, err)
		require.Zero(t, repaint.CurrentStats().Waiting)
	})
}

func TestRawGreenletsThatATaskLeavesSuspendedAreUnwoundInTheEnd(t *testing.T) {
	leakcheck.Test(t)
	unwound := 0
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		_, err := repaint.Await(ctx, Spawn(ctx, func(ctx context.Context) error {
			for range 3 {
				g := greenlet.New(func(any) (any, error) {
					defer func() { unwound++ }()
					return greenlet.Current().Parent().Switch(nil)
				})
				if _, err := g.Switch(nil); err != nil {
					return err
				}
			}
			return nil
		}))
		return err
	}))
	require.Equal(t, 3, unwound)
}

func TestAGeneratorMadeOfAGreenletAwaitsBetweenItsValues(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		fetch := func(ctx context.Context, pages int) func(yield func(int, error) bool) {
			return func(yield func(int, error) bool) {
				for i := range pages {
					v, err := repaint.Await(ctx, repaint.Spawn(ctx, Sleeper(i, 100)))
					if !yield(v, err) || err != nil {
						return
					}
				}
			}
		}
		since := elapsed()
		g := repaint.NewGroup(ctx)
		for range 10 {
			g.Go(func(ctx context.Context) error {
				n := 0
				for v, err := range fetch(ctx, 5) {
					if err != nil {
						return err
					}
					require.Equal(t, n, v)
					n++
				}
				require.Equal(t, 5, n)
				return nil
			})
		}
		require.NoError(t, g.Wait())
		require.Equal(t, 500*time.Millisecond, since())
	})
}
