package loop_test

import (
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestPostWakesASleepingLoop(t *testing.T) {
	leakcheck.Test(t)
	for name, d := range map[string]time.Duration{"without a timer": 0, "before a timer": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t)
				l.Bridge().Hold()
				if d > 0 {
					l.CallLater(d, func() { t.Error("the timer came first") })
				}
				came := false
				go func() {
					synctest.Wait() // until the loop sleeps
					l.Post(func() { came = true })
				}()
				require.NoError(t, l.Drive(func() bool { return came }))
				require.EqualValues(t, 1, l.Stats().Sleeps)
				require.Zero(t, time.Since(l.Now()), "no time has passed")
			})
		})
	}
}

func TestLoopSleepsUntilItsNextTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		start := time.Now()
		var at []time.Duration
		for _, d := range []time.Duration{3 * time.Second, time.Second, time.Second, 2 * time.Hour} {
			l.CallLater(d, func() { at = append(at, time.Since(start)) })
		}
		runDry(t, l)
		require.Equal(t, []time.Duration{time.Second, time.Second, 3 * time.Second, 2 * time.Hour}, at)
		require.EqualValues(t, 3, l.Stats().Sleeps)
	})
}

func TestNoPostIsLostWhileTheLoopFallsAsleep(t *testing.T) {
	// Each goroutine posts only after its last post has run. So the loop runs out of work, and
	// falls asleep, all the time, and one lost signal stops the test.
	leakcheck.Test(t)
	for name, ticking := range map[string]bool{"without timers": false, "with timers that end the sleep, too": true} {
		t.Run(name, func(t *testing.T) {
			const goroutines, posts = 3, 3000
			l := open(t)
			l.Bridge().Hold()
			if ticking {
				random := rand.New(rand.NewPCG(1, 2))
				var timer *loop.Timer
				timer = l.CallLater(0, func() { timer.Reset(time.Duration(random.IntN(20)) * time.Microsecond) })
			}
			ended := 0
			var wg sync.WaitGroup
			for range goroutines {
				wg.Go(func() {
					came := make(chan struct{})
					for range posts {
						l.Post(func() { came <- struct{}{} })
						<-came
					}
					l.Post(func() { ended++ })
				})
			}
			require.NoError(t, l.Drive(func() bool { return ended == goroutines }))
			wg.Wait()
		})
	}
}

func TestNoPostIsLostAtTheMomentOfFallingAsleep(t *testing.T) {
	// The post comes some nanoseconds after the last callback, while the loop finds that nothing is
	// ready.
	leakcheck.Test(t)
	const posts = 20_000
	l := open(t)
	l.Bridge().Hold()
	l.CallLater(time.Hour, func() {}) // the loop takes some time to look at it
	l.OnTickEnd(spinner(1))
	var came atomic.Int64
	ended := false
	var wg sync.WaitGroup
	wg.Go(func() {
		spin := spinner(2)
		for i := range int64(posts) {
			l.Post(func() { came.Add(1) })
			for spins := 0; came.Load() <= i; spins++ {
				if spins > 100_000 {
					runtime.Gosched()
				}
			}
			spin()
		}
		l.Post(func() { ended = true })
	})
	require.NoError(t, l.Drive(func() bool { return ended }))
	wg.Wait()
}

func TestEndOfOffloadedWorkIsNotLostAtTheMomentOfFallingAsleep(t *testing.T) {
	leakcheck.Test(t)
	l := open(t)
	l.OnTickEnd(spinner(1))
	for seed := range uint64(20_000) {
		loop.Offload(l, func() (int, error) {
			spinner(seed)()
			return 0, nil
		})
		runDry(t, l)
	}
}

// spinner returns a function that takes some random nanoseconds.
func spinner(seed uint64) func() {
	random := rand.New(rand.NewPCG(seed, 0))
	var sink atomic.Int64
	return func() {
		for range random.IntN(200) {
			sink.Load()
		}
	}
}

// The loop reports a deadlock exactly when no party is left that might change anything.
func TestDeadlockIsSilenceThatNobodyWillBreak(t *testing.T) {
	for name, c := range map[string]struct {
		prepare  func(l *loop.Loop)
		deadlock bool
	}{
		"nothing at all":           {func(*loop.Loop) {}, true},
		"what is ready runs first": {func(l *loop.Loop) { l.CallSoon(func() {}) }, true},
		"a stopped timer":          {func(l *loop.Loop) { l.CallLater(1, func() {}).Stop() }, true},
		"a hook":                   {func(l *loop.Loop) { l.OnTickEnd(func() {}) }, true},
		"a hold":                   {func(l *loop.Loop) { l.Bridge().Hold() }, false},
		"a hold that was released": {func(l *loop.Loop) { l.Bridge().Hold(); l.Bridge().Hold(); l.Bridge().Release(); l.Bridge().Release() }, true},
		"a promise of the loop":    {func(l *loop.Loop) { loop.NewPromise[int](l).Future().OnDone(l, func() {}) }, true},
		"a promise of nobody":      {func(l *loop.Loop) { loop.NewPromise[int](nil).Future().OnDone(l, func() {}) }, false},
		"a promise of another loop": {func(l *loop.Loop) {
			loop.NewPromise[int](loop.New()).Future().OnDone(l, func() {})
		}, false},
		"a future that was done": {func(l *loop.Loop) { loop.Resolved(1).OnDone(l, func() {}) }, true},
		"a promise of nobody, kept": {func(l *loop.Loop) {
			p := loop.NewPromise[int](nil)
			p.Future().OnDone(l, func() {})
			l.CallSoon(func() { p.Resolve(1) })
		}, true},
		"one of two promises kept": {func(l *loop.Loop) {
			p, q := loop.NewPromise[int](nil), loop.NewPromise[int](nil)
			p.Future().OnDone(l, func() {})
			q.Future().OnDone(l, func() {})
			p.Resolve(1)
		}, false},
		"a promise of nobody, cancelled": {func(l *loop.Loop) {
			p := loop.NewPromise[int](nil)
			p.Future().OnDone(l, func() {})
			p.Future().Cancel(nil)
		}, true},
		"the future of a closed loop": {func(l *loop.Loop) {
			other := loop.New()
			p := loop.NewPromise[int](other)
			other.Close()
			p.Future().OnDone(l, func() {})
		}, true},
		"the future of a loop that closes later": {func(l *loop.Loop) {
			other := loop.New()
			loop.NewPromise[int](other).Future().OnDone(l, func() {})
			l.CallSoon(other.Close)
		}, true},
		"a panic in what is called when it's done": {func(l *loop.Loop) {
			loop.Resolved(1).OnDone(l, func() {})
			p := loop.NewPromise[int](nil)
			p.Future().OnDone(l, func() { panic("oops") })
			p.Resolve(1)
			func() {
				defer func() { _ = recover() }()
				_ = l.Drive(never)
			}()
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t)
				c.prepare(l)
				slept := false
				go func() {
					synctest.Wait()
					l.Post(func() { slept = true })
				}()
				err := l.Drive(func() bool { return slept })
				if c.deadlock {
					require.ErrorIs(t, err, loop.ErrDeadlock)
				} else {
					require.NoError(t, err)
				}
			})
		})
	}
}

func TestTimerIsNoDeadlock(t *testing.T) {
	l := virtual(t)
	came := false
	l.CallLater(100*365*24*time.Hour, func() { came = true })
	require.NoError(t, l.Drive(func() bool { return came }))
}

func TestLoopCanBeDrivenOnAfterADeadlock(t *testing.T) {
	l := open(t)
	p := loop.NewPromise[int](l)
	require.ErrorIs(t, l.Drive(p.Future().Done), loop.ErrDeadlock)
	require.ErrorIs(t, l.Drive(p.Future().Done), loop.ErrDeadlock)
	l.CallSoon(func() { p.Resolve(1) })
	require.NoError(t, l.Drive(p.Future().Done))
}

func TestHooksRunBeforeADeadlockIsReported(t *testing.T) {
	l := open(t)
	p := loop.NewPromise[int](l)
	l.OnTickEnd(func() { p.Resolve(1) })
	require.NoError(t, l.Drive(p.Future().Done))
}

func TestOffloadedWorkThatNobodyAwaitsMayStillCallIn(t *testing.T) {
	leakcheck.Test(t)
	for name, opts := range map[string][]loop.Option{"real clock": nil, "virtual clock": {loop.VirtualClock(epoch)}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t, opts...)
				p := loop.NewPromise[int](l)
				loop.Offload(l, func() (int, error) {
					synctest.Wait() // until the loop sleeps
					l.Post(func() { p.Resolve(1) })
					return 0, nil
				})
				require.NoError(t, l.Drive(p.Future().Done))
			})
		})
	}
}

func TestDeadlockIsNoticedWhenTheLastOffloadedWorkEnds(t *testing.T) {
	leakcheck.Test(t)
	for name, abandon := range map[string]bool{"not awaited": false, "abandoned": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := open(t, loop.OffloadLimit(1))
				began := make(chan struct{})
				f := loop.Offload(l, func() (int, error) {
					close(began)
					synctest.Wait()
					return 0, nil
				})
				loop.Offload(l, func() (int, error) { synctest.Wait(); return 0, nil }) // waits for the first
				<-began
				if abandon {
					f.Cancel(nil)
				}
				require.ErrorIs(t, l.Drive(never), loop.ErrDeadlock)
				require.EqualValues(t, 1, l.Stats().Sleeps, "it sleeps until the last one has ended")
			})
		})
	}
}

func TestVirtualClockBeginsAtItsStart(t *testing.T) {
	require.Equal(t, epoch, virtual(t).Now())
}

func TestVirtualClockStandsStillWhileThereIsAnythingToRun(t *testing.T) {
	l := virtual(t)
	l.CallLater(time.Second, func() {})
	var at []time.Duration
	steps := 0
	var step func()
	step = func() {
		at = append(at, l.Now().Sub(epoch))
		if steps++; steps < 10 {
			l.CallSoon(step)
		}
	}
	l.CallSoon(step)
	runDry(t, l)
	require.Equal(t, make([]time.Duration, 10), at)
	require.Equal(t, epoch.Add(time.Second), l.Now())
}

func TestVirtualClockJumpsFromTimerToTimer(t *testing.T) {
	l := virtual(t)
	var at []time.Duration
	var timer *loop.Timer
	timer = l.CallLater(time.Hour, func() {
		at = append(at, l.Now().Sub(epoch))
		if len(at) < 3 {
			timer.Reset(24 * time.Hour)
		}
	})
	runDry(t, l)
	require.Equal(t, []time.Duration{time.Hour, 25 * time.Hour, 49 * time.Hour}, at)
	require.Zero(t, l.Stats().Sleeps)
}

func TestVirtualClockStandsStillWhileOffloadedWorkIsUnderWay(t *testing.T) {
	leakcheck.Test(t)
	synctest.Test(t, func(t *testing.T) {
		l := virtual(t)
		var d diary
		l.CallLater(time.Second, d.notes("timer"))
		f := loop.Offload(l, func() (int, error) {
			time.Sleep(time.Hour) // of the bubble's time
			return 1, nil
		})
		f.OnDone(l, func() {
			d.note("offloaded")
			require.Equal(t, epoch, l.Now())
		})
		require.NoError(t, l.Drive(func() bool { return len(d) == 2 }))
		require.Equal(t, diary{"offloaded", "timer"}, d)
	})
}

func TestVirtualClockGoesOnWhenOffloadedWorkEndsThatNobodyAwaits(t *testing.T) {
	leakcheck.Test(t)
	for name, abandon := range map[string]bool{"not awaited": false, "abandoned": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := virtual(t)
				began := make(chan struct{})
				ended := false
				f := loop.Offload(l, func() (int, error) {
					close(began)
					synctest.Wait() // until the loop sleeps
					ended = true
					return 0, nil
				})
				<-began
				if abandon {
					f.Cancel(nil)
				}
				came := false
				l.CallLater(time.Hour, func() { came = true })
				require.NoError(t, l.Drive(func() bool { return came }))
				require.True(t, ended)
			})
		})
	}
}

func TestVirtualClockDoesNotJumpOverWhatOffloadedWorkHasPosted(t *testing.T) {
	leakcheck.Test(t)
	for range 200 { // the post and the end of the work race with the loop's falling asleep
		l := virtual(t)
		var d diary
		loop.Offload(l, func() (int, error) {
			l.Post(func() {
				d.note("posted")
				require.Equal(t, epoch, l.Now())
			})
			return 0, nil
		})
		l.CallLater(time.Second, d.notes("timer"))
		runDry(t, l)
		require.Equal(t, diary{"posted", "timer"}, d)
	}
}

func TestVirtualClockIsPatientWithWhatAnotherGoroutineMayComplete(t *testing.T) {
	leakcheck.Test(t)
	for name, c := range map[string]struct {
		takes time.Duration
		order diary
	}{
		"soon":     {4 * time.Millisecond, diary{"completed", "timer"}},
		"too late": {6 * time.Millisecond, diary{"timer", "completed"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := virtual(t)
				var d diary
				p := loop.NewPromise[int](nil)
				p.Future().OnDone(l, d.notes("completed"))
				time.AfterFunc(c.takes, func() { p.Resolve(1) })
				l.CallLater(time.Second, d.notes("timer"))
				require.NoError(t, l.Drive(func() bool { return len(d) == 2 }))
				require.Equal(t, c.order, d)
				require.Equal(t, epoch.Add(time.Second), l.Now())
			})
		})
	}
}
