package greenlet_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

func TestFirstSwitchStartsWithArgumentLaterOnesReturnIt(t *testing.T) {
	root := inFamily(t)
	var got []any
	g := greenlet.New(func(arg any) (any, error) {
		for range 3 {
			got = append(got, arg)
			arg, _ = root.Switch(len(got))
		}
		return "end", nil
	})
	require.False(t, g.Started())
	for i := 1; i <= 3; i++ {
		v, err := g.Switch(fmt.Sprint("arg", i))
		require.Equal(t, i, must(t, v, err))
		require.True(t, g.Active())
	}
	v, err := g.Switch(nil)
	require.Equal(t, "end", must(t, v, err))
	require.Equal(t, []any{"arg1", "arg2", "arg3"}, got)
	require.True(t, g.Dead())
	require.True(t, g.Started())
	require.False(t, g.Active())
}

func TestSwitchToSelfReturnsArgument(t *testing.T) {
	root := inFamily(t)
	v, err := root.Switch(5)
	require.Equal(t, 5, must(t, v, err))
	g := greenlet.New(func(any) (any, error) { return greenlet.Current().Switch("me") })
	v, err = g.Switch(nil)
	require.Equal(t, "me", must(t, v, err))
}

func TestSwitchToDeadGoesToFirstLivingAncestor(t *testing.T) {
	root := inFamily(t)
	done := greenlet.New(echo)
	_, _ = done.Switch(nil)

	step(t, "the root, when there is no other", func() {
		v, err := done.Switch("back")
		require.Equal(t, "back", must(t, v, err))
	})
	step(t, "through a chain of dead ones", func() {
		var got any
		living := greenlet.New(func(any) (any, error) {
			got, _ = root.Switch(nil)
			return "living ends", nil
		})
		_, _ = living.Switch(nil)
		one := greenlet.New(echo, greenlet.Parent(living))
		two := greenlet.New(echo, greenlet.Parent(one))
		require.NoError(t, one.Kill())
		require.NoError(t, two.Kill())
		v, err := two.Switch("through")
		require.Equal(t, "living ends", must(t, v, err))
		require.Equal(t, "through", got)
	})
	step(t, "starting an unstarted one", func() {
		fresh := greenlet.New(func(arg any) (any, error) { return []any{"fresh", arg}, nil })
		child := greenlet.New(echo, greenlet.Parent(fresh))
		require.NoError(t, child.Kill())
		v, err := child.Switch(1)
		require.Equal(t, []any{"fresh", 1}, must(t, v, err))
	})
}

func TestResultGoesToParentNotToSwitcher(t *testing.T) {
	root := inFamily(t)
	var log []any
	child := greenlet.New(echo)
	other := greenlet.New(func(any) (any, error) {
		v, err := child.Switch("from other")
		log = append(log, "other resumed", v, err)
		return nil, nil
	})
	v, err := other.Switch(nil)
	require.Equal(t, "from other", must(t, v, err))
	require.Empty(t, log, "the switcher stays suspended")
	require.True(t, other.Active())
	_, _ = other.Switch("now")
	require.Equal(t, []any{"other resumed", "now", nil}, log)
	_ = root
}

func TestResultFallsIntoUnstartedParentAsArgument(t *testing.T) {
	inFamily(t)
	parent := greenlet.New(func(arg any) (any, error) { return []any{"parent", arg}, nil })
	child := greenlet.New(echo, greenlet.Parent(parent))
	v, err := child.Switch(42)
	require.Equal(t, []any{"parent", 42}, must(t, v, err))
	require.True(t, parent.Dead())
}

func TestErrorKillsUnstartedParentsUnrunAndTravelsOn(t *testing.T) {
	inFamily(t)
	never := func(any) (any, error) { t.Error("must not run"); return nil, nil }
	grandparent := greenlet.New(never)
	parent := greenlet.New(never, greenlet.Parent(grandparent))
	boom := errors.New("boom")
	child := greenlet.New(func(any) (any, error) { return nil, boom }, greenlet.Parent(parent))
	_, err := child.Switch(nil)
	require.Equal(t, boom, err)
	require.True(t, parent.Dead())
	require.True(t, grandparent.Dead())
}

func TestErrorGoesToParentAtTimeOfDeath(t *testing.T) {
	root := inFamily(t)
	boom := errors.New("boom")
	var seen error
	second := greenlet.New(func(any) (any, error) {
		_, seen = root.Switch(nil)
		return "second ends", nil
	})
	_, _ = second.Switch(nil)

	step(t, "re-parented while suspended", func() {
		g := greenlet.New(func(any) (any, error) {
			_, _ = root.Switch(nil)
			return nil, boom
		})
		_, _ = g.Switch(nil)
		require.NoError(t, g.SetParent(second))
		require.Same(t, second, g.Parent())
		v, err := g.Switch(nil)
		require.Equal(t, "second ends", must(t, v, err))
		require.Equal(t, boom, seen)
	})
	step(t, "re-parented by itself while running", func() {
		heir := greenlet.New(func(arg any) (any, error) { return []any{"heir", arg}, nil })
		g := greenlet.New(func(any) (any, error) {
			return "self", greenlet.Current().SetParent(heir)
		})
		v, err := g.Switch(nil)
		require.Equal(t, []any{"heir", "self"}, must(t, v, err))
	})
	step(t, "re-parented when dead", func() {
		g := greenlet.New(echo)
		_, _ = g.Switch(nil)
		heir := greenlet.New(func(arg any) (any, error) { return []any{"heir", arg}, nil })
		require.NoError(t, g.SetParent(heir))
		v, err := g.Switch(1)
		require.Equal(t, []any{"heir", 1}, must(t, v, err))
	})
}

func TestThrow(t *testing.T) {
	root := inFamily(t)
	boom := errors.New("boom")
	wrapped := fmt.Errorf("wrapped: %w", greenlet.ErrExit)
	never := func(any) (any, error) { t.Error("must not run"); return nil, nil }
	catcher := func() *greenlet.Greenlet {
		g := greenlet.New(func(any) (any, error) {
			_, err := root.Switch(nil)
			return []any{"caught", err}, nil
		})
		_, _ = g.Switch(nil)
		return g
	}
	step(t, "arrives in the pending Switch", func() {
		v, err := catcher().Throw(boom)
		require.Equal(t, []any{"caught", boom}, must(t, v, err))
	})
	step(t, "uncaught, reaches the parent", func() {
		g := greenlet.New(func(any) (any, error) { return root.Switch(nil) })
		_, _ = g.Switch(nil)
		_, err := g.Throw(boom)
		require.Equal(t, boom, err)
		require.True(t, g.Dead())
	})
	step(t, "nil stands for ErrExit, which arrives as a value", func() {
		g := greenlet.New(func(any) (any, error) { return root.Switch(nil) })
		_, _ = g.Switch(nil)
		v, err := g.Throw(nil)
		require.Equal(t, greenlet.ErrExit, must(t, v, err))
	})
	step(t, "what wraps ErrExit arrives as a value", func() {
		g := greenlet.New(func(any) (any, error) { return root.Switch(nil) })
		_, _ = g.Switch(nil)
		v, err := g.Throw(wrapped)
		require.Equal(t, wrapped, must(t, v, err))
	})
	step(t, "into an unstarted one never runs it", func() {
		g := greenlet.New(never)
		_, err := g.Throw(boom)
		require.Equal(t, boom, err)
		require.True(t, g.Dead())
		g = greenlet.New(never)
		v, err := g.Throw(nil)
		require.Equal(t, greenlet.ErrExit, must(t, v, err))
	})
	step(t, "into an unstarted one with a living parent arrives there", func() {
		parent := catcher()
		v, err := greenlet.New(never, greenlet.Parent(parent)).Throw(boom)
		require.Equal(t, []any{"caught", boom}, must(t, v, err))
	})
	step(t, "into a dead one arrives in the first living ancestor", func() {
		g := greenlet.New(never, greenlet.Parent(catcher()))
		require.NoError(t, g.Kill())
		v, err := g.Throw(boom)
		require.Equal(t, []any{"caught", boom}, must(t, v, err))
		_, err = g.Throw(boom)
		require.Equal(t, boom, err)
	})
	step(t, "ErrExit into a dead one is a value", func() {
		g := greenlet.New(never)
		require.NoError(t, g.Kill())
		v, err := g.Throw(nil)
		require.Equal(t, greenlet.ErrExit, must(t, v, err))
	})
	step(t, "into the current one returns at once", func() {
		_, err := root.Throw(boom)
		require.Equal(t, boom, err)
	})
	step(t, "ErrExit swallowed, what is returned is delivered", func() {
		v, err := catcher().Throw(nil)
		require.Equal(t, []any{"caught", greenlet.ErrExit}, must(t, v, err))
	})
	step(t, "ErrExit swallowed, a switch lives on", func() {
		g := greenlet.New(func(any) (any, error) {
			_, _ = root.Switch(nil)
			v, _ := root.Switch("alive")
			return v, nil
		})
		_, _ = g.Switch(nil)
		v, err := g.Throw(nil)
		require.Equal(t, "alive", must(t, v, err))
		require.True(t, g.Active())
		v, err = g.Switch("end")
		require.Equal(t, "end", must(t, v, err))
	})
}

func TestSetParentRefuses(t *testing.T) {
	root := inFamily(t)
	one := greenlet.New(echo)
	two := greenlet.New(echo, greenlet.Parent(one))
	three := greenlet.New(echo, greenlet.Parent(two))
	require.ErrorIs(t, one.SetParent(one), greenlet.ErrCycle)
	require.ErrorIs(t, one.SetParent(three), greenlet.ErrCycle)
	require.ErrorIs(t, root.SetParent(one), greenlet.ErrRoot)
	require.ErrorIs(t, root.SetParent(root), greenlet.ErrRoot)
	require.Error(t, one.SetParent(nil))
	require.Same(t, root, one.Parent())

	foreign := make(chan *greenlet.Greenlet)
	release := make(chan struct{})
	go func() {
		f, _ := greenlet.Enter()
		defer f.Close()
		foreign <- greenlet.New(echo)
		<-release
	}()
	other := <-foreign
	err := one.SetParent(other)
	require.ErrorIs(t, err, greenlet.ErrOtherFamily)
	require.ErrorContains(t, err, one.Family().String())
	require.ErrorContains(t, err, other.Family().String())
	close(release)
}

func TestParentOptionDecidesTheFamily(t *testing.T) {
	root := inFamily(t)
	made := make(chan *greenlet.Greenlet)
	go func() { made <- greenlet.New(echo, greenlet.Parent(root)) }()
	v, err := (<-made).Switch("across")
	require.Equal(t, "across", must(t, v, err))
}

func TestCurrent(t *testing.T) {
	root := inFamily(t)
	require.Same(t, root, greenlet.Current())
	require.Same(t, root, greenlet.Lookup())
	require.Nil(t, root.Parent())
	var inner *greenlet.Greenlet
	g := greenlet.New(func(any) (any, error) {
		inner = greenlet.Current()
		require.Same(t, inner, greenlet.Lookup())
		done := make(chan struct{})
		go func() { // a goroutine that a greenlet starts isn't the greenlet
			defer close(done)
			require.Nil(t, greenlet.Lookup())
			require.NotSame(t, inner, greenlet.Current())
		}()
		<-done
		return nil, nil
	})
	_, _ = g.Switch(nil)
	require.Same(t, g, inner)
}

func TestExitFallsIntoUnstartedParentAsItsArgument(t *testing.T) {
	inFamily(t)
	parent := greenlet.New(func(arg any) (any, error) { return []any{"parent", arg}, nil })
	child := greenlet.New(func(any) (any, error) { return nil, greenlet.ErrExit }, greenlet.Parent(parent))
	v, err := child.Switch(nil)
	require.Equal(t, []any{"parent", greenlet.ErrExit}, must(t, v, err))

	parent = greenlet.New(func(arg any) (any, error) { return []any{"parent", arg}, nil })
	unstarted := greenlet.New(echo, greenlet.Parent(parent))
	v, err = unstarted.Throw(nil)
	require.Equal(t, []any{"parent", greenlet.ErrExit}, must(t, v, err))
}

func TestSwitchIntoAChainOfUnstartedParentsStartsEach(t *testing.T) {
	inFamily(t)
	add := func(arg any) (any, error) { return arg.(int) + 1, nil }
	g := greenlet.New(add)
	for range 5 {
		g = greenlet.New(add, greenlet.Parent(g))
	}
	v, err := g.Switch(0)
	require.Equal(t, 6, must(t, v, err))
}

func TestDeathOfAParentMovesItsChildrenUp(t *testing.T) {
	root := inFamily(t)
	grandparent := greenlet.New(func(any) (any, error) {
		v, err := root.Switch(nil)
		return []any{"grandparent", v, err}, nil
	})
	_, _ = grandparent.Switch(nil)
	parent := greenlet.New(echo, greenlet.Parent(grandparent))
	child := greenlet.New(func(any) (any, error) { return root.Switch(nil) }, greenlet.Parent(parent))
	_, _ = child.Switch(nil)
	require.NoError(t, parent.Kill())
	require.Same(t, parent, child.Parent(), "dead, but still the parent")
	boom := errors.New("boom")
	v, err := child.Throw(boom)
	require.Equal(t, []any{"grandparent", nil, boom}, must(t, v, err))
}

// What recover sees belongs to the greenlet, like the exception being handled in Python's greenlet.
func TestPanickingIsPerGreenlet(t *testing.T) {
	root := inFamily(t)
	var log []any
	other := greenlet.New(func(any) (any, error) {
		log = append(log, recover())
		return root.Switch(nil)
	})
	g := greenlet.New(func(any) (any, error) {
		defer func() {
			_, _ = root.Switch("suspended while panicking")
			log = append(log, recover())
		}()
		panic("boom")
	})
	v, err := g.Switch(nil)
	require.Equal(t, "suspended while panicking", must(t, v, err))
	_, _ = other.Switch(nil)
	require.Nil(t, recover())
	_, _ = g.Switch(nil)
	require.Equal(t, []any{nil, "boom"}, log)
	require.True(t, g.Dead())
}

func TestNewRefusesANilFunction(t *testing.T) {
	require.Panics(t, func() { greenlet.New(nil) })
}

func TestNamesAndStates(t *testing.T) {
	root := inFamily(t)
	g := greenlet.New(echo, greenlet.Name("worker"), greenlet.Parent(nil))
	require.Contains(t, g.String(), "(worker)")
	require.Contains(t, root.String(), "root greenlet")
	require.Same(t, root, g.Parent())
	require.Same(t, root.Family(), g.Family())
	require.False(t, g.Started() || g.Active() || g.Dead())
	require.True(t, root.Started() && root.Active() && !root.Dead())
}

func TestReusableIsAGreenletThatOnlyItsSchedulerKnows(t *testing.T) {
	root := inFamily(t)
	f := root.Family()
	for name, use := range map[string]func(){
		"nothing": func() {},
		"lookup":  func() { greenlet.Lookup() },
		"current": func() { greenlet.Current() },
		"new":     func() { greenlet.New(func(any) (any, error) { return nil, nil }) },
		"tracer": func() {
			remove := f.AddTracer(func(greenlet.Event, *greenlet.Greenlet, *greenlet.Greenlet) {})
			_, _ = root.Switch(nil)
			remove()
		},
	} {
		g := newHeld(func(any) (any, error) {
			use()
			_, _ = root.Switch(nil)
			return nil, nil
		}, root)
		_, err := g.Switch(nil)
		require.NoError(t, err)
		if name == "tracer" {
			_, err = g.Switch(nil) // it goes on where the tracer interrupted it
			require.NoError(t, err)
		}
		require.Equal(t, name == "nothing" || name == "lookup", g.Family().Scheduler().Reusable(g), name)
	}
}
