package callsite

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

//go:noinline
func site() Site { return Caller() }

//go:noinline
func generic[T any](T) Site { return Caller() }

type method struct{ _ [200]byte }

//go:noinline
func (method) site() Site { return Caller() }

func TestCallerIsWhereTheFunctionWasCalled(t *testing.T) {
	for _, get := range []func() Site{
		func() Site { return site() },
		func() Site { return generic(7) },
		func() Site { return generic("text") },
		func() Site { return method{}.site() },
	} {
		s := get()
		require.Contains(t, s.String(), "callsite.TestCallerIsWhereTheFunctionWasCalled.func")
		require.Contains(t, s.String(), "callsite/callsite_test.go:")
	}
}

func TestWalkWorksWherePromised(t *testing.T) {
	require.Equal(t, quick, works)
}

//go:noinline
func first(pcs []uintptr) int { return Callers(pcs) }

//go:noinline
func second(pcs []uintptr) int {
	n := first(pcs)
	return n
}

func TestCallersAreThoseOfTheRuntime(t *testing.T) {
	for _, room := range []int{0, 1, 2, 50} {
		pcs := make([]uintptr, room)
		n := second(pcs)
		require.LessOrEqual(t, n, room)
		if room == 50 {
			require.Greater(t, n, 2)
			require.Less(t, n, 50, "it ends with the goroutine's first function")
		} else {
			require.Equal(t, room, n)
		}
		if room < 2 {
			continue
		}
		frames := runtime.CallersFrames(pcs[:n])
		one, _ := frames.Next()
		two, _ := frames.Next()
		require.Contains(t, one.Function, "callsite.second")
		require.Contains(t, two.Function, "TestCallersAreThoseOfTheRuntime")
	}
}

func TestCallersAreFoundWhileStacksMove(t *testing.T) {
	var done sync.WaitGroup
	for range 4 {
		done.Go(func() {
			for range 2000 {
				var fresh sync.WaitGroup
				fresh.Go(func() {
					grow(50)
					var pcs [20]uintptr
					if n := first(pcs[:]); n < 2 || n == 20 {
						t.Errorf("%d callers", n)
					}
				})
				fresh.Wait()
			}
		})
	}
	done.Wait()
}

//go:noinline
func grow(n int) byte {
	var room [200]byte
	if n > 0 {
		room[n] = grow(n - 1)
	}
	return room[n] + 1
}

func TestUnknownPlace(t *testing.T) {
	require.Equal(t, "an unknown place", Site(0).String())
}

func BenchmarkCaller(b *testing.B) {
	for b.Loop() {
		_ = site()
	}
}

func BenchmarkCallers(b *testing.B) {
	b.Run("walk", func(b *testing.B) {
		var pcs [8]uintptr
		for b.Loop() {
			_ = first(pcs[:])
		}
	})
	b.Run("peer: runtime.Callers", func(b *testing.B) {
		var pcs [8]uintptr
		for b.Loop() {
			_ = runtime.Callers(2, pcs[:])
		}
	})
}
