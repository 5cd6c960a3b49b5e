package bridgetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// What asyncio's timeouts and trio's cancel scopes promise.

func TestATimeoutThatIsOverBeforehandEndsTheFirstWait(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		since := elapsed()
		for _, d := range []time.Duration{0, -time.Hour} {
			ctx, cancel := repaint.WithTimeout(ctx, d)
			defer cancel()
			require.ErrorIs(t, repaint.Sleep(ctx, 0), context.DeadlineExceeded)
			_, err := repaint.Await(ctx, loop.Resolved(1))
			require.ErrorIs(t, err, context.DeadlineExceeded)
		}
		require.Zero(t, since())
	})
}

func TestATimeoutThatIsNotReachedLeavesNothing(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		since := elapsed()
		limited, cancel := repaint.WithTimeout(ctx, time.Hour)
		require.NoError(t, repaint.Sleep(limited, time.Minute))
		cancel()
		require.NoError(t, repaint.Sleep(ctx, 2*time.Hour))
		require.Equal(t, 2*time.Hour+time.Minute, since())
		require.Equal(t, context.Canceled, limited.Err(), "it was over before its time")
		require.Zero(t, repaint.CurrentStats().Timers)
	})
}

func TestATimeoutTellsTheOwnerOfWhatIsAwaited(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		var told error
		p := loop.NewPromise[int](repaint.CurrentLoop())
		p.OnCancel(func(cause error) { told = cause })
		ctx, cancel := repaint.WithTimeout(ctx, time.Second)
		defer cancel()
		_, err := repaint.Await(ctx, p.Future())
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, told, context.DeadlineExceeded)
	})
}

func TestWhoseTimeoutItWas(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		outer, cancelOuter := repaint.WithTimeout(ctx, time.Hour)
		defer cancelOuter()
		inner, cancelInner := repaint.WithTimeout(outer, time.Minute)
		defer cancelInner()
		require.ErrorIs(t, repaint.Sleep(inner, 2*time.Hour), context.DeadlineExceeded)
		require.NoError(t, outer.Err(), "not the outer one's")
		require.NoError(t, repaint.Sleep(outer, time.Minute))
		require.ErrorIs(t, repaint.Sleep(outer, 2*time.Hour), context.DeadlineExceeded)
		require.NoError(t, ctx.Err())
		require.NoError(t, repaint.Sleep(ctx, time.Minute), "and nobody else's")
	})
}

func TestTimeoutsOfTheSameMomentAreAllOver(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		at := repaint.CurrentLoop().Now().Add(time.Minute)
		var nested []context.Context
		for inner := ctx; len(nested) < 4; {
			var cancel context.CancelFunc
			inner, cancel = repaint.WithDeadline(inner, at)
			defer cancel()
			nested = append(nested, inner)
		}
		require.ErrorIs(t, repaint.Sleep(nested[3], time.Hour), context.DeadlineExceeded)
		for _, n := range nested {
			require.Equal(t, context.DeadlineExceeded, n.Err())
		}
		require.NoError(t, ctx.Err())
	})
}

func TestACleanUpMayHaveATimeoutOfItsOwn(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		since := elapsed()
		limited, cancel := repaint.WithTimeout(ctx, time.Minute)
		defer cancel()
		require.ErrorIs(t, repaint.Sleep(limited, time.Hour), context.DeadlineExceeded)
		cleanup, stop := repaint.WithTimeout(context.WithoutCancel(limited), time.Second)
		defer stop()
		require.NoError(t, repaint.Sleep(cleanup, time.Millisecond))
		require.ErrorIs(t, repaint.Sleep(cleanup, time.Hour), context.DeadlineExceeded)
		require.Equal(t, time.Minute+time.Second, since())
	})
}

func TestACancelledTasksCleanUpMayHaveATimeout(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		task := Spawn(ctx, func(ctx context.Context) error {
			require.ErrorIs(t, repaint.Sleep(ctx, time.Hour), ErrBoom)
			cleanup, stop := repaint.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer stop()
			return repaint.Sleep(cleanup, time.Hour)
		})
		task.Cancel(ErrBoom)
		since := elapsed()
		_, err := repaint.Await(ctx, task)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NotErrorIs(t, err, ErrBoom)
		require.Equal(t, time.Second, since())
	})
}

func TestAShieldedWaitOutlivesTheTimeout(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		since := elapsed()
		ctx, cancel := repaint.WithTimeout(ctx, time.Second)
		defer cancel()
		require.NoError(t, repaint.Sleep(context.WithoutCancel(ctx), time.Minute))
		require.Equal(t, time.Minute, since())
		require.ErrorIs(t, repaint.Sleep(ctx, 0), context.DeadlineExceeded)
	})
}

// inTheSameTick arranges that at one moment both the timeout of a context and something else
// happen, in either order, and returns the context. It must be called in a task.
func inTheSameTick(ctx context.Context, timeoutFirst bool, other func()) (limited context.Context, cancel context.CancelFunc) {
	l := repaint.CurrentLoop()
	at := l.Now().Add(time.Hour)
	if !timeoutFirst {
		l.CallAt(at, other)
	}
	limited, cancel = repaint.WithDeadline(ctx, at)
	if timeoutFirst {
		l.CallAt(at, other)
	}
	return limited, cancel
}

func TestOfATimeoutAndACancelInTheSameTickTheFirstCounts(t *testing.T) {
	for _, timeoutFirst := range []bool{true, false} {
		inATask(t, func(ctx context.Context) {
			var task *repaint.Task[struct{}]
			task = Spawn(ctx, func(ctx context.Context) error {
				limited, cancel := inTheSameTick(ctx, timeoutFirst, func() { task.Cancel(ErrBoom) })
				defer cancel()
				err := repaint.Sleep(limited, 2*time.Hour)
				if timeoutFirst {
					require.ErrorIs(t, err, context.DeadlineExceeded)
					require.NotErrorIs(t, err, context.Canceled)
					require.Equal(t, context.DeadlineExceeded, limited.Err())
				} else {
					require.ErrorIs(t, err, ErrBoom)
					require.NotErrorIs(t, err, context.DeadlineExceeded)
					require.Equal(t, ErrBoom, context.Cause(limited))
				}
				require.ErrorIs(t, repaint.Sleep(ctx, 0), ErrBoom, "and the task is cancelled either way")
				return nil
			})
			_, err := repaint.Await(ctx, task)
			require.NoError(t, err)
		})
	}
}

func TestAResultThatComesInTheTickOfATimeoutIsNotLost(t *testing.T) {
	for _, timeoutFirst := range []bool{true, false} {
		inATask(t, func(ctx context.Context) {
			p := loop.NewPromise[int](repaint.CurrentLoop())
			p.OnCancel(func(error) { t.Error("nobody gives up") })
			limited, cancel := inTheSameTick(ctx, timeoutFirst, func() { p.Resolve(1) })
			defer cancel()
			v, err := repaint.Await(limited, p.Future())
			require.NoError(t, err)
			require.Equal(t, 1, v)
			require.ErrorIs(t, repaint.Sleep(limited, 0), context.DeadlineExceeded, "the next one notices")
		})
	}
}

func TestASleepThatIsOverInTheTickOfItsTimeoutIsOver(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		limited, cancel := repaint.WithTimeout(ctx, time.Minute)
		defer cancel()
		require.NoError(t, repaint.Sleep(limited, time.Minute))
		require.ErrorIs(t, repaint.Sleep(limited, 0), context.DeadlineExceeded)
	})
}

func TestATimeoutOfAGroupCancelsItsFunctionsAndWaitsForThem(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		since := elapsed()
		ctx, cancel := repaint.WithTimeout(ctx, time.Minute)
		defer cancel()
		ended := 0
		g := repaint.NewGroup(ctx)
		for i := range 3 {
			g.Go(func(ctx context.Context) error {
				err := repaint.Sleep(ctx, time.Hour)
				require.NoError(t, repaint.Sleep(context.WithoutCancel(ctx), time.Duration(i)*time.Second))
				ended++
				return err
			})
		}
		require.ErrorIs(t, g.Wait(), context.DeadlineExceeded)
		require.Equal(t, 3, ended)
		require.Equal(t, time.Minute+2*time.Second, since())
	})
}

func TestATimeoutInsideAFunctionOfAGroupConcernsOnlyThat(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		got, err := repaint.Gather(ctx, func(ctx context.Context) (int, error) {
			ctx, cancel := repaint.WithTimeout(ctx, time.Second)
			defer cancel()
			if err := repaint.Sleep(ctx, time.Hour); err == nil {
				return 0, nil
			}
			return 1, nil
		}, Sleeper(2, 60_000))
		require.NoError(t, err)
		require.Equal(t, []int{1, 2}, got)
	})
}

func TestATimeoutEndsOffloadedWorkThatLooksAtItsContext(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		ctx, cancel := repaint.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err := repaint.Block(ctx, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, context.Cause(ctx)
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

func TestAVirtualTimeoutReachesOtherGoroutines(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		limited, cancel := repaint.WithTimeout(ctx, time.Hour)
		defer cancel()
		elsewhere := loop.NewPromise[error](nil)
		go func() {
			<-limited.Done()
			elsewhere.Resolve(limited.Err())
		}()
		seen, err := repaint.Await(ctx, elsewhere.Future())
		require.NoError(t, err)
		require.Equal(t, context.DeadlineExceeded, seen)
	})
}

func TestABusyLoopNoticesAllTheTimeoutsThatPassedMeanwhile(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		outer, cancelOuter := repaint.WithTimeout(ctx, 2*time.Millisecond)
		defer cancelOuter()
		inner, cancelInner := repaint.WithTimeout(outer, time.Millisecond)
		defer cancelInner()
		for outer.Err() == nil { // the loop is held
		}
		require.ErrorIs(t, repaint.Sleep(inner, time.Hour), context.DeadlineExceeded)
		require.ErrorIs(t, repaint.Sleep(outer, time.Hour), context.DeadlineExceeded)
		require.NoError(t, repaint.Sleep(ctx, 0))
	})
}

func TestTheNearestDeadlineIsTheOneThatShows(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		now := time.Now()
		outer, cancelOuter := repaint.WithDeadline(ctx, now.Add(2*time.Hour))
		defer cancelOuter()
		for _, c := range []struct{ in, shown time.Duration }{{time.Hour, time.Hour}, {3 * time.Hour, 2 * time.Hour}} {
			inner, cancel := repaint.WithDeadline(outer, now.Add(c.in))
			at, ok := inner.Deadline()
			require.True(t, ok)
			require.True(t, at.Equal(now.Add(c.shown)))
			derived, stop := context.WithTimeout(inner, 24*time.Hour)
			at, _ = derived.Deadline()
			require.True(t, at.Equal(now.Add(c.shown)))
			stop()
			cancel()
		}
	})
}

func TestTimeoutsOfManyTasksComeInTheirOrder(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var order []int
		g := repaint.NewGroup(ctx)
		for i := range 100 {
			g.Go(func(ctx context.Context) error {
				d := i * 37 % 100
				ctx, cancel := repaint.WithTimeout(ctx, time.Duration(d)*time.Second)
				defer cancel()
				require.ErrorIs(t, repaint.Sleep(ctx, time.Hour), context.DeadlineExceeded)
				order = append(order, d)
				return nil
			})
		}
		require.NoError(t, g.Wait())
		require.IsIncreasing(t, order)
		require.Len(t, order, 100)
	})
}

func TestAnOrdinaryTimeoutCountsRealTimeAlsoOnAVirtualClock(t *testing.T) {
	leakcheck.Test(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err := repaint.Run(ctx, func(ctx context.Context) error {
		_, err := repaint.Await(ctx, loop.NewPromise[int](nil).Future())
		return err
	}, loop.VirtualClock(time.Unix(0, 0)))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestOfATimeoutAndAnOrdinaryCancelInTheSameTickTheFirstCounts(t *testing.T) {
	for _, timeoutFirst := range []bool{true, false} {
		Virtually(t, func(ctx context.Context) {
			outer, end := context.WithCancelCause(ctx)
			defer end(nil)
			limited, cancel := inTheSameTick(outer, timeoutFirst, func() { end(ErrBoom) })
			defer cancel()
			err := repaint.Sleep(limited, 2*time.Hour)
			if timeoutFirst {
				require.Equal(t, context.DeadlineExceeded, err)
			} else {
				require.ErrorIs(t, err, ErrBoom)
				require.NotErrorIs(t, err, context.DeadlineExceeded)
			}
		})
	}
}
