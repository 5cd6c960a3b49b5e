package loop_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

func TestTimersRunInTheOrderOfTheirMoments(t *testing.T) {
	l := virtual(t)
	random := rand.New(rand.NewPCG(1, 2))
	var at []time.Time
	for range 1000 {
		d := time.Duration(random.IntN(500)) * time.Second
		l.CallLater(d, func() {
			require.Equal(t, epoch.Add(d), l.Now())
			at = append(at, l.Now())
		})
	}
	runDry(t, l)
	require.Len(t, at, 1000)
	require.True(t, slices.IsSortedFunc(at, time.Time.Compare))
}

func TestTimersOfOneMomentRunInTheOrderInWhichTheyWereSet(t *testing.T) {
	clocks := map[string]func(t *testing.T) *loop.Loop{
		"virtual clock": func(t *testing.T) *loop.Loop { return virtual(t) },
		"real clock":    func(t *testing.T) *loop.Loop { return open(t) },
	}
	for name, newLoop := range clocks {
		t.Run(name, func(t *testing.T) {
			l := newLoop(t)
			const n = 2000
			var got []int
			at := l.Now().Add(time.Millisecond)
			for i := range n {
				l.CallAt(at, func() { got = append(got, i) })
			}
			require.NoError(t, l.Drive(func() bool { return len(got) == n }))
			require.True(t, slices.IsSorted(got), "the real clock goes on while they are set, and must not count")
		})
	}
}

func TestResetTimerGoesToTheEndOfItsMoment(t *testing.T) {
	l := virtual(t)
	var d diary
	a := l.CallLater(time.Second, d.notes("a"))
	l.CallLater(time.Second, d.notes("b"))
	a.Reset(time.Second)
	runDry(t, l)
	require.Equal(t, diary{"b", "a"}, d)
}

func TestDueTimersComeBehindWhatWasScheduledByThen(t *testing.T) {
	l := virtual(t)
	var d diary
	l.CallLater(0, d.notes("timer"))
	l.CallSoon(d.notes("soon"))
	l.CallSoon(func() { l.CallSoon(d.notes("next tick")) })
	runDry(t, l)
	require.Equal(t, diary{"soon", "timer", "next tick"}, d)
}

func TestTimerThatIsNotInTheFutureRunsInTheNextTick(t *testing.T) {
	for name, set := range map[string]func(l *loop.Loop, fn func()){
		"CallLater 0":        func(l *loop.Loop, fn func()) { l.CallLater(0, fn) },
		"CallLater negative": func(l *loop.Loop, fn func()) { l.CallLater(math.MinInt64, fn) },
		"CallAt now":         func(l *loop.Loop, fn func()) { l.CallAt(l.Now(), fn) },
		"CallAt past":        func(l *loop.Loop, fn func()) { l.CallAt(l.Now().Add(-time.Hour), fn) },
		"CallAt long past":   func(l *loop.Loop, fn func()) { l.CallAt(time.Time{}, fn) },
		"Reset negative":     func(l *loop.Loop, fn func()) { l.CallLater(time.Hour, fn).Reset(-1) },
	} {
		t.Run(name, func(t *testing.T) {
			l := virtual(t)
			called := 0
			l.CallSoon(func() {
				set(l, func() { called++ })
				require.Zero(t, called, "never inline")
			})
			runDry(t, l)
			require.Equal(t, 1, called)
			require.EqualValues(t, 2, l.Stats().Ticks)
			require.Equal(t, epoch, l.Now(), "time never goes back")
		})
	}
}

func TestPastMomentsKeepTheirOrder(t *testing.T) {
	l := virtual(t)
	var d diary
	l.CallLater(0, d.notes("now"))
	l.CallAt(epoch.Add(-time.Hour), d.notes("an hour ago"))
	l.CallAt(epoch.Add(-2*time.Hour), d.notes("two hours ago"))
	runDry(t, l)
	require.Equal(t, diary{"two hours ago", "an hour ago", "now"}, d)
}

func TestTimerBeyondTheClocksRangeNeverComesEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		time.Sleep(time.Hour) // so that adding to the loop's time overflows
		fail := func() { t.Error("was called") }
		forever := l.CallLater(math.MaxInt64, fail)
		l.CallLater(1, fail).Reset(math.MaxInt64)
		came := false
		l.CallLater(time.Hour, func() { came = true })
		require.NoError(t, l.Drive(func() bool { return came }))
		require.Greater(t, forever.When().Sub(l.Now()), 200*365*24*time.Hour)
	})
}

func TestStoppedTimerDoesNotCall(t *testing.T) {
	l := virtual(t)
	timer := l.CallLater(time.Second, func() { t.Error("was called") })
	require.True(t, timer.Stop())
	require.False(t, timer.Stop(), "a second time there is nothing to stop")
	runDry(t, l)
	require.Equal(t, epoch, l.Now(), "nobody waits for a stopped timer")
}

func TestStopAfterTheCallReportsThatItWasTooLate(t *testing.T) {
	l := virtual(t)
	var timer *loop.Timer
	timer = l.CallLater(0, func() { require.False(t, timer.Stop(), "the call is being made") })
	runDry(t, l)
	require.False(t, timer.Stop())
}

func TestTimerCanBeStoppedByAnotherCallbackOfTheSameTick(t *testing.T) {
	for name, setBy := range map[string]func(l *loop.Loop, fn func()){
		"callback": func(l *loop.Loop, fn func()) { l.CallSoon(fn) },
		"timer":    func(l *loop.Loop, fn func()) { l.CallLater(0, fn) },
	} {
		t.Run(name, func(t *testing.T) {
			l := virtual(t)
			var timer *loop.Timer
			setBy(l, func() {
				require.True(t, timer.Stop())
				require.False(t, timer.Stop())
			})
			timer = l.CallLater(0, func() { t.Error("was called") })
			runDry(t, l)
			require.EqualValues(t, 1, l.Stats().Ticks)
			require.EqualValues(t, 1, l.Stats().Callbacks, "what was stopped is no callback")
		})
	}
}

func TestTimerCanBeResetByAnotherCallbackOfTheSameTick(t *testing.T) {
	for name, d := range map[string]time.Duration{"to later": time.Hour, "to the next tick": 0} {
		t.Run(name, func(t *testing.T) {
			l := virtual(t)
			var at []time.Time
			var timer *loop.Timer
			l.CallLater(0, func() {
				timer.Reset(d)
				require.Equal(t, epoch.Add(d), timer.When())
			})
			timer = l.CallLater(0, func() { at = append(at, l.Now()) })
			runDry(t, l)
			require.Equal(t, []time.Time{epoch.Add(d)}, at, "once, and then")
		})
	}
}

func TestTimerCanBeStoppedAndSetAgainInTheTickInWhichItIsDue(t *testing.T) {
	l := virtual(t)
	var d diary
	var timer *loop.Timer
	l.CallSoon(func() {
		timer.Reset(0)
		require.True(t, timer.Stop())
		timer.Reset(0)
		l.CallSoon(d.notes("next tick"))
	})
	timer = l.CallLater(0, d.notes("timer"))
	runDry(t, l)
	require.Equal(t, diary{"next tick", "timer"}, d)
}

func TestTimerCanSetItselfAgain(t *testing.T) {
	l := virtual(t)
	var at []time.Duration
	var timer *loop.Timer
	timer = l.CallLater(time.Second, func() {
		at = append(at, l.Now().Sub(epoch))
		if len(at) < 3 {
			timer.Reset(time.Second)
		}
	})
	runDry(t, l)
	require.Equal(t, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, at)
}

func TestStoppedTimerCanBeSetAgain(t *testing.T) {
	l := virtual(t)
	called := 0
	timer := l.CallLater(time.Second, func() { called++ })
	timer.Stop()
	timer.Reset(time.Minute)
	runDry(t, l)
	require.Equal(t, 1, called)
	require.Equal(t, epoch.Add(time.Minute), l.Now())
	require.Equal(t, epoch.Add(time.Minute), timer.When())
}

func TestStoppingAnyOfManyTimersKeepsTheOthers(t *testing.T) {
	l := virtual(t)
	random := rand.New(rand.NewPCG(3, 4))
	const n = 1000
	var timers [n]*loop.Timer
	var called, stopped [n]bool
	for i := range timers {
		timers[i] = l.CallLater(time.Duration(random.IntN(50))*time.Second, func() { called[i] = true })
	}
	for range n / 2 {
		i := random.IntN(n)
		require.Equal(t, !stopped[i], timers[i].Stop())
		stopped[i] = true
	}
	runDry(t, l)
	for i := range timers {
		require.Equal(t, !stopped[i], called[i])
	}
}

func TestScheduleLaterCallsTheRunnable(t *testing.T) {
	l := virtual(t)
	var d diary
	l.ScheduleLater(time.Second, runnable(d.notes("called")))
	runDry(t, l)
	require.Equal(t, diary{"called"}, d)
}

func TestPanicOfATimerLeavesTheTimersBehindItToTheNextDrive(t *testing.T) {
	l := virtual(t)
	var d diary
	l.CallLater(0, func() { panic("oops") })
	stopped := l.CallLater(0, d.notes("stopped"))
	l.CallLater(0, d.notes("behind"))
	require.PanicsWithValue(t, "oops", func() { _ = l.Drive(never) })
	require.True(t, stopped.Stop(), "it is due, but hasn't been called")
	runDry(t, l)
	require.Equal(t, diary{"behind"}, d)
}
