package loop_test

import (
	"bytes"
	"context"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// Both ways to offload, for the rules that they share.
var offloads = map[string]func(l *loop.Loop, fn func() (int, error)) *loop.Future[int]{
	"Offload":       loop.Offload[int],
	"OffloadJoined": loop.OffloadJoined[int],
}

func TestOffloadedFunctionRunsElsewhereAndItsResultComesBack(t *testing.T) {
	leakcheck.Test(t)
	for name, offload := range offloads {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			proceed := make(chan struct{})
			f := offload(l, func() (int, error) {
				<-proceed
				return 3, errTest
			})
			called := false
			f.OnDone(l, func() {
				called = true
				v, err := f.Result()
				require.Equal(t, 3, v)
				require.Equal(t, errTest, err)
			})
			l.CallSoon(func() { close(proceed) }) // the loop isn't blocked
			require.NoError(t, l.Drive(func() bool { return called }))
		})
	}
}

func TestOffloadedFunctionThatPanicsFailsItsFuture(t *testing.T) {
	leakcheck.Test(t)
	for name, offload := range offloads {
		t.Run(name, func(t *testing.T) {
			l := open(t)
			_, err := offload(l, func() (int, error) { panic(errTest) }).Wait(t.Context())
			var panicked *loop.PanicError
			require.ErrorAs(t, err, &panicked)
			require.ErrorIs(t, err, errTest)
		})
	}
}

func TestOffloadedFunctionThatExitsFailsItsFutureAndHarmsNoOther(t *testing.T) {
	leakcheck.Test(t)
	for name, offload := range offloads {
		t.Run(name, func(t *testing.T) {
			l := open(t, loop.OffloadLimit(1))
			began := make(chan struct{})
			first := offload(l, func() (int, error) {
				<-began
				runtime.Goexit()
				return 0, nil
			})
			second := offload(l, func() (int, error) { runtime.Goexit(); return 0, nil })
			third := offload(l, func() (int, error) { return 3, nil })
			close(began)
			_, err := first.Wait(t.Context())
			require.ErrorIs(t, err, loop.ErrGoexit)
			_, err = second.Wait(t.Context())
			require.ErrorIs(t, err, loop.ErrGoexit)
			v, err := third.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, 3, v)
		})
	}
}

func TestOffloadRunsNoMoreThanItsLimitAtOnce(t *testing.T) {
	leakcheck.Test(t)
	for name, c := range map[string]struct{ limit, most int }{
		"one":                     {1, 1},
		"several":                 {3, 3},
		"less than one means one": {-1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const jobs = 10
				l := open(t, loop.OffloadLimit(c.limit))
				proceed := make(chan struct{})
				var running atomic.Int32
				for range jobs {
					loop.Offload(l, func() (int, error) {
						running.Add(1)
						<-proceed
						running.Add(-1)
						return 0, nil
					})
				}
				for left := jobs; left > 0; left-- {
					synctest.Wait()
					require.EqualValues(t, min(c.most, left), running.Load())
					proceed <- struct{}{}
				}
				synctest.Wait()
				require.Zero(t, running.Load())
			})
		})
	}
}

func TestOffloadLimitIs64ByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t)
		proceed := make(chan struct{})
		var running atomic.Int32
		for range 100 {
			loop.Offload(l, func() (int, error) {
				running.Add(1)
				<-proceed
				return 0, nil
			})
		}
		synctest.Wait()
		require.EqualValues(t, 64, running.Load())
		close(proceed)
	})
}

func TestOffloadedFunctionsBeginInTheirOrder(t *testing.T) {
	leakcheck.Test(t)
	l := open(t, loop.OffloadLimit(1))
	var order []int
	var last *loop.Future[int]
	for i := range 100 {
		last = loop.Offload(l, func() (int, error) {
			order = append(order, i)
			return 0, nil
		})
	}
	_, err := last.Wait(t.Context())
	require.NoError(t, err)
	require.Len(t, order, 100)
	require.True(t, slices.IsSorted(order))
}

// cancelled offloads a function that begins and one that has to wait for its turn, and cancels
// both. The first one returns 1 when proceed is called; after that nothing is left to run.
func cancelled(t *testing.T, offload func(*loop.Loop, func() (int, error)) *loop.Future[int]) (begun, waiting *loop.Future[int], proceed func()) {
	l := open(t, loop.OffloadLimit(1))
	began, returned := make(chan struct{}), make(chan struct{})
	begun = offload(l, func() (int, error) {
		close(began)
		<-returned
		return 1, nil
	})
	waiting = offload(l, func() (int, error) {
		t.Error("a function ran that was cancelled before")
		return 2, nil
	})
	<-began
	require.True(t, begun.Cancel(errTest))
	require.True(t, waiting.Cancel(errTest))
	return begun, waiting, func() {
		close(returned)
		_, err := offload(l, func() (int, error) { return 0, nil }).Wait(t.Context()) // has its turn after both
		require.NoError(t, err)
	}
}

func TestCancelAbandonsAnOffloadedFunction(t *testing.T) {
	leakcheck.Test(t)
	begun, waiting, proceed := cancelled(t, loop.Offload[int])
	require.ErrorIs(t, begun.Err(), errTest)
	require.ErrorIs(t, waiting.Err(), errTest)
	proceed()
	require.ErrorIs(t, begun.Err(), errTest, "its result is lost")
}

func TestCancelJoinsAnOffloadedFunctionThatHasBegun(t *testing.T) {
	leakcheck.Test(t)
	begun, waiting, proceed := cancelled(t, loop.OffloadJoined[int])
	require.False(t, begun.Done(), "it hasn't returned")
	require.ErrorIs(t, waiting.Err(), errTest)
	proceed()
	v, err := begun.Result()
	require.NoError(t, err)
	require.Equal(t, 1, v)
}

func TestJoinedFunctionEitherRunsOrIsCancelled(t *testing.T) {
	// The cancel and the beginning race.
	leakcheck.Test(t)
	l := open(t)
	for range 1000 {
		var ran atomic.Bool
		f := loop.OffloadJoined(l, func() (int, error) {
			ran.Store(true)
			return 1, nil
		})
		f.Cancel(errTest)
		v, err := f.Wait(context.Background())
		if ran.Load() {
			require.NoError(t, err)
			require.Equal(t, 1, v)
		} else {
			require.Equal(t, errTest, err)
		}
	}
}

func TestAbandonedFunctionStillTakesItsPlace(t *testing.T) {
	leakcheck.Test(t)
	synctest.Test(t, func(t *testing.T) {
		l := open(t, loop.OffloadLimit(1))
		proceed := make(chan struct{})
		abandoned := loop.Offload(l, func() (int, error) { <-proceed; return 0, nil })
		synctest.Wait()
		abandoned.Cancel(nil)
		next := loop.Offload(l, func() (int, error) { return 1, nil })
		synctest.Wait()
		require.False(t, next.Done())
		close(proceed)
		synctest.Wait()
		require.True(t, next.Done())
	})
}

func TestOffloadGoroutinesEndWhenThereIsNothingToDo(t *testing.T) {
	leakcheck.Test(t)
	l := open(t, loop.OffloadLimit(4))
	for range 3 {
		var last *loop.Future[int]
		for range 50 {
			last = loop.Offload(l, func() (int, error) { return 0, nil })
		}
		_, err := last.Wait(t.Context())
		require.NoError(t, err)
	}
}

func TestCloseLetsOffloadedFunctionsGoOn(t *testing.T) {
	leakcheck.Test(t)
	l := loop.New(loop.OffloadLimit(1))
	proceed := make(chan struct{})
	begun := loop.Offload(l, func() (int, error) { <-proceed; return 1, nil })
	waiting := loop.Offload(l, func() (int, error) { return 2, nil })
	l.Close()
	close(proceed)
	v, err := begun.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, v)
	v, err = waiting.Wait(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, v)
}

func TestOffloadMayBeCalledFromAnyGoroutine(t *testing.T) {
	leakcheck.Test(t)
	l := open(t)
	elsewhere(func() {
		v, err := loop.Offload(l, func() (int, error) { return 1, nil }).Wait(context.Background())
		if v != 1 || err != nil {
			t.Errorf("%v, %v", v, err)
		}
	})
}

func TestOffloadedFunctionHasNoLabelsOfAnother(t *testing.T) {
	leakcheck.Test(t)
	l := open(t, loop.OffloadLimit(1))
	labelled := func(value string) bool {
		var b bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 1))
		return strings.Contains(b.String(), `"request":"`+value+`"`)
	}
	var proceed chan struct{}
	check := func(end func()) {
		proceed = make(chan struct{})
		var first *loop.Future[int]
		pprof.Do(t.Context(), pprof.Labels("request", "submits"), func(ctx context.Context) {
			first = loop.Offload(l, func() (int, error) {
				<-proceed
				pprof.SetGoroutineLabels(pprof.WithLabels(ctx, pprof.Labels("request", "sets")))
				debug.SetPanicOnFault(true)
				end()
				return 0, nil
			})
		})
		second := loop.Offload(l, func() (int, error) {
			require.False(t, labelled("submits"))
			require.False(t, labelled("sets"))
			require.False(t, debug.SetPanicOnFault(false))
			return 0, nil
		})
		close(proceed)
		_, _ = first.Wait(t.Context())
		_, err := second.Wait(t.Context())
		require.NoError(t, err)
	}
	check(func() {})
	check(runtime.Goexit)
}
