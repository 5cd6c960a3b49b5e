package loop_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"weak"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

var errTest = errors.New("test")

func TestOnDoneIsCalledByTheLoopAndNeverInline(t *testing.T) {
	l := open(t)
	var d diary
	p := loop.NewPromise[int](l)
	p.Future().OnDone(l, d.notes("before"))
	require.True(t, p.Resolve(1))
	p.Future().OnDone(l, d.notes("after")) // it is done already
	require.Empty(t, d)
	runDry(t, l)
	require.Equal(t, diary{"before", "after"}, d)
}

func TestOnDoneWithinOnDoneComesInTheNextTick(t *testing.T) {
	l := open(t)
	var d diary
	l.OnTickEnd(d.notes("|"))
	p := loop.NewPromise[int](l)
	p.Future().OnDone(l, func() {
		d.note("outer")
		p.Future().OnDone(l, d.notes("inner"))
	})
	p.Future().OnDone(l, d.notes("next"))
	p.Resolve(1)
	runDry(t, l)
	require.Equal(t, diary{"outer", "next", "|", "inner", "|"}, d)
}

func TestOnDoneKeepsTheOrderOfThoseWhoAsked(t *testing.T) {
	l := open(t)
	var d, want diary
	p := loop.NewPromise[int](nil)
	for i := range 10 {
		p.Future().OnDone(l, d.notes(fmt.Sprint(i)))
		want.note(fmt.Sprint(i))
	}
	elsewhere(func() { p.Resolve(1) })
	runDry(t, l)
	require.Equal(t, want, d)
}

func TestOnDoneCallsEachInItsOwnLoop(t *testing.T) {
	l, other := open(t), open(t)
	var d diary
	p := loop.NewPromise[int](l)
	p.Future().OnDone(l, d.notes("one"))
	p.Future().OnDone(other, d.notes("other"))
	p.Resolve(1)
	runDry(t, other)
	require.Equal(t, diary{"other"}, d)
	runDry(t, l)
	require.Equal(t, diary{"other", "one"}, d)
}

func TestOnDoneOfAnOutsideFutureWakesTheLoop(t *testing.T) {
	leakcheck.Test(t)
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		p := loop.NewPromise[int](nil)
		value := 0
		p.Future().OnDone(l, func() { value, _ = p.Future().Result() })
		go func() {
			synctest.Wait() // until the loop sleeps
			p.Resolve(7)
		}()
		require.NoError(t, l.Drive(func() bool { return value != 0 }))
		require.Equal(t, 7, value)
	})
}

func TestLoopThatClosesIsToldNothing(t *testing.T) {
	l := loop.New()
	p := loop.NewPromise[int](nil)
	p.Future().OnDone(l, func() { t.Error("was called") })
	l.Close()
	require.True(t, p.Resolve(1), "that is no concern of the promise")
}

func TestClosingALoopFailsItsFuturesThatOthersWaitFor(t *testing.T) {
	leakcheck.Test(t)
	closing, other := loop.New(), open(t)
	var d diary
	awaited := loop.NewPromise[int](closing)
	awaited.Future().OnDone(other, d.notes("other loop"))
	awaited.Future().OnDone(closing, d.notes("own loop"))
	ignored := loop.NewPromise[int](closing)
	ignored.Future().OnDone(closing, d.notes("own loop"))
	resolved := loop.NewPromise[int](closing)
	resolved.Future().OnDone(other, d.notes("was resolved"))
	resolved.Resolve(1)

	var inGoroutine error
	var wg sync.WaitGroup
	waits := loop.NewPromise[int](closing)
	wg.Go(func() { _, inGoroutine = waits.Future().Wait(context.Background()) })

	closing.Close()
	wg.Wait()
	require.ErrorIs(t, inGoroutine, loop.ErrClosed, "whether it came before or after")
	require.ErrorIs(t, awaited.Future().Err(), loop.ErrClosed)
	require.NoError(t, resolved.Future().Err())
	require.False(t, ignored.Future().Done(), "nobody would notice")
	runDry(t, other)
	require.Equal(t, diary{"was resolved", "other loop"}, d)
}

func TestClosingALoopFailsItsFuturesInAFixedOrder(t *testing.T) {
	closing, other := loop.New(), open(t)
	var d, want diary
	for i := range 50 {
		loop.NewPromise[int](closing).Future().OnDone(other, d.notes(fmt.Sprint(i)))
		want.note(fmt.Sprint(i))
	}
	closing.Close()
	runDry(t, other)
	require.Equal(t, want, d)
}

func TestWaitingForAFutureOfAClosedLoopFails(t *testing.T) {
	closed, other := loop.New(), open(t)
	p := loop.NewPromise[int](closed)
	closed.Close()
	called := false
	p.Future().OnDone(other, func() { called = true })
	runDry(t, other)
	require.True(t, called)
	_, err := p.Future().Wait(t.Context())
	require.ErrorIs(t, err, loop.ErrClosed)
	require.False(t, p.Resolve(1))
}

func TestCloseAndWaitMeetInEitherOrder(t *testing.T) {
	leakcheck.Test(t)
	for range 500 {
		l := loop.New()
		p := loop.NewPromise[int](l)
		var err error
		var wg sync.WaitGroup
		wg.Go(func() { _, err = p.Future().Wait(context.Background()) })
		wg.Go(func() { p.Future().Cancel(errTest) })
		l.Close()
		wg.Wait()
		if !errors.Is(err, errTest) {
			require.ErrorIs(t, err, loop.ErrClosed)
		}
	}
}

func TestLoopLetsGoOfItsFuturesOnceTheyAreDone(t *testing.T) {
	own, other := open(t), open(t)
	p := loop.NewPromise[int](own)
	p.Future().OnDone(other, func() {})
	p.Resolve(1)
	runDry(t, other)
	kept := weak.Make(p)
	p = nil
	runtime.GC()
	require.Nil(t, kept.Value())
	runtime.KeepAlive(own)
}

func TestFutureLetsGoOfItsOwnerOnceItIsDone(t *testing.T) {
	o := new(owner)
	p := loop.NewPromise[int](nil)
	p.OnCancel(o.CancelFuture)
	p.Resolve(1)
	kept := weak.Make(o)
	o = nil
	runtime.GC()
	require.Nil(t, kept.Value())
	runtime.KeepAlive(p)
}

func TestWaiterIsToldOnce(t *testing.T) {
	l := open(t)
	told := 0
	var w loop.Waiter
	w.Notify(l, runnable(func() { told++ }))
	p := loop.NewPromise[int](l)
	require.True(t, p.Future().Subscribe(&w))
	p.Resolve(1)
	p.Reject(errTest)
	p.Future().Cancel(nil)
	runDry(t, l)
	require.Equal(t, 1, told)
	require.False(t, p.Future().Unsubscribe(&w), "it has been told")
	require.False(t, p.Future().Subscribe(&w), "there is nothing to wait for")
	runDry(t, l)
	require.Equal(t, 1, told)
}

func TestUnsubscribedWaiterIsNotTold(t *testing.T) {
	l := open(t)
	p := loop.NewPromise[int](l)
	var d diary
	var waiters [5]loop.Waiter
	for i := range waiters {
		waiters[i].Notify(l, runnable(d.notes(fmt.Sprint(i))))
		require.True(t, p.Future().Subscribe(&waiters[i]))
	}
	for _, i := range []int{0, 2, 4} { // the first, one within, the last
		require.True(t, p.Future().Unsubscribe(&waiters[i]))
		require.False(t, p.Future().Unsubscribe(&waiters[i]))
	}
	require.True(t, p.Future().Subscribe(&waiters[0]), "it comes last now")
	p.Resolve(1)
	runDry(t, l)
	require.Equal(t, diary{"1", "3", "0"}, d)
}

func TestLastWaiterCanLeave(t *testing.T) {
	l := open(t)
	p := loop.NewPromise[int](l)
	var w loop.Waiter
	w.Notify(l, runnable(func() { t.Error("was told") }))
	require.True(t, p.Future().Subscribe(&w))
	require.True(t, p.Future().Unsubscribe(&w))
	p.Resolve(1)
	runDry(t, l)
}

func TestWaiterCanBeUsedAgainWhenItIsTold(t *testing.T) {
	l := open(t)
	var w loop.Waiter
	left := 100
	next := func() {
		p := loop.NewPromise[int](l)
		require.True(t, p.Future().Subscribe(&w))
		l.CallSoon(func() { p.Resolve(1) })
	}
	w.Notify(l, runnable(func() {
		if left--; left > 0 {
			next()
		}
	}))
	next()
	runDry(t, l)
	require.Zero(t, left)
}

func TestWaiterCanBeUsedAgainAsSoonAsTheFutureIsSeenToBeDone(t *testing.T) {
	// A caller that is awake for another reason may see that the future is done before the future
	// tells its waiters.
	leakcheck.Test(t)
	const rounds = 5000
	l := open(t)
	var mine loop.Waiter
	told := 0
	mine.Notify(l, runnable(func() { told++ }))
	futures := make(chan *loop.Promise[int], 1)
	var wg sync.WaitGroup
	wg.Go(func() {
		for p := range futures {
			p.Resolve(1)
		}
	})
	next := loop.NewPromise[int](nil)
	require.True(t, next.Future().Subscribe(&mine))
	for range rounds {
		var others [3]loop.Waiter
		for i := range others {
			others[i].Notify(l, runnable(func() {}))
			next.Future().Subscribe(&others[i])
		}
		this := next
		futures <- this
		for !this.Future().Done() {
			runtime.Gosched()
		}
		next = loop.NewPromise[int](nil)
		require.True(t, next.Future().Subscribe(&mine))
		require.False(t, this.Future().Unsubscribe(&others[0]))
	}
	close(futures)
	wg.Wait()
	require.True(t, next.Future().Unsubscribe(&mine))
	runDry(t, l)
	require.Equal(t, rounds, told)
}

func TestWaiterWaitsForOneFutureAtATime(t *testing.T) {
	l := open(t)
	var w loop.Waiter
	w.Notify(l, runnable(func() {}))
	p, q := loop.NewPromise[int](l), loop.NewPromise[int](l)
	require.True(t, p.Future().Subscribe(&w))
	require.PanicsWithValue(t, "loop: a Waiter can't wait for two futures at a time", func() { q.Future().Subscribe(&w) })
	require.True(t, p.Future().Unsubscribe(&w))
	require.True(t, q.Future().Subscribe(&w))
}

func TestUnsubscribeDuringCompletionIsEitherInTimeOrTold(t *testing.T) {
	leakcheck.Test(t)
	for range 300 {
		p := loop.NewPromise[int](nil)
		const n = 4
		var told [n]atomic.Int32
		var waiters [n]loop.Waiter
		for i := range waiters {
			waiters[i].Notify(nil, runnable(func() { told[i].Add(1) }))
			require.True(t, p.Future().Subscribe(&waiters[i]))
		}
		var wg sync.WaitGroup
		wg.Go(func() { p.Resolve(1) })
		for i := range waiters {
			wg.Go(func() {
				want := int32(1)
				if p.Future().Unsubscribe(&waiters[i]) {
					want = 0
				}
				if got := told[i].Load(); got != want {
					t.Errorf("told %d times, should be %d", got, want)
				}
			})
		}
		wg.Wait()
	}
}

func TestWaiterWithoutALoopIsToldByWhoCompletes(t *testing.T) {
	p := loop.NewPromise[int](nil)
	told := false
	var w loop.Waiter
	w.Notify(nil, runnable(func() { told = true }))
	require.True(t, p.Future().Subscribe(&w))
	p.Resolve(1)
	require.True(t, told)
}

func TestCancelWithoutAnOwnerCompletes(t *testing.T) {
	for name, c := range map[string]struct{ cause, want error }{
		"with a cause":    {errTest, errTest},
		"without a cause": {nil, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			p := loop.NewPromise[int](nil)
			require.True(t, p.Future().Cancel(c.cause))
			_, err := p.Future().Result()
			require.Equal(t, c.want, err)
			require.False(t, p.Future().Cancel(nil), "it is complete")
			require.False(t, p.Resolve(1))
		})
	}
}

func TestCancelOfADoneFutureChangesNothing(t *testing.T) {
	f := loop.Resolved(1)
	require.False(t, f.Cancel(errTest))
	v, err := f.Result()
	require.NoError(t, err)
	require.Equal(t, 1, v)
}

func TestCancelIsForTheOwnerToDecide(t *testing.T) {
	p := loop.NewPromise[int](nil)
	var causes []error
	p.OnCancel(func(cause error) { causes = append(causes, cause) })
	require.True(t, p.Future().Cancel(errTest))
	require.True(t, p.Future().Cancel(nil), "it isn't complete")
	require.Equal(t, []error{errTest}, causes, "but the owner is told once")
	require.False(t, p.Future().Done())
	require.True(t, p.Resolve(1), "and may still resolve")
	require.False(t, p.Future().Cancel(nil))
	require.Len(t, causes, 1)
}

func TestOwnerCanRejectWhileBeingTold(t *testing.T) {
	p := loop.NewPromise[int](nil)
	p.OnCancel(func(cause error) { p.Reject(fmt.Errorf("stopped: %w", cause)) })
	require.True(t, p.Future().Cancel(errTest))
	require.ErrorIs(t, p.Future().Err(), errTest)
	require.ErrorContains(t, p.Future().Err(), "stopped")
}

func TestOwnerThatComesAfterTheEndIsNotTold(t *testing.T) {
	p := loop.NewPromise[int](nil)
	p.Future().Cancel(nil)
	p.OnCancel(func(error) { t.Error("was told") })
	require.False(t, p.Future().Cancel(nil))
}

// owner is a Canceler with a name that asks the future it owns.
type owner struct {
	promise loop.Promise[int]
	cause   error
}

func (o *owner) CancelFuture(cause error) { o.cause = cause }

func (o *owner) String() string {
	return fmt.Sprintf("work, cancelled=%v", o.promise.Future().Cancel(nil))
}

func TestFutureIsNamedByItsName_ItsOwner_OrItsKind(t *testing.T) {
	l := open(t)
	require.Equal(t, "a future of the loop", loop.NewPromise[int](l).Future().String())
	require.Equal(t, "a future", loop.NewPromise[int](nil).Future().String())

	o := new(owner)
	o.promise.Bind(l, o)
	require.Equal(t, "work, cancelled=true", o.promise.Future().String(), "the owner may use the future meanwhile")
	require.Equal(t, context.Canceled, o.cause)

	o.promise.Future().SetName("a name")
	require.Equal(t, "a name", o.promise.Future().String())
	require.Equal(t, "offloaded work", loop.Offload(l, func() (int, error) { return 0, nil }).String())
}

// The name and the owner share a place.
func TestANamedFutureKeepsItsOwnerAndItsName(t *testing.T) {
	for name, prepare := range map[string]func(p *loop.Promise[int], cancelled func(error)){
		"named first": func(p *loop.Promise[int], cancelled func(error)) {
			p.Future().SetName("an answer")
			p.OnCancel(cancelled)
		},
		"owned first": func(p *loop.Promise[int], cancelled func(error)) {
			p.OnCancel(cancelled)
			p.Future().SetName("a question")
			p.Future().SetName("an answer")
		},
	} {
		t.Run(name, func(t *testing.T) {
			var causes []error
			p := loop.NewPromise[int](nil)
			prepare(p, func(cause error) { causes = append(causes, cause) })
			f := p.Future()
			require.True(t, f.Cancel(context.Canceled))
			require.False(t, f.Done(), "that is for the owner to decide")
			require.True(t, f.Cancel(nil))
			require.Equal(t, []error{context.Canceled}, causes, "the owner is told once")
			require.Equal(t, "an answer", f.String())
			require.True(t, p.Resolve(7))
			require.Equal(t, "an answer", f.String(), "in a report that is made later")
		})
	}
	p := loop.NewPromise[int](nil)
	p.Future().SetName("an answer")
	require.True(t, p.Future().Cancel(nil))
	require.True(t, p.Future().Done(), "it has a name, but no owner")
}

// However many wait, each is told, in the order of subscription.
func TestAllWaitersAreToldInTheirOrder(t *testing.T) {
	for n := range 8 {
		p := loop.NewPromise[int](nil)
		var told []int
		for i := range n {
			var w loop.Waiter
			w.Notify(nil, runnable(func() { told = append(told, i) }))
			require.True(t, p.Future().Subscribe(&w))
		}
		require.True(t, p.Resolve(1))
		require.Len(t, told, n)
		require.IsIncreasing(t, append([]int{-2, -1}, told...))
	}
}

// Tell doesn't need a future.
func TestAWaiterCanBeToldByItself(t *testing.T) {
	told := 0
	var w loop.Waiter
	w.Notify(nil, runnable(func() { told++ }))
	w.Tell()
	require.Equal(t, 1, told, "without a loop it is called at once")
	l := loop.New()
	defer l.Close()
	w.Notify(l, runnable(func() { told++ }))
	w.Tell()
	require.Equal(t, 1, told, "the loop calls it, in its next tick")
	require.NoError(t, l.Drive(func() bool { return told == 2 }))
}

func TestFutureIsOutsideOfAllLoopsButItsOwn(t *testing.T) {
	l, other := open(t), open(t)
	require.False(t, loop.NewPromise[int](l).Future().Outside(l))
	require.True(t, loop.NewPromise[int](l).Future().Outside(other))
	require.True(t, loop.NewPromise[int](nil).Future().Outside(l))
}

func TestWaitBlocksUntilDone(t *testing.T) {
	leakcheck.Test(t)
	synctest.Test(t, func(t *testing.T) {
		p := loop.NewPromise[int](nil)
		go func() {
			synctest.Wait()
			p.Resolve(7)
		}()
		v, err := p.Future().Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, 7, v)
	})
}

func TestWaitCancelsTheFutureWhenItsContextEnds(t *testing.T) {
	leakcheck.Test(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errTest)
		defer cancel()
		p := loop.NewPromise[int](nil)
		_, err := p.Future().Wait(ctx)
		require.ErrorIs(t, err, errTest)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, err, p.Future().Err())
	})
}

func TestWaitWithAnEndedContextFailsEvenIfTheFutureIsDone(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := loop.Resolved(1).Wait(ctx)
	require.ErrorIs(t, err, context.Canceled)
	p := loop.NewPromise[int](nil)
	_, err = p.Future().Wait(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.True(t, p.Future().Done(), "and it is cancelled")
}

func TestWaitLeavesACancelToTheOwner(t *testing.T) {
	leakcheck.Test(t)
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p := loop.NewPromise[int](nil)
		told := 0
		p.OnCancel(func(error) { told++ })
		_, err := p.Future().Wait(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded, "Wait doesn't wait for the owner")
		require.Equal(t, 1, told)
		require.False(t, p.Future().Done())
	})
}

func TestWaitLosesNoResultToAContextThatEndsAtTheSameTime(t *testing.T) {
	// The result may be a connection, which no code would ever give back.
	p := loop.NewPromise[int](nil)
	ended := make(chan struct{})
	close(ended)
	v, err := p.Future().Wait(&meanwhile{Context: t.Context(), done: ended, do: func() { p.Resolve(7) }})
	require.NoError(t, err)
	require.Equal(t, 7, v)
}

// A meanwhile is a context that ends once a caller has asked for its channel. It calls do before it
// says why.
type meanwhile struct {
	context.Context
	done   chan struct{}
	do     func()
	looked bool
}

func (m *meanwhile) Done() <-chan struct{} { m.looked = true; return m.done }

func (m *meanwhile) Err() error {
	if !m.looked {
		return nil
	}
	m.do()
	return context.Canceled
}
