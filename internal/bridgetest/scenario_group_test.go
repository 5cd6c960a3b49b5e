package bridgetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// What asyncio's task groups and trio's nurseries promise, and the limit of a group.

func TestAFunctionStartedInAnEndingGroupFindsItsContextEnded(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		g := repaint.NewGroup(ctx)
		var seen error
		g.Go(func(ctx context.Context) error {
			_ = repaint.Sleep(ctx, time.Hour)
			g.Go(func(ctx context.Context) error {
				seen = repaint.Sleep(ctx, time.Hour)
				return seen
			})
			return nil
		})
		g.Go(func(context.Context) error { return ErrBoom })
		require.Equal(t, ErrBoom, g.Wait())
		require.ErrorIs(t, seen, ErrBoom)
	})
}

func TestErrorsOfTheSameTickAreAllReportedInTheirOrder(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		gate := loop.NewPromise[int](repaint.CurrentLoop())
		g := repaint.NewGroup(ctx)
		var want []error
		for i := range 3 {
			err := fmt.Errorf("error %d", i)
			want = append(want, err)
			g.Go(func(ctx context.Context) error {
				_, e := repaint.Await(ctx, gate.Future())
				require.NoError(t, e, "a result that is there isn't lost")
				return err
			})
		}
		gate.Resolve(1)
		err := g.Wait()
		require.Equal(t, errors.Join(want...).Error(), err.Error())
		for _, w := range want {
			require.ErrorIs(t, err, w)
		}
	})
}

func TestNestedGroupsEndFromTheInsideOut(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		var log []string
		note := func(text string, args ...any) { log = append(log, fmt.Sprintf(text, args...)) }
		outer := repaint.NewGroup(ctx)
		for i := range 2 {
			outer.Go(func(ctx context.Context) error {
				inner := repaint.NewGroup(ctx)
				for j := range 2 {
					inner.Go(func(ctx context.Context) error {
						err := repaint.Sleep(ctx, time.Hour)
						require.ErrorIs(t, err, ErrBoom)
						note("function %d.%d", i, j)
						return err
					})
				}
				err := inner.Wait()
				note("group %d", i)
				return err
			})
		}
		outer.Go(func(ctx context.Context) error {
			require.NoError(t, repaint.Sleep(ctx, time.Minute))
			return ErrBoom
		})
		require.Equal(t, ErrBoom, outer.Wait())
		note("outer")
		at := func(text string) int { return slices.Index(log, text) }
		require.Len(t, log, 7)
		for i := range 2 {
			group := at(fmt.Sprintf("group %d", i))
			require.Less(t, at(fmt.Sprintf("function %d.0", i)), group)
			require.Less(t, at(fmt.Sprintf("function %d.1", i)), group)
			require.Less(t, group, at("outer"))
		}
	})
}

func TestAnErrorOfAnInnerGroupEndsTheOuterOne(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		var beside error
		outer := repaint.NewGroup(ctx)
		outer.Go(func(ctx context.Context) error {
			beside = repaint.Sleep(ctx, time.Hour)
			return beside
		})
		outer.Go(func(ctx context.Context) error {
			inner := repaint.NewGroup(ctx)
			inner.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
			inner.Go(func(ctx context.Context) error { return ErrBoom })
			return fmt.Errorf("inner: %w", inner.Wait())
		})
		require.EqualError(t, outer.Wait(), "inner: boom")
		require.ErrorIs(t, beside, ErrBoom)
	})
}

func TestAnErrorOfTheGroupDoesNotHideTheCancellationFromOutside(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		fromOutside := errors.New("from outside")
		for _, cancelFirst := range []bool{true, false} {
			gate := loop.NewPromise[int](repaint.CurrentLoop())
			task := Spawn(ctx, func(ctx context.Context) error {
				g := repaint.NewGroup(ctx)
				g.Go(func(ctx context.Context) error {
					_, _ = repaint.Await(ctx, gate.Future())
					return ErrBoom
				})
				g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
				require.ErrorIs(t, g.Wait(), ErrBoom)
				require.ErrorIs(t, context.Cause(ctx), fromOutside)
				return repaint.Sleep(ctx, 0)
			})
			if cancelFirst {
				task.Cancel(fromOutside)
			}
			gate.Resolve(1)
			if !cancelFirst {
				task.Cancel(fromOutside)
			}
			_, err := repaint.Await(ctx, task)
			require.ErrorIs(t, err, fromOutside, "the next wait says so")
		}
	})
}

func TestFunctionsMayStartFurtherOnesWhileWaitWaits(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		g := repaint.NewGroup(ctx)
		var ended atomic.Int32
		var descend func(depth int) func(ctx context.Context) error
		descend = func(depth int) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				defer ended.Add(1)
				if err := repaint.Sleep(ctx, 0); err != nil || depth == 0 {
					return err
				}
				g.Go(descend(depth - 1))
				return nil
			}
		}
		g.Go(descend(50))
		require.NoError(t, g.Wait())
		require.EqualValues(t, 51, ended.Load())
	})
}

func TestAGroupWithoutFunctionsIsDoneAtOnce(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		before := repaint.CurrentStats().Ticks
		require.NoError(t, repaint.NewGroup(ctx).Wait())
		ctx, cancel := context.WithCancel(ctx)
		cancel()
		require.NoError(t, repaint.NewGroup(ctx).Wait(), "nobody was disturbed by it")
		require.Equal(t, before, repaint.CurrentStats().Ticks)
	})
}

func TestTheContextOfAGroupEndsWithIt(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		var inside context.Context
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error {
			inside = ctx
			return nil
		})
		require.NoError(t, g.Wait())
		require.ErrorIs(t, inside.Err(), context.Canceled)
		require.NoError(t, ctx.Err())
	})
}

func TestAPanicInAGroupIsMoreThanItsErrors(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		p := Recovered(func() {
			g := repaint.NewGroup(ctx)
			g.Go(func(context.Context) error { return errors.New("an error") })
			g.Go(func(ctx context.Context) error {
				_ = repaint.Sleep(ctx, time.Hour)
				Panics()
				return nil
			})
			g.Go(func(ctx context.Context) error {
				_ = repaint.Sleep(ctx, time.Hour)
				panic("a second one")
			})
			_ = g.Wait()
		})
		require.ErrorIs(t, p, ErrBoom)
	})
}

func TestAGroupsFunctionMayWaitForAnotherOfTheSameGroup(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		started := loop.NewPromise[string](nil) // as with a nursery's start
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error {
			address, err := repaint.Await(ctx, started.Future())
			require.Equal(t, "address", address)
			return err
		})
		g.Go(func(ctx context.Context) error {
			started.Resolve("address")
			return nil
		})
		require.NoError(t, g.Wait())
	})
}

func TestTheLimitOfAGroupIsReachedAndKept(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		const limit = 3
		full := loop.NewPromise[struct{}](nil)
		var running, most atomic.Int32
		g := repaint.NewGroup(ctx)
		g.SetLimit(limit)
		for range 20 {
			g.Go(func(ctx context.Context) error {
				defer running.Add(-1)
				n := running.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				if n == limit {
					full.Resolve(struct{}{})
				}
				_, err := repaint.Await(ctx, full.Future())
				return err
			})
		}
		require.NoError(t, g.Wait())
		require.EqualValues(t, limit, most.Load())
	})
}

func TestPlacesInAGroupAreGivenInTheOrderOfTheWaiting(t *testing.T) {
	inATask(t, func(ctx context.Context) {
		var order []int
		g := repaint.NewGroup(ctx)
		g.SetLimit(2)
		callers := repaint.NewGroup(ctx)
		for i := range 8 {
			callers.Go(func(context.Context) error {
				g.Go(func(ctx context.Context) error {
					order = append(order, i)
					return repaint.Sleep(ctx, time.Duration(i%3)*time.Second)
				})
				return nil
			})
		}
		require.NoError(t, callers.Wait())
		require.NoError(t, g.Wait())
		require.Equal(t, []int{0, 1, 2, 3, 4, 5, 6, 7}, order)
	})
}

func TestTryGoNeitherWaitsNorOvertakes(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		var order []string
		g := repaint.NewGroup(ctx)
		g.SetLimit(1)
		note := func(text string) func(context.Context) error {
			return func(ctx context.Context) error {
				order = append(order, text)
				return repaint.Sleep(ctx, time.Second)
			}
		}
		require.True(t, g.TryGo(note("first")))
		require.False(t, g.TryGo(note("refused")))
		waiting := Spawn(ctx, func(context.Context) error {
			g.Go(note("second"))
			return nil
		})
		require.NoError(t, repaint.Sleep(ctx, 500*time.Millisecond))
		require.False(t, g.TryGo(note("refused")))
		_, err := repaint.Await(ctx, waiting)
		require.NoError(t, err)
		require.False(t, g.TryGo(note("refused")), "the place went from one to the next")
		require.NoError(t, repaint.Sleep(ctx, time.Minute))
		require.True(t, g.TryGo(note("third")))
		require.NoError(t, g.Wait())
		require.Equal(t, []string{"first", "second", "third"}, order)
	})
}

func TestAGroupThatHasFailedStillGivesItsPlaces(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		var seen error
		g := repaint.NewGroup(ctx)
		g.SetLimit(1)
		g.Go(func(ctx context.Context) error {
			_ = repaint.Sleep(ctx, time.Millisecond)
			return ErrBoom
		})
		g.Go(func(ctx context.Context) error {
			seen = repaint.Sleep(ctx, time.Hour)
			return seen
		})
		require.Equal(t, ErrBoom, g.Wait())
		require.ErrorIs(t, seen, ErrBoom)
	})
}

func TestAFunctionThatPanicsGivesItsPlaceBack(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		second := false
		p := Recovered(func() {
			g := repaint.NewGroup(ctx)
			g.SetLimit(1)
			g.Go(func(ctx context.Context) error {
				_ = repaint.Sleep(ctx, time.Millisecond)
				Panics()
				return nil
			})
			g.Go(func(ctx context.Context) error {
				second = true
				return ctx.Err()
			})
			_ = g.Wait()
		})
		require.ErrorIs(t, p, ErrBoom)
		require.True(t, second)
	})
}

func TestACallbackCannotWaitForAPlaceInAGroup(t *testing.T) {
	Virtually(t, func(ctx context.Context) {
		g := repaint.NewGroup(ctx)
		g.SetLimit(1)
		l := repaint.CurrentLoop()
		l.CallSoon(func() {
			g.Go(func(ctx context.Context) error { return repaint.Sleep(ctx, time.Hour) })
			g.Go(func(context.Context) error { t.Error("must not run"); return nil })
		})
		require.NoError(t, repaint.Sleep(ctx, 0))
		require.ErrorIs(t, g.Wait(), repaint.ErrInCallback)
	})
}

func TestAFullGroupWhoseFunctionsAllWaitForAPlaceIsADeadlock(t *testing.T) {
	leakcheck.Test(t)
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		g.SetLimit(2)
		for range 2 {
			g.Go(func(ctx context.Context) error {
				if err := repaint.Sleep(ctx, 0); err != nil {
					return err
				}
				g.Go(func(context.Context) error { t.Error("must not run"); return nil })
				return nil
			})
		}
		return g.Wait()
	})
	require.ErrorIs(t, err, loop.ErrDeadlock)
	require.ErrorContains(t, err, "waits for a place in a group")
	require.ErrorIs(t, err, repaint.ErrNotJoined, "they wait to the end, and had to be killed")
}

func TestTheLimitOfAGroupIsSetBeforeItsFirstFunction(t *testing.T) {
	InBothColours(t, func(t *testing.T, ctx context.Context) {
		g := repaint.NewGroup(ctx)
		g.SetLimit(-1) // none
		for range 100 {
			require.True(t, g.TryGo(func(context.Context) error { return nil }))
		}
		require.Panics(t, func() { g.SetLimit(1) })
		require.NoError(t, g.Wait())
	})
}
