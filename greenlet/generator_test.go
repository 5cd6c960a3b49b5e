package greenlet_test

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
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

// says returns the text of the value that fn panics with.
func says(fn func()) (text string) {
	defer func() { text = fmt.Sprint(recover()) }()
	fn()
	return "nothing"
}

func TestNextOfAGeneratorThatIsUnderWayIsMisuse(t *testing.T) {
	root := inFamily(t)
	step(t, "from its own function", func() {
		var n *greenlet.Generator[int]
		var told string
		n = greenlet.NewGenerator(func(yield func(int)) {
			told = says(func() { n.Next() })
			yield(1)
			told += says(func() {
				for range n.All() {
				}
			})
			yield(2)
		})
		require.Equal(t, []int{1, 2}, slices.Collect(n.All()), "it goes on as if nothing had been")
		require.Equal(t, 2, strings.Count(told, "called by its own function"), told)
	})
	step(t, "from another greenlet, while a consumer waits", func() {
		n := greenlet.NewGenerator(func(yield func(int)) {
			yield(0)
			_, _ = root.Switch("away")
			yield(1)
		})
		n.Next()
		var got int
		consumer := greenlet.New(func(any) (any, error) {
			got, _ = n.Next()
			return nil, nil
		}, greenlet.Name("consumer"))
		v, err := consumer.Switch(nil)
		require.Equal(t, "away", must(t, v, err))
		told := says(func() { n.Next() })
		require.Contains(t, told, "under way")
		require.Contains(t, told, "(consumer) waits for it to yield")
		n.Stop()
		_, _ = consumer.Switch(nil)
		require.Zero(t, got)
	})
	step(t, "after something else has resumed its function", func() {
		var own *greenlet.Greenlet
		n := greenlet.NewGenerator(func(yield func(int)) {
			own = greenlet.Current()
			yield(0)
			_, _ = root.Switch("away")
			yield(1)
		})
		n.Next()
		v, err := own.Switch(nil)
		require.Equal(t, "away", must(t, v, err))
		require.Contains(t, says(func() { n.Next() }), "something else than Next has resumed it")
		require.Contains(t, says(func() { _, _ = own.Switch(nil) }), "while no Next waits")
		_, ok := n.Next()
		require.False(t, ok)
	})
}

func TestNextThatIsResumedByNoYieldIsMisuse(t *testing.T) {
	root := inFamily(t)
	n := greenlet.NewGenerator(func(yield func(int)) {
		_, _ = root.Switch(nil)
		yield(1)
	})
	require.Contains(t, says(func() { n.Next() }), "which is no yield")
	n.Stop()
	_, ok := n.Next()
	require.False(t, ok)
}

func TestYieldWithoutAConsumerIsMisuse(t *testing.T) {
	inFamily(t)
	step(t, "because the function is being stopped", func() {
		n := greenlet.NewGenerator(func(yield func(int)) {
			defer yield(2)
			yield(1)
		})
		n.Next()
		require.Contains(t, says(n.Stop), "is being stopped")
	})
	step(t, "because the consumer was killed while it waited", func() {
		root := greenlet.Current()
		var own *greenlet.Greenlet
		n := greenlet.NewGenerator(func(yield func(int)) {
			own = greenlet.Current()
			_, _ = root.Switch(nil)
			yield(1)
		})
		consumer := greenlet.New(func(any) (any, error) { n.Next(); return nil, nil })
		_, _ = consumer.Switch(nil)
		require.NoError(t, consumer.Kill())
		require.Contains(t, says(func() { _, _ = own.Switch(nil) }), "while no Next waits")
	})
}

func TestGeneratorOfAnotherFamilyStaysAsItIs(t *testing.T) {
	inFamily(t)
	n := greenlet.NewGenerator(count(3))
	n.Next()
	done := make(chan struct{})
	go func() {
		defer close(done)
		require.Contains(t, says(func() { n.Next() }), "cannot ask for a value of")
		require.Contains(t, says(n.Stop), "cannot stop")
	}()
	v, ok := n.Next() // meanwhile
	require.True(t, ok)
	require.Equal(t, 1, v)
	<-done
	v, _ = n.Next()
	require.Equal(t, 2, v)
	n.Next()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, ok := n.Next()
		require.False(t, ok, "the end is the same everywhere")
		n.Stop()
	}()
	<-ended
}
