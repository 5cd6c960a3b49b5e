package loop_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestCallbacksRunInTheOrderInWhichTheyWereScheduled(t *testing.T) {
	leakcheck.Test(t)
	l := open(t)
	var d diary
	l.CallSoon(d.notes("soon"))
	l.Post(d.notes("posted"))
	elsewhere(func() { l.Post(d.notes("posted elsewhere")) })
	require.True(t, l.Schedule(runnable(d.notes("scheduled"))))
	l.CallSoon(d.notes("soon again"))
	runDry(t, l)
	require.Equal(t, diary{"soon", "posted", "posted elsewhere", "scheduled", "soon again"}, d)
}

func TestCallSoonNeverCallsInline(t *testing.T) {
	l := open(t)
	var d diary
	l.CallSoon(func() {
		l.CallSoon(d.notes("inner"))
		d.note("outer")
	})
	require.Empty(t, d, "nothing runs before Drive")
	runDry(t, l)
	require.Equal(t, diary{"outer", "inner"}, d)
}

func TestWhatACallbackSchedulesBelongsToTheNextTick(t *testing.T) {
	l := open(t)
	var d diary
	l.OnTickEnd(d.notes("|"))
	l.CallSoon(func() {
		d.note("a")
		l.CallSoon(d.notes("c"))
	})
	l.CallSoon(d.notes("b"))
	runDry(t, l)
	require.Equal(t, diary{"a", "b", "|", "c", "|"}, d)
}

func TestEndlessChainOfCallbacksKeepsNobodyElseFromRunning(t *testing.T) {
	leakcheck.Test(t)
	l := open(t)
	var again func()
	again = func() { l.CallSoon(again) }
	l.CallSoon(again)
	timer, posted := false, false
	l.CallLater(1, func() { timer = true })
	var wg sync.WaitGroup
	wg.Go(func() { l.Post(func() { posted = true }) })
	require.NoError(t, l.Drive(func() bool { return timer && posted }))
	wg.Wait()
}

func TestPostsOfEachGoroutineKeepTheirOrder(t *testing.T) {
	leakcheck.Test(t)
	const goroutines, posts = 8, 2000
	l := open(t)
	l.Bridge().Hold()
	var came [goroutines]int
	ended := 0
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range posts {
				l.Post(func() {
					if came[g] == i {
						came[g]++
					}
				})
			}
			l.Post(func() { ended++ })
		})
	}
	require.NoError(t, l.Drive(func() bool { return ended == goroutines }))
	wg.Wait()
	for g := range came {
		require.Equal(t, posts, came[g])
	}
}

func TestPostFromManyGoroutinesWakesTheLoopOnce(t *testing.T) {
	l := open(t)
	l.Bridge().Hold()
	for range 100 {
		l.Post(func() {})
	}
	require.NoError(t, l.Drive(func() bool { return l.Stats().Callbacks == 100 }))
	require.EqualValues(t, 1, l.Stats().Ticks, "what has been posted meanwhile is taken over at once")
	require.Zero(t, l.Stats().Sleeps)
}

func TestDriveLooksAtItsConditionFirst(t *testing.T) {
	l := open(t)
	l.CallSoon(func() { t.Error("was called") })
	require.NoError(t, l.Drive(func() bool { return true }))
}

func TestDriveEndsWithTheTickInWhichItsConditionCameToHold(t *testing.T) {
	l := open(t)
	var d diary
	l.CallSoon(d.notes("this"))
	l.CallSoon(d.notes("rest of the tick"))
	l.CallSoon(func() { l.CallSoon(d.notes("next tick")) })
	require.NoError(t, l.Drive(func() bool { return len(d) > 0 }))
	require.Equal(t, diary{"this", "rest of the tick"}, d)
	runDry(t, l)
	require.Equal(t, diary{"this", "rest of the tick", "next tick"}, d)
}

func TestCallbackCantDriveItsOwnLoop(t *testing.T) {
	l := open(t)
	require.False(t, l.Bridge().Driving())
	var inner error
	l.CallSoon(func() {
		require.True(t, l.Bridge().Driving())
		inner = l.Drive(never)
	})
	runDry(t, l)
	require.ErrorIs(t, inner, loop.ErrReentrant)
	require.False(t, l.Bridge().Driving())
}

func TestCallbackCanDriveAnotherLoop(t *testing.T) {
	outer, inner := open(t), open(t)
	var d diary
	outer.CallSoon(func() {
		inner.CallSoon(d.notes("inner"))
		runDry(t, inner)
		d.note("outer")
	})
	runDry(t, outer)
	require.Equal(t, diary{"inner", "outer"}, d)
}

func TestPanicOfACallbackPassesThroughDriveAndLosesNothing(t *testing.T) {
	l := open(t)
	var d diary
	l.OnTickEnd(d.notes("|"))
	cause := errors.New("oops")
	l.CallSoon(d.notes("before"))
	l.CallSoon(func() { panic(cause) })
	l.CallSoon(d.notes("behind"))
	l.CallLater(0, d.notes("timer"))
	require.PanicsWithValue(t, cause, func() { _ = l.Drive(never) })
	require.False(t, l.Bridge().Driving())
	l.CallSoon(d.notes("later"))
	require.Equal(t, diary{"before"}, d)
	runDry(t, l)
	require.Equal(t, diary{"before", "behind", "timer", "|", "later", "|"}, d)
}

func TestPanicOfATicksLastCallbackLeavesItsHooksToTheNextDrive(t *testing.T) {
	l := open(t)
	var d diary
	l.OnTickEnd(d.notes("|"))
	l.CallSoon(func() {
		l.CallSoon(d.notes("next tick"))
		panic("oops")
	})
	require.Panics(t, func() { _ = l.Drive(never) })
	runDry(t, l)
	require.Equal(t, diary{"|", "next tick", "|"}, d)
}

func TestGoexitOfACallbackEndsDriveAndLosesNothing(t *testing.T) {
	leakcheck.Test(t)
	l := open(t)
	var d diary
	l.CallSoon(runtime.Goexit)
	l.CallSoon(d.notes("behind"))
	elsewhere(func() {
		_ = l.Drive(never)
		t.Error("Drive returned")
	})
	runDry(t, l)
	require.Equal(t, diary{"behind"}, d)
}

func TestPanicOfTheConditionLeavesTheLoopUsable(t *testing.T) {
	l := open(t)
	require.Panics(t, func() { _ = l.Drive(func() bool { panic("oops") }) })
	require.False(t, l.Bridge().Driving())
	runDry(t, l)
}

func TestHooksRunAtTheEndOfEachTickInTheirOrder(t *testing.T) {
	l := open(t)
	var d diary
	l.OnTickEnd(d.notes("first"))
	l.OnTickEnd(d.notes("second"))
	l.CallSoon(d.notes("a"))
	l.CallSoon(func() { l.CallSoon(d.notes("b")) })
	runDry(t, l)
	require.Equal(t, diary{"a", "first", "second", "b", "first", "second"}, d)
}

func TestHookThatSchedulesKeepsTheLoopFromSleeping(t *testing.T) {
	l := open(t)
	var d diary
	l.OnTickEnd(func() {
		if len(d) < 3 {
			l.CallSoon(d.notes("scheduled by the hook"))
		}
	})
	l.CallSoon(d.notes("start"))
	runDry(t, l)
	require.Len(t, d, 3)
	require.Zero(t, l.Stats().Sleeps)
}

func TestHooksComeAfterWhatTheCallerOfDriveHasDone(t *testing.T) {
	// A main function starts something, and waits. Nothing is ready, so there is no tick, but the
	// hooks must write it out all the same.
	for _, ready := range []bool{false, true} {
		t.Run(fmt.Sprintf("ready=%v", ready), func(t *testing.T) {
			l := open(t)
			var out int
			var collected []*loop.Promise[int]
			l.OnTickEnd(func() {
				for _, p := range collected {
					out++
					l.CallSoon(func() { p.Resolve(1) })
				}
				collected = nil
			})
			for range 2 {
				p := loop.NewPromise[int](l)
				collected = append(collected, p)
				if ready {
					l.CallSoon(func() {})
				}
				require.NoError(t, l.Drive(p.Future().Done))
			}
			require.Equal(t, 2, out)
		})
	}
}

func TestHookThatWasAddedInATickRunsAtItsEnd(t *testing.T) {
	l := open(t)
	var d diary
	l.CallSoon(func() { l.OnTickEnd(d.notes("hook")) })
	runDry(t, l)
	require.Equal(t, diary{"hook"}, d)
}

func TestHookThatWasAddedByAHookWaitsForTheNextTick(t *testing.T) {
	l := open(t)
	var d diary
	added := false
	l.OnTickEnd(func() {
		if !added {
			added = true
			l.OnTickEnd(d.notes("hook"))
		}
	})
	l.CallSoon(func() { l.CallSoon(d.notes("second tick")) })
	runDry(t, l)
	require.Equal(t, diary{"second tick", "hook"}, d)
}

func TestRemovedHookIsNotCalledAgain(t *testing.T) {
	l := open(t)
	var d diary
	var removeSelf, removeNext, removePrevious func()
	removePrevious = l.OnTickEnd(d.notes("previous"))
	removeSelf = l.OnTickEnd(func() {
		d.note("self")
		removePrevious()
		removeSelf()
		removeNext()
		removeNext() // a second time does nothing
	})
	removeNext = l.OnTickEnd(d.notes("next"))
	l.OnTickEnd(d.notes("last"))
	l.CallSoon(func() { l.CallSoon(d.notes("|")) })
	runDry(t, l)
	require.Equal(t, diary{"previous", "self", "last", "|", "last"}, d)
}

func TestPanicOfAHookLeavesTheHooksBehindItToTheNextDrive(t *testing.T) {
	l := open(t)
	var d diary
	broken := true
	l.OnTickEnd(func() {
		if broken {
			broken = false
			panic("oops")
		}
		d.note("first")
	})
	l.OnTickEnd(d.notes("second"))
	l.CallSoon(d.notes("a"))
	require.PanicsWithValue(t, "oops", func() { _ = l.Drive(never) })
	require.Equal(t, diary{"a"}, d)
	l.CallSoon(d.notes("b"))
	runDry(t, l)
	require.Equal(t, diary{"a", "second", "b", "first", "second"}, d)
}

func TestReleaseWithoutHoldPanics(t *testing.T) {
	l := open(t)
	l.Bridge().Hold()
	l.Bridge().Release()
	require.PanicsWithValue(t, "loop: Release without Hold", l.Bridge().Release)
}

func TestClosedLoopRunsNothing(t *testing.T) {
	l := loop.New()
	fail := func() { t.Error("was called") }
	l.CallSoon(fail)
	timer := l.CallLater(0, fail)
	l.OnTickEnd(fail)
	l.Close()
	l.Close()

	l.CallSoon(fail)
	l.Post(fail)
	require.False(t, l.Schedule(runnable(fail)))
	require.ErrorIs(t, l.Drive(never), loop.ErrClosed)
	require.False(t, timer.Stop(), "closing has stopped it")
	timer.Reset(0)
	l.CallLater(0, fail).Stop()
	require.ErrorIs(t, l.Drive(never), loop.ErrClosed)
	require.NoError(t, l.Drive(func() bool { return true }), "the condition comes first")
}

func TestCallbackCanCloseItsLoop(t *testing.T) {
	l := loop.New()
	fail := func() { t.Error("was called") }
	var timer *loop.Timer
	l.CallSoon(func() {
		l.Close()
		require.False(t, timer.Stop(), "it was in the same tick")
	})
	l.CallSoon(fail)
	timer = l.CallLater(0, fail)
	l.OnTickEnd(fail)
	require.ErrorIs(t, l.Drive(never), loop.ErrClosed)
}

func TestHookCanCloseItsLoop(t *testing.T) {
	l := loop.New()
	l.OnTickEnd(l.Close)
	l.OnTickEnd(func() { t.Error("was called") })
	l.CallSoon(func() {})
	require.ErrorIs(t, l.Drive(never), loop.ErrClosed)
}

func TestClosedLoopLeavesNothingBehind(t *testing.T) {
	leakcheck.Repeat(t, func() {
		l, other := loop.New(), loop.New()
		bound := loop.NewPromise[int](l)
		bound.Future().OnDone(other, func() {})
		loop.NewPromise[int](nil).Future().OnDone(l, func() {})
		for range 100 {
			l.CallSoon(func() {})
			l.CallLater(time.Hour, func() {})
		}
		loop.Offload(l, func() (int, error) { return 1, nil })
		loop.Offload(l, func() (int, error) { panic("oops") }).Cancel(nil)
		if err := l.Drive(func() bool { return l.Stats().Callbacks >= 100 }); err != nil {
			t.Error(err)
		}
		l.Close()
		other.Close()
	})
}

func TestStatsCountWhatRan(t *testing.T) {
	leakcheck.Test(t)
	l := virtual(t)
	l.CallSoon(func() {})
	l.CallSoon(func() { l.CallSoon(func() {}) })
	l.CallLater(1, func() {})
	l.CallLater(2, func() {}).Stop()
	runDry(t, l)
	require.Equal(t, loop.Stats{Ticks: 3, Callbacks: 4}, l.Stats())

	f := loop.Offload(l, func() (int, error) { return 1, nil })
	_, err := f.Wait(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, l.Stats().Offloaded)
}

func TestCallWhenIdleComesAfterAllThatIsReadyAndBeforeTimersToCome(t *testing.T) {
	l := virtual(t)
	var d diary
	l.CallLater(time.Second, d.notes("timer"))
	l.CallWhenIdle(func() {
		d.note("idle 1")
		l.CallSoon(d.notes("from idle"))
		l.CallWhenIdle(d.notes("idle 3"))
	})
	l.CallWhenIdle(d.notes("idle 2"))
	l.CallSoon(func() {
		d.note("a")
		l.CallSoon(func() {
			d.note("b")
			l.CallSoon(d.notes("c"))
		})
	})
	runDry(t, l)
	require.Equal(t, diary{"a", "b", "c", "idle 1", "idle 2", "from idle", "idle 3", "timer"}, d)
}

func TestCallWhenIdleIsNoDeadlock(t *testing.T) {
	l := virtual(t)
	p := loop.NewPromise[int](l)
	l.CallWhenIdle(func() { p.Resolve(1) })
	require.NoError(t, l.Drive(p.Future().Done))
	runDry(t, l)
}
