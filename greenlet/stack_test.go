package greenlet_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

//go:noinline
func waitsDeepInside(root *greenlet.Greenlet, n int) {
	if n > 0 {
		waitsDeepInside(root, n-1)
		return
	}
	_, _ = root.Switch(nil)
}

func TestStackShowsTheGreenletsOwnCallsOnly(t *testing.T) {
	root := inFamily(t)
	g := greenlet.New(func(any) (any, error) {
		waitsDeepInside(root, 2)
		return nil, nil
	})
	require.Nil(t, g.Stack(), "not started")
	_, _ = g.Switch(nil)
	stack := string(g.Stack())
	require.True(t, strings.HasPrefix(stack, "github.com/seed1239206e/repaint/greenlet_test.waitsDeepInside("), stack)
	require.Equal(t, 3, strings.Count(stack, "waitsDeepInside("), stack)
	require.Contains(t, stack, "stack_test.go:")
	for _, machinery := range []string{"worker", "slot", "iter.", "runtime.", "created by", "Switch", "goroutine "} {
		require.NotContains(t, stack, machinery)
	}
	require.Nil(t, root.Stack(), "the current one")

	seen := ""
	one := greenlet.New(func(any) (any, error) { seen = string(root.Stack()); return nil, nil })
	_, _ = one.Switch(nil)
	require.Contains(t, seen, "TestStackShowsTheGreenletsOwnCallsOnly(", "the root's, when it is suspended")
	require.Nil(t, one.Stack(), "dead")

	thrower := greenlet.New(func(any) (any, error) { return root.Throw(errors.New("boom")) })
	_, _ = thrower.Switch(nil)
	require.Contains(t, string(thrower.Stack()), "stack_test.go:")
	require.NotContains(t, string(thrower.Stack()), "Throw(")
}

func TestStacksOfManyAreTakenAtOnce(t *testing.T) {
	root := inFamily(t)
	var all []*greenlet.Greenlet
	for n := range 3 {
		g := greenlet.New(func(any) (any, error) {
			waitsDeepInside(root, n)
			return nil, nil
		})
		_, _ = g.Switch(nil)
		all = append(all, g)
	}
	stacks := greenlet.TakeStacks()
	for n, g := range all {
		require.Equal(t, n+1, strings.Count(string(stacks.Of(g)), "waitsDeepInside("))
		require.Equal(t, string(g.Stack()), string(stacks.Of(g)))
	}
	require.Nil(t, stacks.Of(root), "the current one")
	require.Nil(t, stacks.Of(greenlet.New(echo)), "not started")
	require.Contains(t, string(stacks.Running(root.Family())), "TestStacksOfManyAreTakenAtOnce(")
	seen := make(chan string)
	go func() { seen <- string(greenlet.TakeStacks().Running(root.Family())) }()
	require.Contains(t, <-seen, "TestStacksOfManyAreTakenAtOnce(", "from elsewhere")
}

func TestPanicTellsThroughWhichParentsItPassed(t *testing.T) {
	inFamily(t)
	var p *greenlet.PanicError
	func() {
		defer func() { p = recover().(*greenlet.PanicError) }()
		callsOuter()
	}()
	require.Len(t, p.Parents, 2)
	require.Contains(t, p.Greenlet, "inner")
	require.Contains(t, p.Parents[0].Greenlet, "outer")
	require.Contains(t, string(p.Parents[0].Stack), "callsInner(")
	require.Contains(t, p.Parents[1].Greenlet, "root")
	require.Contains(t, string(p.Parents[1].Stack), "callsOuter(")
	text := p.Error()
	last := 0
	for _, part := range []string{"boom", "panicsDeepInside", "callsInner", "callsOuter"} {
		i := strings.Index(text[last:], part)
		require.GreaterOrEqual(t, i, 0, "%s in\n%s", part, text)
		last += i
	}
	require.NotContains(t, string(p.Parents[0].Stack), "worker")
}

//go:noinline
func callsOuter() {
	_, _ = greenlet.New(func(any) (any, error) { return callsInner() }, greenlet.Name("outer")).Switch(nil)
}

//go:noinline
func callsInner() (any, error) {
	return greenlet.New(panicsDeepInside("boom"), greenlet.Name("inner")).Switch(nil)
}
