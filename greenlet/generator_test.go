package greenlet_test

import (
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

func count(n int) func(yield func(int)) {
	return func(yield func(int)) {
		for i := range n {
			yield(i)
		}
	}
}

func TestGeneratorYieldsUntilItsFunctionReturns(t *testing.T) {
	inFamily(t)
	n := greenlet.NewGenerator(count(3))
	for i := range 3 {
		v, ok := n.Next()
		require.True(t, ok)
		require.Equal(t, i, v)
	}
	for range 2 {
		v, ok := n.Next()
		require.False(t, ok)
		require.Zero(t, v)
	}
	n.Stop()
	require.Panics(t, func() { greenlet.NewGenerator[int](nil) })
}

func TestGenerateRunsAnewForEachLoop(t *testing.T) {
	inFamily(t)
	seq := greenlet.Generate(count(4))
	for range 3 {
		require.Equal(t, []int{0, 1, 2, 3}, slices.Collect(seq))
	}
}

func TestGeneratorYieldsFromNestedCalls(t *testing.T) {
	inFamily(t)
	var walk func(depth int, yield func(int))
	walk = func(depth int, yield func(int)) {
		if depth == 0 {
			return
		}
		walk(depth-1, yield)
		yield(depth)
		walk(depth-1, yield)
	}
	got := slices.Collect(greenlet.Generate(func(yield func(int)) { walk(3, yield) }))
	require.Equal(t, []int{1, 2, 1, 3, 1, 2, 1}, got)
}

func TestGeneratorsNest(t *testing.T) {
	root := inFamily(t)
	inner := greenlet.NewGenerator(count(10))
	outer := greenlet.Generate(func(yield func(int)) {
		for v := range inner.All() {
			yield(v * v)
			yield(-v)
		}
	})
	var got []int
	for v := range outer {
		if got = append(got, v); len(got) == 5 {
			break
		}
	}
	require.Equal(t, []int{0, 0, 1, -1, 4}, got)
	require.Zero(t, root.Family().Len(), "leaving the outer loop stops both")
}

func TestLeavingTheLoopUnwindsTheGenerator(t *testing.T) {
	inFamily(t)
	var log []string
	for v := range greenlet.Generate(func(yield func(int)) {
		defer func() { log = append(log, "outer") }()
		func() {
			defer func() { log = append(log, "inner") }()
			count(5)(yield)
		}()
	}) {
		if v == 2 {
			break
		}
	}
	require.Equal(t, []string{"inner", "outer"}, log)
}

func TestGeneratorsPanicIsRaisedInItsConsumer(t *testing.T) {
	inFamily(t)
	boom := errors.New("boom")
	raised := func(fn func()) (err error) {
		defer func() { err, _ = recover().(error) }()
		fn()
		return nil
	}
	require.ErrorIs(t, raised(func() {
		for range greenlet.Generate(func(yield func(int)) { yield(1); panic(boom) }) {
		}
	}), boom)
	require.ErrorIs(t, raised(func() {
		for range greenlet.Generate(func(yield func(int)) { defer func() { panic(boom) }(); yield(1) }) {
			break
		}
	}), boom)
	n := greenlet.NewGenerator(func(func(int)) { panic(boom) })
	require.ErrorIs(t, raised(func() { n.Next() }), boom)
	_, ok := n.Next()
	require.False(t, ok, "it has ended")
}

func TestGeneratorRefusesYieldFromElsewhere(t *testing.T) {
	inFamily(t)
	var leaked func(int)
	n := greenlet.NewGenerator(func(yield func(int)) { leaked = yield; yield(1) })
	n.Next()
	require.Panics(t, func() { leaked(2) })
	done := make(chan struct{})
	go func() {
		defer close(done)
		require.Panics(t, func() { leaked(2) })
		require.Panics(t, func() { n.Next() })
	}()
	<-done
	n.Stop()
}

func TestAbandonedGeneratorIsUnwound(t *testing.T) {
	inFamily(t)
	unwound := 0
	const n = 20
	for range n {
		func() {
			greenlet.NewGenerator(func(yield func(int)) {
				defer func() { unwound++ }()
				count(5)(yield)
			}).Next()
		}()
	}
	until(t, func() bool { greenlet.Current(); return unwound == n })
}

func TestGeneratorNeedsNoFamilyOfItsOwn(t *testing.T) {
	leakcheck.Test(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		require.Equal(t, []int{0, 1}, slices.Collect(greenlet.Generate(count(2))))
		runtime.Gosched()
	}()
	<-done
}
