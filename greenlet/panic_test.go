package greenlet_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

func TestPanicArrivesInParentWithValueAndStack(t *testing.T) {
	inFamily(t)
	boom := errors.New("boom")
	recovered := func(fn greenletFunc) (p *greenlet.PanicError) {
		defer func() { p = recover().(*greenlet.PanicError) }()
		_, _ = greenlet.New(fn, greenlet.Name("outer")).Switch(nil)
		t.Fatal("no panic")
		return nil
	}
	for round := range 3 { // the goroutine is reused from the second round on
		p := recovered(panicsDeepInside(boom))
		require.ErrorIs(t, p, boom)
		require.Equal(t, boom, p.Value)
		require.Contains(t, string(p.Stack), "panicsDeepInside")
		require.Contains(t, p.Error(), "boom", "round", round)
		require.Contains(t, p.Greenlet, "outer")

		p = recovered(func(any) (any, error) {
			return greenlet.New(func(any) (any, error) {
				return greenlet.New(panicsDeepInside(boom), greenlet.Name("inmost")).Switch(nil)
			}).Switch(nil)
		})
		require.Equal(t, boom, p.Value)
		require.Contains(t, p.Greenlet, "inmost")

		p = recovered(func(arg any) (any, error) { return arg.(string), nil })
		var re runtime.Error
		require.ErrorAs(t, p, &re)

		p = recovered(func(any) (any, error) { panic(nil) })
		var pn *runtime.PanicNilError
		require.ErrorAs(t, p, &pn)

		p = recovered(func(any) (any, error) { panic("text") })
		require.Equal(t, "text", p.Value)
		require.NoError(t, p.Unwrap())
	}
}

func panicsDeepInside(v any) greenletFunc {
	return func(any) (any, error) { panic(v) }
}

func TestPanicKillsUnstartedParentAndTravelsOn(t *testing.T) {
	inFamily(t)
	parent := greenlet.New(func(any) (any, error) { t.Error("must not run"); return nil, nil })
	require.Panics(t, func() {
		_, _ = greenlet.New(panicsDeepInside(1), greenlet.Parent(parent)).Switch(nil)
	})
	require.True(t, parent.Dead())
}

func raised(fn greenletFunc, opts ...greenlet.Option) (p *greenlet.PanicError) {
	defer func() { p = recover().(*greenlet.PanicError) }()
	_, _ = greenlet.New(fn, opts...).Switch(nil)
	return nil
}

func TestAKeptPanicThatIsRaisedAgainDoesNotGrow(t *testing.T) {
	inFamily(t)
	boom := errors.New("boom")
	first := raised(panicsDeepInside(boom), greenlet.Name("first"))
	require.Len(t, first.Parents, 1)
	text := first.Error()
	step(t, "the one that is kept", func() {
		for range 3 {
			again := raised(panicsDeepInside(first), greenlet.Name("again"))
			require.Equal(t, boom, again.Value)
			require.Contains(t, again.Greenlet, "first")
			require.Equal(t, first.Stack, again.Stack)
			require.Len(t, again.Parents, 2)
			require.True(t, again.Parents[0].Again)
			require.Contains(t, again.Parents[0].Greenlet, "again")
			require.Contains(t, string(again.Parents[0].Stack), "panicsDeepInside")
			require.False(t, again.Parents[1].Again)
			require.Contains(t, again.Error(), "raised again in greenlet")
		}
	})
	step(t, "what arrives, if that is raised again in turn", func() {
		last := first
		for range 3 {
			last = raised(panicsDeepInside(last))
			require.Len(t, last.Parents, 2)
		}
	})
	step(t, "but its way goes on if the parent raises it", func() {
		p := raised(func(any) (any, error) {
			defer func() { panic(recover()) }()
			return greenlet.New(panicsDeepInside(first)).Switch(nil)
		})
		require.Len(t, p.Parents, 3)
	})
	require.Len(t, first.Parents, 1)
	require.Equal(t, text, first.Error())
}

func TestAPanicIsRaisedAgainInSeveralFamiliesAtOnce(t *testing.T) {
	inFamily(t)
	first := raised(panicsDeepInside("boom"))
	done := make(chan int)
	for range 4 {
		go func() {
			n := 0
			for range 50 {
				n += len(raised(panicsDeepInside(first)).Parents)
			}
			done <- n
		}()
	}
	for range 4 {
		require.Equal(t, 100, <-done)
	}
}
