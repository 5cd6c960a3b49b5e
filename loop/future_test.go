package loop_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestPendingFutureHasNoResult(t *testing.T) {
	f := loop.NewPromise[int](nil).Future()
	require.False(t, f.Done())
	require.NoError(t, f.Err())
	v, err := f.Result()
	require.ErrorIs(t, err, loop.ErrPending)
	require.Zero(t, v)
}

func TestZeroPromiseIsBoundToNoLoop(t *testing.T) {
	var p loop.Promise[string]
	require.True(t, p.Future().Outside(open(t)))
	require.True(t, p.Resolve("value"))
	v, err := p.Future().Result()
	require.NoError(t, err)
	require.Equal(t, "value", v)
}

func TestFutureIsCompletedOnce(t *testing.T) {
	completions := map[string]func(p *loop.Promise[int]) bool{
		"Resolve": func(p *loop.Promise[int]) bool { return p.Resolve(1) },
		"Reject":  func(p *loop.Promise[int]) bool { return p.Reject(errTest) },
		"Settle":  func(p *loop.Promise[int]) bool { return p.Settle(1, errTest) },
		"Cancel":  func(p *loop.Promise[int]) bool { return p.Future().Cancel(nil) },
		"Complete": func(p *loop.Promise[int]) bool {
			before := p.Future().Done()
			p.Complete(func() (int, error) { return 1, nil })
			return !before
		},
	}
	for first, complete := range completions {
		for second, again := range completions {
			t.Run(first+", then "+second, func(t *testing.T) {
				p := loop.NewPromise[int](nil)
				require.True(t, complete(p))
				require.True(t, p.Future().Done())
				v, err := p.Future().Result()
				require.False(t, again(p))
				v2, err2 := p.Future().Result()
				require.Equal(t, v, v2)
				require.Equal(t, err, err2)
			})
		}
	}
}

func TestValueAndErrorTravelTogether(t *testing.T) {
	var p loop.Promise[int]
	require.True(t, p.Settle(3, errTest))
	v, err := p.Future().Result()
	require.Equal(t, 3, v)
	require.Equal(t, errTest, err)
	v, err = p.Future().Wait(t.Context())
	require.Equal(t, 3, v)
	require.Equal(t, errTest, err)
}

func TestFailingWithoutAnErrorPanics(t *testing.T) {
	require.Panics(t, func() { loop.NewPromise[int](nil).Reject(nil) })
	require.Panics(t, func() { loop.Failed[int](nil) })
}

func TestResolvedAndFailedAreDone(t *testing.T) {
	v, err := loop.Resolved("value").Result()
	require.NoError(t, err)
	require.Equal(t, "value", v)

	f := loop.Failed[string](errTest)
	require.True(t, f.Done())
	v, err = f.Result()
	require.Equal(t, errTest, err)
	require.Zero(t, v)
}

func TestCompleteTakesWhatTheFunctionReturns(t *testing.T) {
	p := loop.NewPromise[int](nil)
	p.Complete(func() (int, error) { return 3, errTest })
	v, err := p.Future().Result()
	require.Equal(t, 3, v)
	require.Equal(t, errTest, err)
}

func TestCompleteKeepsAPanic(t *testing.T) {
	p := loop.NewPromise[int](nil)
	require.NotPanics(t, func() { p.Complete(func() (int, error) { panic(errTest) }) })
	var panicked *loop.PanicError
	require.ErrorAs(t, p.Future().Err(), &panicked)
	require.Equal(t, errTest, panicked.Value)
	require.Contains(t, string(panicked.Stack), "TestCompleteKeepsAPanic")
}

func TestCompleteKeepsAPanicThatWasKeptBefore(t *testing.T) {
	first := &loop.PanicError{Value: "oops", Stack: []byte("where it happened")}
	p := loop.NewPromise[int](nil)
	p.Complete(func() (int, error) { panic(first) })
	require.Same(t, first, p.Future().Err(), "the stack of the first is what matters")
}

func TestCompleteLetsGoexitGoOn(t *testing.T) {
	leakcheck.Test(t)
	p := loop.NewPromise[int](nil)
	deferred := false
	elsewhere(func() {
		p.Complete(func() (int, error) {
			defer func() { deferred = true }()
			runtime.Goexit()
			return 0, nil
		})
		t.Error("the goroutine goes on")
	})
	require.True(t, deferred)
	require.ErrorIs(t, p.Future().Err(), loop.ErrGoexit)
}

func TestCompletionsFromManyGoroutinesNotifyOnce(t *testing.T) {
	leakcheck.Test(t)
	const goroutines, rounds, waiters = 6, 300, 7
	l := open(t)
	for range rounds {
		p := loop.NewPromise[int](nil)
		told, outcome := 0, 0
		for range waiters {
			p.Future().OnDone(l, func() {
				told++
				v, err := p.Future().Result()
				switch {
				case err == nil:
					outcome = v
				case errors.Is(err, errTest):
					outcome = -1
				case errors.Is(err, context.Canceled):
					outcome = -2
				}
			})
		}
		var won atomic.Int32
		winner := make(chan int, goroutines)
		var wg sync.WaitGroup
		for g := range goroutines {
			wg.Go(func() {
				switch {
				case g%3 == 0 && p.Resolve(g+1):
					winner <- g + 1
				case g%3 == 1 && p.Reject(errTest):
					winner <- -1
				case g%3 == 2 && p.Future().Cancel(nil):
					winner <- -2
				default:
					return
				}
				won.Add(1)
			})
		}
		require.NoError(t, l.Drive(func() bool { return told == waiters }))
		wg.Wait()
		require.EqualValues(t, 1, won.Load(), "one completion succeeds")
		require.Equal(t, <-winner, outcome, "and it's the one that counts")
		runDry(t, l)
		require.Equal(t, waiters, told)
	}
}

func TestResultIsVisibleWhereverTheFutureIsSeenToBeDone(t *testing.T) {
	leakcheck.Test(t)
	for range 500 {
		p := loop.NewPromise[[]int](nil)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for !p.Future().Done() {
					runtime.Gosched()
				}
				if v, err := p.Future().Result(); err != nil || len(v) != 3 {
					t.Errorf("%v, %v", v, err)
				}
			})
		}
		p.Resolve([]int{1, 2, 3})
		wg.Wait()
	}
}

func TestFutureIsItsOwnAwaitable(t *testing.T) {
	f := loop.Resolved(1)
	var a loop.Awaitable[int] = f
	require.Same(t, f, a.AsFuture())
}
