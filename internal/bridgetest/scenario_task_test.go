package bridgetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// What asyncio promises of tasks, futures and wait_for, as far as it has a meaning here.

// inATask runs a test in a task of a loop with a virtual clock.
func inATask(t *testing.T, test func(ctx context.Context)) {
	t.Helper()
	Virtually(t, func(ctx context.Context) {
		_, err := repaint.Await(ctx, Spawn(ctx, func(ctx context.Context) error { test(ctx); return nil }))
		require.NoError(t, err)
	})
}

// elapsed measures the time of the current loop.
func elapsed() func() time.Duration {
	l := repaint.CurrentLoop()
	begun := l.Now()
	return func() time.Duration { return l.Now().Sub(begun) }
}

// shielded returns a future that follows f, and whose cancellation leaves f alone.
func shielded[T any](f *loop.Future[T]) *loop.Future[T] {
	l := repaint.CurrentLoop()
	p := loop.NewPromise[T](l)
	f.OnDone(l, func() { p.Settle(f.Result()) })
	return p.Future()
}

func TestAllWhoAwaitAFutureGetItsResultInTheOrderOfTheirWaiting(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		p := loop.NewPromise[int](repaint.CurrentLoop())
		var order []int
		g := repaint.NewGroup(ctx)
		for i := range 5 {
			g.Go(func(ctx context.Context) error {
				v, err := repaint.Await(ctx, p.Future())
				order = append(order, v+i)
				return err
			})
		}
		p.Resolve(10)
		require.Empty(t, order, "completing a future calls nobody")
		require.NoError(t, g.Wait())
		require.Equal(t, []int{10, 11, 12, 13, 14}, order)
	})
}

func TestTasksGoOnInTheOrderInWhichTheirFuturesWereCompleted(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var promises [4]*loop.Promise[int]
		var order []int
		g := repaint.NewGroup(ctx)
		for i := range promises {
			promises[i] = loop.NewPromise[int](repaint.CurrentLoop())
			g.Go(func(ctx context.Context) error {
				_, err := repaint.Await(ctx, promises[i].Future())
				order = append(order, i)
				return err
			})
		}
		want := []int{3, 1, 0, 2}
		for _, i := range want {
			promises[i].Resolve(0)
		}
		require.NoError(t, g.Wait())
		require.Equal(t, want, order)
	})
}

func TestCancelOfOneAwaiterFailsTheFutureForAll(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		p := loop.NewPromise[int](repaint.CurrentLoop())
		var tasks [3]*repaint.Task[struct{}]
		for i := range tasks {
			tasks[i] = Spawn(ctx, func(ctx context.Context) error {
				_, err := repaint.Await(ctx, p.Future())
				require.Equal(t, i == 1, ctx.Err() != nil, "only one of them is cancelled")
				return err
			})
		}
		tasks[1].Cancel(ErrBoom)
		for _, task := range tasks {
			_, err := repaint.Await(ctx, task)
			require.ErrorIs(t, err, ErrBoom)
		}
		require.False(t, p.Resolve(1))
	})
}

func TestAFutureWhoseOwnerIgnoresCancelsGoesOnForTheOthers(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		p := loop.NewPromise[int](repaint.CurrentLoop())
		p.OnCancel(func(error) {})
		wait := func(ctx context.Context) (int, error) { return repaint.Await(ctx, p.Future()) }
		cancelled, other := repaint.Spawn(ctx, wait), repaint.Spawn(ctx, wait)
		cancelled.Cancel(ErrBoom)
		_, err := repaint.Await(ctx, cancelled)
		require.ErrorIs(t, err, ErrBoom, "whose Await returns all the same")
		require.False(t, other.Done())
		require.True(t, p.Resolve(7))
		v, err := repaint.Await(ctx, other)
		require.NoError(t, err)
		require.Equal(t, 7, v)
	})
}

func TestAShieldedTaskOutlivesWhoAwaitsIt(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		work := repaint.Spawn(ctx, Sleeper(3, 10))
		impatient := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			return repaint.Await(ctx, shielded(work.AsFuture()))
		})
		impatient.Cancel(ErrBoom)
		_, err := repaint.Await(ctx, impatient)
		require.ErrorIs(t, err, ErrBoom)
		require.False(t, work.Done())
		v, err := repaint.Await(ctx, work)
		require.NoError(t, err)
		require.Equal(t, 3, v)
	})
}

func TestTheErrorOfACancelledFutureIsNotItsAwaitersCancellation(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		p := loop.NewPromise[int](repaint.CurrentLoop())
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			_, err := repaint.Await(ctx, p.Future())
			require.ErrorIs(t, err, context.Canceled)
			require.NoError(t, ctx.Err())
			return 5, repaint.Sleep(ctx, time.Second)
		})
		require.True(t, p.Future().Cancel(nil))
		v, err := repaint.Await(ctx, task)
		require.NoError(t, err)
		require.Equal(t, 5, v)
	})
}

func TestCancelGoesDownAChainOfAwaitsAtOnceAndNobodyInItWaits(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		since := elapsed()
		independent := context.WithoutCancel(ctx)
		innermost := Spawn(independent, func(ctx context.Context) error {
			return errors.Join(repaint.Sleep(ctx, 2*time.Hour), repaint.Sleep(context.WithoutCancel(ctx), time.Hour))
		})
		chain := []*repaint.Task[struct{}]{innermost}
		for range 5 {
			below := chain[len(chain)-1]
			chain = append(chain, Spawn(independent, func(ctx context.Context) error {
				_, err := repaint.Await(ctx, below)
				return err
			}))
		}
		chain[5].Cancel(ErrBoom)
		for i := 5; i > 0; i-- {
			_, err := repaint.Await(ctx, chain[i])
			require.ErrorIs(t, err, ErrBoom)
			require.Zero(t, since())
		}
		_, err := repaint.Await(ctx, innermost)
		require.ErrorIs(t, err, ErrBoom)
		require.Equal(t, time.Hour, since(), "only the one that cleans up takes its time")
	})
}

func TestACancelledSleepLeavesNoTimer(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		task := Spawn(ctx, func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
		require.Equal(t, 1, repaint.CurrentStats().Timers)
		task.Cancel(nil)
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, repaint.CurrentStats().Timers)
	})
}

func TestSpawnsNestAndEachSpawnerIsAfterwardsWhoItWas(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var log []string
		inner := loop.NewPromise[int](repaint.CurrentLoop())
		outer := Spawn(ctx, func(ctx context.Context) error {
			log = append(log, "outer begins")
			middle := Spawn(ctx, func(ctx context.Context) error {
				log = append(log, "middle begins")
				Spawn(ctx, func(ctx context.Context) error {
					log = append(log, "inner begins and ends")
					return nil
				})
				log = append(log, "middle waits")
				_, err := repaint.Await(ctx, inner.Future())
				log = append(log, "middle goes on")
				return err
			})
			require.True(t, repaint.InGreenlet())
			log = append(log, "outer waits")
			_, err := repaint.Await(ctx, middle)
			log = append(log, "outer goes on")
			return err
		})
		require.False(t, repaint.InGreenlet())
		log = append(log, "main waits")
		inner.Resolve(1)
		_, err := repaint.Await(ctx, outer)
		require.NoError(t, err)
		require.Equal(t, []string{
			"outer begins", "middle begins", "inner begins and ends", "middle waits", "outer waits", "main waits",
			"middle goes on", "outer goes on",
		}, log)
	})
}

func TestATaskThatAwaitsItselfIsADeadlock(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var task *repaint.Task[struct{}]
		task = Spawn(ctx, func(ctx context.Context) error {
			if err := repaint.Sleep(ctx, 0); err != nil {
				return err
			}
			_, err := repaint.Await(ctx, task)
			return err
		}, repaint.Named("narcissus"))
		_, err := repaint.Await(ctx, task)
		var dead *repaint.DeadlockError
		require.ErrorAs(t, err, &dead)
		require.Regexp(t, `\(narcissus\).* waits for task 1 \(narcissus\)`, dead.Waiting[1])
		task.Cancel(ErrBoom)
		_, err = repaint.Await(ctx, task)
		require.ErrorIs(t, err, ErrBoom, "a cancel ends it")
	})
}

func TestEachAwaitOfAFailedTaskGetsTheSameError(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		task := repaint.Spawn(ctx, Failing(ErrBoom, 1))
		_, first := repaint.Await(ctx, task)
		_, second := repaint.Await(ctx, task)
		require.ErrorIs(t, first, ErrBoom)
		require.True(t, first == second)
	})
}

// spawnFromAfar is asyncio's run_coroutine_threadsafe.
func spawnFromAfar[T any](l *loop.Loop, ctx context.Context, fn func(ctx context.Context) (T, error)) *loop.Future[T] {
	p := loop.NewPromise[T](nil)
	ctx, cancel := context.WithCancelCause(ctx)
	p.OnCancel(cancel) // before any caller can give up
	l.Post(func() {
		task := repaint.Spawn(ctx, fn)
		task.AsFuture().OnDone(l, func() {
			p.Settle(task.Result())
			cancel(nil)
		})
	})
	return p.Future()
}

func TestAnotherGoroutineSpawnsThroughPost(t *testing.T) {
	leakcheck.Test(t)
	require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
		l := repaint.CurrentLoop()
		outside := loop.NewPromise[struct{}](nil)
		go outside.Complete(func() (struct{}, error) {
			v, err := repaint.Await(context.Background(), spawnFromAfar(l, ctx, Sleeper(4, 0)))
			require.NoError(t, err)
			require.Equal(t, 4, v)

			_, err = repaint.Await(context.Background(), spawnFromAfar(l, ctx, Failing(ErrBoom, 0)))
			require.ErrorIs(t, err, ErrBoom)

			t.Log("who gives up cancels the task")
			begun, ended := make(chan struct{}), make(chan error, 1)
			impatient, giveUp := context.WithCancelCause(context.Background())
			f := spawnFromAfar(l, ctx, func(ctx context.Context) (int, error) {
				close(begun)
				err := repaint.Sleep(ctx, time.Hour)
				ended <- err
				return 0, err
			})
			go func() {
				<-begun
				giveUp(ErrBoom)
			}()
			_, err = repaint.Await(impatient, f)
			require.ErrorIs(t, err, ErrBoom)
			require.ErrorIs(t, <-ended, ErrBoom)
			return struct{}{}, nil
		})
		_, err := repaint.Await(ctx, outside.Future())
		return err
	}))
}

func TestAsCompletedUnderATimeoutYieldsWhatCameInTimeAndThenErrors(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		since := elapsed()
		limited, cancel := repaint.WithTimeout(ctx, 25*time.Millisecond)
		defer cancel()
		var got []int
		late := 0
		for v, err := range repaint.AsCompleted(limited, Sleeper(3, 30), Sleeper(1, 10), Sleeper(4, 40), Sleeper(2, 20)) {
			if err != nil {
				require.ErrorIs(t, err, context.DeadlineExceeded)
				late++
				continue
			}
			got = append(got, v)
		}
		require.Equal(t, []int{1, 2}, got)
		require.Equal(t, 2, late)
		require.Equal(t, 25*time.Millisecond, since())
		cancel()
		require.Zero(t, repaint.CurrentStats().Timers)
	})
}

func TestGatherNestsAndSharesTasks(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		shared := Later(5)
		pair := func(ctx context.Context) ([]int, error) {
			wait := func(ctx context.Context) (int, error) { return repaint.Await(ctx, shared) }
			return repaint.Gather(ctx, wait, wait)
		}
		got, err := repaint.Gather(ctx, pair, pair)
		require.NoError(t, err)
		require.Equal(t, [][]int{{5, 5}, {5, 5}}, got)
	})
}

func TestAFunctionThatFailsWithACancellationOfItsOwnFailsItsGather(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		_, err := repaint.Gather(ctx, Sleeper(1, int(time.Hour/time.Millisecond)), func(context.Context) (int, error) {
			return 0, context.Canceled
		})
		require.Equal(t, context.Canceled, err)
		require.NoError(t, ctx.Err())
	})
}

func TestAGatherWhoseContextHasEndedStillCallsItsFunctions(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(ErrBoom)
		got, err := repaint.Gather(ctx, func(ctx context.Context) (int, error) {
			return 6, nil // it doesn't wait, and so doesn't notice
		}, Sleeper(7, 0))
		require.ErrorIs(t, err, ErrBoom)
		require.Equal(t, 6, got[0])
	})
}

func TestValuesOfAContextGoDownToTasksAndNotUp(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		ctx = context.WithValue(ctx, Key{}, "outer")
		_, err := repaint.Await(ctx, Spawn(ctx, func(ctx context.Context) error {
			require.Equal(t, "outer", ctx.Value(Key{}))
			ctx = context.WithValue(ctx, Key{}, "inner")
			_, err := repaint.Await(ctx, Spawn(ctx, func(ctx context.Context) error {
				require.NoError(t, repaint.Sleep(ctx, time.Second))
				require.Equal(t, "inner", ctx.Value(Key{}))
				return nil
			}))
			return err
		}))
		require.NoError(t, err)
		require.Equal(t, "outer", ctx.Value(Key{}))
	})
}

func TestATaskMayBeAwaitedAfterItsSpawnerHasGone(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var child *repaint.Task[int]
		_, err := repaint.Await(ctx, Spawn(ctx, func(ctx context.Context) error {
			child = repaint.Spawn(context.WithoutCancel(ctx), Sleeper(8, 1000))
			return nil
		}))
		require.NoError(t, err)
		v, err := repaint.Await(ctx, child)
		require.NoError(t, err)
		require.Equal(t, 8, v)
	})
}

func TestAFutureAwaitedUnderDifferentContextsInTurnNoticesEachOfThem(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		p := loop.NewPromise[int](repaint.CurrentLoop())
		p.OnCancel(func(error) {})
		for i := range 10 {
			short, cancel := repaint.WithTimeout(ctx, time.Second)
			since := elapsed()
			if i%2 == 1 {
				short = context.WithValue(short, Key{}, i)
			}
			_, err := repaint.Await(short, p.Future())
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, time.Second, since())
			cancel()
		}
		p.Resolve(1)
		v, err := repaint.Await(ctx, p.Future())
		require.NoError(t, err)
		require.Equal(t, 1, v)
	})
}
