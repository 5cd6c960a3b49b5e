package loop_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// A bed is a Sleeper that notes what happens to it.
type bed struct {
	diary
	lasts time.Duration // until it has something to schedule; 0: for ever
	then  func()
	wake  chan struct{}
}

func newBed(lasts time.Duration, then func()) *bed {
	return &bed{lasts: lasts, then: then, wake: make(chan struct{}, 8)}
}

func (b *bed) Sleep(d time.Duration) {
	b.note("sleeps")
	var done <-chan time.Time
	if b.lasts > 0 {
		timer := time.NewTimer(b.lasts)
		defer timer.Stop()
		done = timer.C
	}
	limit := time.NewTimer(d)
	defer limit.Stop()
	select {
	case <-done:
		b.then()
	case <-b.wake:
	case <-limit.C:
	}
}

func (b *bed) Interrupt() { b.wake <- struct{}{} }

func (b *bed) Rise() { b.note("rises") }

func TestALoopSleepsInASleeperUntilItHasSomethingForIt(t *testing.T) {
	leakcheck.Test(t)
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		l.Bridge().Hold()
		came, start := false, time.Now()
		b := newBed(time.Second, func() { l.Post(func() { came = true }) })
		l.CallSoon(func() {
			l.CallAtTickEnd(runnable(func() {
				require.True(t, l.Bridge().SleepIn(b))
				require.False(t, l.Bridge().SleepIn(newBed(0, nil)), "there is room for one")
			}))
		})
		require.NoError(t, l.Drive(func() bool { return came }))
		require.Equal(t, diary{"sleeps"}, b.diary)
		require.Equal(t, time.Second, time.Since(start))
		require.EqualValues(t, 1, l.Stats().Sleeps)

		came = false // what the bed has left behind disturbs no later sleep
		go func() {
			synctest.Wait()
			l.Post(func() { came = true })
		}()
		require.NoError(t, l.Drive(func() bool { return came }))
		require.EqualValues(t, 2, l.Stats().Sleeps)
	})
}

func TestASleeperIsInterruptedByWhoeverWakesTheLoop(t *testing.T) {
	leakcheck.Test(t)
	for name, wake := range map[string]func(l *loop.Loop, fn func()){
		"by a post":  func(l *loop.Loop, fn func()) { go func() { synctest.Wait(); l.Post(fn) }() },
		"by a timer": func(l *loop.Loop, fn func()) { l.CallLater(time.Minute, fn) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t)
				l.Bridge().Hold()
				came := false
				b := newBed(0, nil)
				remove := l.OnTickEnd(func() { l.Bridge().SleepIn(b) })
				wake(l, func() {
					came = true
					remove()
				})
				require.NoError(t, l.Drive(func() bool { return came }))
				require.Equal(t, diary{"sleeps"}, b.diary)
			})
		})
	}
}

// A Sleeper has given up something for the sleep; it gets it back if there is none.
func TestASleeperRisesIfTheLoopDoesNotSleep(t *testing.T) {
	ready := func(l *loop.Loop, done *bool) { l.CallSoon(func() { *done = true }) }
	for name, then := range map[string]func(l *loop.Loop, done *bool){
		"since something is ready":       ready,
		"since something runs when idle": func(l *loop.Loop, done *bool) { l.CallWhenIdle(func() { *done = true }) },
		"since Drive returns":            func(_ *loop.Loop, done *bool) { *done = true },
		"since nothing will happen":      func(*loop.Loop, *bool) {},
		"since there is a panic":         func(*loop.Loop, *bool) { panic("why") },
		"since the loop is closed":       func(l *loop.Loop, _ *bool) { l.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			b := newBed(0, nil)
			done := false
			l.CallSoon(func() {
				l.CallAtTickEnd(runnable(func() {
					require.True(t, l.Bridge().SleepIn(b))
					then(l, &done)
				}))
			})
			func() {
				defer func() { _ = recover() }()
				_ = l.Drive(func() bool { return done })
			}()
			require.Equal(t, diary{"rises"}, b.diary)
		})
	}
}

func TestSomeLoopsDoNotSleepInAnything(t *testing.T) {
	b := newBed(0, nil)
	l := virtual(t)
	l.CallSoon(func() { require.False(t, l.Bridge().SleepIn(b)) })
	runDry(t, l)
	var posted []func()
	guest := loop.NewGuest(func(fn func()) { posted = append(posted, fn) })
	defer guest.Close()
	guest.CallSoon(func() { require.False(t, guest.Bridge().SleepIn(b)) })
	for len(posted) > 0 {
		fn := posted[0]
		posted = posted[1:]
		fn()
	}
	require.Empty(t, b.diary)
}

func TestCallAtTickEndComesOnceAfterTheHooks(t *testing.T) {
	l := virtual(t)
	var d diary
	l.OnTickEnd(d.notes("hook"))
	l.CallSoon(func() {
		d.note("callback")
		l.CallAtTickEnd(runnable(func() {
			d.note("end")
			l.CallAtTickEnd(runnable(d.notes("end of the same")))
			l.CallSoon(d.notes("next"))
		}))
	})
	runDry(t, l)
	require.Equal(t, diary{"callback", "hook", "end", "end of the same", "next", "hook"}, d)

	// The time before the loop is driven counts as a tick, too.
	d = nil
	l.CallAtTickEnd(runnable(d.notes("end")))
	runDry(t, l)
	require.Equal(t, diary{"hook", "end"}, d)

	// After a panic, the next Drive begins with the others.
	d = nil
	l.CallAtTickEnd(runnable(func() { panic("why") }))
	l.CallAtTickEnd(runnable(d.notes("end")))
	l.CallSoon(d.notes("callback"))
	require.PanicsWithValue(t, "why", func() { _ = l.Drive(never) })
	l.CallSoon(d.notes("later"))
	runDry(t, l)
	require.Equal(t, diary{"callback", "hook", "end", "later", "hook"}, d)
}

func TestCallAtTickEndHasAGuestPumped(t *testing.T) {
	var posted []func()
	guest := loop.NewGuest(func(fn func()) { posted = append(posted, fn) })
	defer guest.Close()
	came := false
	guest.CallAtTickEnd(runnable(func() { came = true }))
	require.Len(t, posted, 1)
	posted[0]()
	require.True(t, came)
}
