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
	for round := range 3 { // the goroutine is used again from the second round on
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
