package loop_test

import (
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// request returns a promise that stands for something that l asks for outside.
func request(l *loop.Loop) *loop.Promise[int] {
	p := loop.NewPromise[int](nil)
	p.AskedBy(l)
	p.UnderWay(true)
	return p
}

func TestAVirtualClockStandsStillForWhatIsUnderWay(t *testing.T) {
	leakcheck.Test(t)
	synctest.Test(t, func(t *testing.T) {
		l := virtual(t)
		var d diary
		l.CallLater(0, d.notes("due"))
		l.CallLater(time.Minute, d.notes("timer"))
		p := request(l)
		p.Future().OnDone(l, d.notes("answer"))
		go func() {
			time.Sleep(time.Hour) // of the bubble's time
			p.Resolve(1)
		}()
		require.NoError(t, l.Drive(func() bool { return len(d) == 3 }))
		require.Equal(t, diary{"due", "answer", "timer"}, d)
	})
}

func TestAVirtualClockGoesOnWhenARequestIsGivenUp(t *testing.T) {
	for name, giveUp := range map[string]func(p *loop.Promise[int]){
		"not under way any more": func(p *loop.Promise[int]) { p.UnderWay(false) },
		"cancelled":              func(p *loop.Promise[int]) { p.Future().Cancel(nil) },
		"rejected":               func(p *loop.Promise[int]) { p.Reject(io.EOF) },
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			synctest.Test(t, func(t *testing.T) {
				l := virtual(t)
				rung := false
				l.CallLater(time.Minute, func() { rung = true })
				p := request(l)
				go func() {
					time.Sleep(time.Second)
					giveUp(p)
				}()
				begin := time.Now()
				require.NoError(t, l.Drive(func() bool { return rung }))
				require.Equal(t, time.Second, time.Since(begin))
			})
		})
	}
}

func TestARequestThatWaitsForItsTurnHoldsNoTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := virtual(t)
		p := request(l)
		require.True(t, p.UnderWay(false))
		p.Future().OnDone(l, func() {})
		rung := false
		l.CallLater(time.Hour, func() { rung = true })
		require.NoError(t, l.Drive(func() bool { return rung }))
		p.Resolve(1)
		require.False(t, p.Future().Cancel(nil))
	})
}

func TestAClockThatStandsStillForLongIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var reports []error
		l := virtual(t, loop.ReportTo(func(err error) { reports = append(reports, err) }))
		p := request(l)
		rung := false
		l.CallLater(time.Hour, func() { rung = true })
		go func() {
			time.Sleep(time.Minute)
			p.Resolve(1)
		}()
		require.NoError(t, l.Drive(func() bool { return rung }))
		require.Len(t, reports, 1)
		var e *loop.StoppedClockError
		require.ErrorAs(t, reports[0], &e)
		require.Equal(t, 5*time.Second, e.For)
		require.Equal(t, epoch, e.At)
		require.Equal(t, epoch.Add(time.Hour), e.Next)
		require.Contains(t, e.Error(), "1h0m0s before its next timer")
	})
}

func TestNothingIsADeadlockWhileARequestIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := virtual(t)
		p := request(l)
		go func() {
			time.Sleep(time.Minute)
			p.UnderWay(false)
		}()
		begin := time.Now()
		runDry(t, l)
		require.Equal(t, time.Minute, time.Since(begin))
	})
}

func TestOtherLoopsDoNotHeedRequests(t *testing.T) {
	l := open(t)
	require.False(t, request(l).UnderWay(true))
	require.False(t, request(nil).UnderWay(true))
	runDry(t, l)
}

// A first is a Chooser that takes what was ready first.
type first struct{}

func (first) Choose([]loop.Runnable) int { return 0 }

func TestAChooserHearsAnswersInTheOrderOfTheRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := virtual(t, loop.ChooseBy(first{}))
		var d diary
		var all []*loop.Promise[int]
		l.CallSoon(func() {
			for i := range 3 {
				p := request(l)
				all = append(all, p)
				p.Future().OnDone(l, d.notes(fmt.Sprint("answer ", i)))
			}
			offloaded := loop.Offload(l, func() (int, error) { return 0, nil })
			offloaded.OnDone(l, d.notes("offloaded"))
			go func() {
				time.Sleep(100 * time.Millisecond)
				for _, i := range []int{2, 0, 1} {
					require.True(t, all[i].Resolve(i))
					require.False(t, all[i].Resolve(i), "one answer is enough")
					require.False(t, all[i].Future().Done(), "before the loop has taken it")
				}
			}()
		})
		l.CallLater(0, d.notes("another"))
		require.NoError(t, l.Drive(func() bool { return len(d) == 5 }))
		require.Equal(t, diary{"another", "answer 0", "answer 1", "answer 2", "offloaded"}, d)
	})
}

func TestAChooserGoesOnWithoutAnAnswerThatDoesNotCome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := virtual(t, loop.ChooseBy(first{}))
		p := request(l)
		var d diary
		p.Future().OnDone(l, d.notes("answer"))
		l.CallSoon(func() { p.Resolve(1) }) // it has waited for the loop
		begin := time.Now()
		require.NoError(t, l.Drive(func() bool { return len(d) == 1 }))
		require.Equal(t, 200*time.Millisecond, time.Since(begin))
	})
}

func TestAChooserWaitsForAnAnswerThatIsCertain(t *testing.T) {
	for name, late := range map[string]bool{"from the beginning": false, "since it was sent": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := virtual(t, loop.ChooseBy(first{}))
				p, q := request(l), request(l)
				if late {
					p.UnderWay(false)
				}
				p.Certain(true)
				p.UnderWay(true)
				var d diary
				p.Future().OnDone(l, d.notes("certain"))
				q.Future().OnDone(l, d.notes("other"))
				l.CallSoon(func() { d.notes("chosen")(); q.Resolve(1) }) // the other one has waited for the loop
				go func() {
					time.Sleep(time.Minute)
					p.Resolve(1)
				}()
				begin := time.Now()
				require.NoError(t, l.Drive(func() bool { return len(d) == 3 }))
				require.Equal(t, time.Minute+200*time.Millisecond, time.Since(begin))
				require.Contains(t, d, "chosen")
			})
		})
	}
}

func TestAChooserLosesPatienceWhenNothingIsCertainAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := virtual(t, loop.ChooseBy(first{}))
		p := request(l)
		p.Certain(true)
		p.Certain(false)
		var d diary
		p.Future().OnDone(l, d.notes("answer"))
		l.CallSoon(func() { p.Resolve(1) })
		begin := time.Now()
		require.NoError(t, l.Drive(func() bool { return len(d) == 1 }))
		require.Equal(t, 200*time.Millisecond, time.Since(begin))
	})
}

func TestAChooserHasMorePatienceWhereAnswersAreSlow(t *testing.T) {
	for slow, patience := range map[time.Duration]time.Duration{
		time.Millisecond: 200 * time.Millisecond, 50 * time.Millisecond: 500 * time.Millisecond, 199 * time.Millisecond: 1990 * time.Millisecond,
	} {
		synctest.Test(t, func(t *testing.T) {
			l := virtual(t, loop.ChooseBy(first{}))
			p, q := request(l), (*loop.Promise[int])(nil)
			var d diary
			p.Future().OnDone(l, func() {
				q = request(l)
				q.Future().OnDone(l, d.notes("stuck"))
				l.CallSoon(func() { q.Resolve(1) })
			})
			go func() {
				time.Sleep(slow)
				p.Resolve(1)
			}()
			begin := time.Now()
			require.NoError(t, l.Drive(func() bool { return len(d) == 1 }))
			require.Equal(t, slow+patience, time.Since(begin))
		})
	}
}

// sends answers a request when it is run.
type sends struct{ p *loop.Promise[int] }

func (s sends) RunInLoop() { s.p.Resolve(1) }

func TestAChooserWaitsForNothingThatIsSentAtTheTicksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := virtual(t, loop.ChooseBy(first{}))
		p := request(l)
		var d diary
		p.Future().OnDone(l, d.notes("answer"))
		l.CallSoon(d.notes("another"))
		l.CallAtTickEnd(sends{p})
		begin := time.Now()
		require.NoError(t, l.Drive(func() bool { return len(d) == 2 }))
		require.Zero(t, time.Since(begin))
	})
}

func TestAnAnswerThatTheLoopHasNotTakenCountsForACancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := virtual(t, loop.ChooseBy(first{}))
		p := request(l)
		require.True(t, p.Resolve(7))
		require.False(t, p.Future().Cancel(nil))
		v, err := p.Future().Result()
		require.NoError(t, err)
		require.Equal(t, 7, v)
		runDry(t, l)
	})
}

func TestCloseCompletesWhatWasAnswered(t *testing.T) {
	l := virtual(t, loop.ChooseBy(first{}))
	before, after := request(l), request(l)
	before.Resolve(1)
	l.Close()
	require.True(t, before.Future().Done())
	after.Resolve(2)
	require.True(t, after.Future().Done())
}

// stuckRequests is a Prober.
type stuckRequests struct{ n, asked int }

func (s *stuckRequests) StuckRequests() int { s.asked++; return s.n }

func TestProbersSayWhichRequestsAreStuck(t *testing.T) {
	for name, opts := range map[string][]loop.Option{"virtual clock": nil, "chooser": {loop.ChooseBy(first{})}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := virtual(t, opts...)
				p, q := request(l), request(l)
				stuck := &stuckRequests{n: 1} // of two
				remove := l.Bridge().Probe(stuck)
				var d diary
				l.CallLater(time.Hour, d.notes("timer"))
				q.Future().OnDone(l, d.notes("answer"))
				go func() {
					time.Sleep(time.Second)
					q.Resolve(1)
				}()
				require.NoError(t, l.Drive(func() bool { return len(d) == 2 }))
				require.Equal(t, diary{"answer", "timer"}, d)
				require.Greater(t, stuck.asked, 1)
				require.Less(t, stuck.asked, 30, "it is asked less and less often")
				remove()
				asked := stuck.asked
				p.Resolve(1)
				runDry(t, l)
				require.Equal(t, asked, stuck.asked)
			})
		})
	}
}
