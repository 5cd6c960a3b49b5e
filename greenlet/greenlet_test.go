package greenlet_test

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

type greenletFunc = func(any) (any, error)

// inFamily runs a test in a family that ends with it, and looks for leaks.
func inFamily(t *testing.T) (root *greenlet.Greenlet) {
	t.Helper()
	leakcheck.Test(t)
	f, isNew := greenlet.Enter()
	require.True(t, isNew)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return greenlet.Current()
}

// must returns the value of a switch that can't fail.
func must(t *testing.T, v any, err error) any {
	t.Helper()
	require.NoError(t, err)
	return v
}

// step is a subtest in the goroutine of its test, and so in its family.
func step(t *testing.T, rule string, fn func()) {
	t.Helper()
	t.Log(rule)
	fn()
}

func echo(arg any) (any, error) { return arg, nil }

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

func TestOtherFamiliesAreRefused(t *testing.T) {
	root := inFamily(t)
	suspended := greenlet.New(func(any) (any, error) { return root.Switch(nil) })
	_, _ = suspended.Switch(nil)
	unstarted := greenlet.New(echo)

	check := func(t *testing.T) {
		for _, g := range []*greenlet.Greenlet{root, suspended, unstarted} {
			_, err := g.Switch(nil)
			var fe *greenlet.FamilyError
			require.ErrorAs(t, err, &fe)
			require.ErrorIs(t, err, greenlet.ErrOtherFamily)
			require.ErrorContains(t, err, g.String())
			require.ErrorContains(t, err, g.Family().String())
			_, err = g.Throw(nil)
			require.ErrorIs(t, err, greenlet.ErrOtherFamily)
			require.ErrorIs(t, g.Kill(), greenlet.ErrOtherFamily)
			require.ErrorIs(t, g.SetParent(root), greenlet.ErrOtherFamily)
			require.ErrorIs(t, g.Family().Close(), greenlet.ErrOtherFamily)
		}
	}
	done := make(chan struct{})
	go func() { // a goroutine without greenlets
		defer close(done)
		check(t)
	}()
	<-done
	done = make(chan struct{})
	go func() { // another family, whose name must be in the error
		defer close(done)
		f, _ := greenlet.Enter()
		defer f.Close()
		_, err := suspended.Switch(nil)
		require.ErrorContains(t, err, f.String())
		_, _ = greenlet.New(func(any) (any, error) { check(t); return nil, nil }).Switch(nil)
	}()
	<-done
	require.True(t, suspended.Active())
	require.False(t, unstarted.Started())
	v, err := suspended.Switch("still works")
	require.Equal(t, "still works", must(t, v, err))
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

		p = recovered(func(any) (any, error) { var m map[int]int; m[0] = 1; return nil, nil })
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

// endsBy runs fn in a new goroutine with greenlets and tells whether it ended by Goexit.
func endsBy(fn func()) (goexit bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f, _ := greenlet.Enter()
		defer func() {
			if err := f.Close(); err != nil {
				panic(err)
			}
		}()
		goexit = true
		fn()
		goexit = false
	}()
	<-done
	return goexit
}

func TestGoexitGoesOnInTheParentAndNowhereElse(t *testing.T) {
	leakcheck.Test(t)
	exit := func(any) (any, error) { runtime.Goexit(); return nil, nil }

	t.Run("the root", func(t *testing.T) {
		require.True(t, endsBy(func() { _, _ = greenlet.New(exit).Switch(nil) }))
	})
	t.Run("through all parents", func(t *testing.T) {
		var ended []string
		require.True(t, endsBy(func() {
			_, _ = greenlet.New(func(any) (any, error) {
				defer func() { ended = append(ended, "outer") }()
				_, _ = greenlet.New(func(any) (any, error) {
					defer func() { ended = append(ended, "inner") }()
					return greenlet.New(exit).Switch(nil)
				}).Switch(nil)
				return nil, nil
			}).Switch(nil)
		}))
		require.Equal(t, []string{"inner", "outer"}, ended)
	})
	// The goroutine's slot is occupied by somebody who has nothing to do with it, parked by
	// next or by yield, depending on how many switches went before.
	for extra := range 4 {
		for reuse := range 2 {
			t.Run(fmt.Sprintf("with bystanders %d %d", extra, reuse), func(t *testing.T) {
				var ended []string
				require.False(t, endsBy(func() {
					root := greenlet.Current()
					if reuse == 1 {
						_, _ = greenlet.New(echo).Switch(nil)
					}
					var bystanders []*greenlet.Greenlet
					for i := range 3 {
						bystanders = append(bystanders, greenlet.New(func(any) (any, error) {
							defer func() { ended = append(ended, fmt.Sprint("bystander", i)) }()
							for {
								if v, _ := root.Switch(nil); v == "end" {
									return "fine", nil
								}
							}
						}))
					}
					guard := greenlet.New(func(any) (v any, err error) {
						// The parent of the one that exits: it has to end, and a new goroutine
						// takes over from its deferred function.
						defer func() {
							ended = append(ended, "guard")
							_, _ = root.Switch("guarded")
						}()
						victim := greenlet.New(func(any) (any, error) {
							for range extra {
								for _, b := range bystanders {
									_ = b.SetParent(greenlet.Current())
									_, _ = b.Switch(nil)
								}
							}
							runtime.Goexit()
							return nil, nil
						})
						return victim.Switch(nil)
					})
					for _, b := range bystanders {
						_, _ = b.Switch(nil)
					}
					for range extra {
						for _, b := range bystanders {
							_, _ = b.Switch(nil)
						}
					}
					v, err := guard.Switch(nil)
					for err == nil && v == nil { // a bystander came back to the root
						v, err = guard.Switch(nil)
					}
					require.Equal(t, "guarded", v)
					for _, b := range bystanders {
						require.NoError(t, b.SetParent(root))
						v, err := b.Switch("end")
						require.Equal(t, "fine", must(t, v, err))
					}
				}))
				require.Equal(t, []string{"guard", "bystander0", "bystander1", "bystander2"}, ended)
			})
		}
	}
}

func TestFailNowInAGreenletEndsTheTest(t *testing.T) {
	leakcheck.Test(t)
	after := false
	fake := &testing.T{}
	require.True(t, endsBy(func() {
		_, _ = greenlet.New(func(any) (any, error) { fake.FailNow(); return nil, nil }).Switch(nil)
		after = true
	}))
	require.True(t, fake.Failed())
	require.False(t, after)
}

func TestKill(t *testing.T) {
	root := inFamily(t)
	var log []string
	suspended := func(body func()) *greenlet.Greenlet {
		log = nil
		g := greenlet.New(func(any) (any, error) { body(); return nil, nil })
		_, _ = g.Switch(nil)
		return g
	}
	step(t, "runs deferred functions in order", func() {
		g := suspended(func() {
			defer func() { log = append(log, "first") }()
			defer func() { log = append(log, "second") }()
			_, _ = root.Switch(nil)
			log = append(log, "overlooked")
		})
		require.NoError(t, g.Kill())
		require.Equal(t, []string{"second", "first"}, log)
		require.True(t, g.Dead())
		require.NoError(t, g.Kill(), "again")
	})
	step(t, "comes back to the killer whatever the parent is", func() {
		g := suspended(func() { _, _ = root.Switch(nil) })
		parent := greenlet.New(echo)
		require.NoError(t, g.SetParent(parent))
		require.NoError(t, g.Kill())
		require.Same(t, parent, g.Parent())
		require.False(t, parent.Started())
	})
	step(t, "lets deferred functions switch", func() {
		helper := greenlet.New(func(arg any) (any, error) { log = append(log, fmt.Sprint("helped ", arg)); return nil, nil })
		g := suspended(func() {
			defer func() {
				_ = helper.SetParent(greenlet.Current())
				_, _ = helper.Switch("me")
				log = append(log, "cleaned up")
			}()
			_, _ = root.Switch(nil)
		})
		require.NoError(t, g.Kill())
		require.Equal(t, []string{"helped me", "cleaned up"}, log)
	})
	step(t, "before the start keeps it from running", func() {
		g := greenlet.New(func(any) (any, error) { t.Error("must not run"); return nil, nil })
		require.NoError(t, g.Kill())
		require.True(t, g.Dead())
	})
	step(t, "a recover that returns is respected", func() {
		g := suspended(func() {
			defer func() { log = append(log, fmt.Sprint(greenlet.IsKill(recover()))) }()
			_, _ = root.Switch(nil)
		})
		require.NoError(t, g.Kill())
		require.Equal(t, []string{"true"}, log)
		require.True(t, g.Dead())
	})
	step(t, "a recover that switches survives", func() {
		g := suspended(func() {
			func() {
				defer func() { _ = recover() }()
				_, _ = root.Switch(nil)
			}()
			_, _ = root.Switch("still here")
			log = append(log, "ended later")
		})
		require.ErrorIs(t, g.Kill(), greenlet.ErrSurvived)
		require.True(t, g.Active())
		_, _ = g.Switch(nil)
		require.Equal(t, []string{"ended later"}, log)
	})
	step(t, "an error or a panic on the way arrives", func() {
		boom := errors.New("boom")
		g := greenlet.New(func(any) (_ any, err error) {
			defer func() { _ = recover(); err = boom }()
			return root.Switch(nil)
		})
		_, _ = g.Switch(nil)
		require.Equal(t, boom, g.Kill())
		g = suspended(func() {
			defer func() { panic(boom) }()
			_, _ = root.Switch(nil)
		})
		require.Panics(t, func() { _ = g.Kill() })
		require.True(t, g.Dead())
	})
	step(t, "of the current one unwinds it", func() {
		g := greenlet.New(func(any) (any, error) {
			defer func() { log = append(log, "unwound") }()
			_ = greenlet.Current().Kill()
			t.Error("must not get here")
			return nil, nil
		})
		log = nil
		v, err := g.Switch(nil)
		require.Equal(t, greenlet.ErrExit, must(t, v, err))
		require.Equal(t, []string{"unwound"}, log)
	})
	step(t, "of one that waits for its own child", func() {
		var child *greenlet.Greenlet
		g := suspended(func() {
			defer func() { log = append(log, "parent") }()
			child = greenlet.New(func(any) (any, error) {
				defer func() { log = append(log, "child") }()
				return root.Switch(nil)
			})
			_, _ = child.Switch(nil)
		})
		require.NoError(t, g.Kill())
		require.Equal(t, []string{"parent"}, log)
		require.NoError(t, child.Kill())
		require.Equal(t, []string{"parent", "child"}, log)
	})
	step(t, "of a root is refused", func() {
		require.ErrorIs(t, root.Kill(), greenlet.ErrRoot)
	})
}

func TestCloseKillsLastStartedFirst(t *testing.T) {
	leakcheck.Test(t)
	f, _ := greenlet.Enter()
	root := greenlet.Current()
	var log []int
	var all []*greenlet.Greenlet
	for i := range 4 {
		g := greenlet.New(func(any) (any, error) {
			defer func() { log = append(log, i) }()
			return root.Switch(nil)
		})
		_, _ = g.Switch(nil)
		all = append(all, g)
	}
	unstarted := greenlet.New(echo)
	_, _ = all[2].Switch(nil) // this one has ended before
	require.Equal(t, 3, f.Len())
	log = nil
	require.NoError(t, f.Close())
	require.Equal(t, []int{3, 1, 0}, log)
	require.True(t, root.Dead())
	for _, g := range append(all, unstarted, root) {
		_, err := g.Switch(nil)
		require.ErrorIs(t, err, greenlet.ErrClosed)
		_, err = g.Throw(nil)
		require.ErrorIs(t, err, greenlet.ErrClosed)
	}
	require.NoError(t, f.Close(), "again")
	_, isNew := greenlet.Enter()
	require.True(t, isNew, "the goroutine can begin anew")
	require.NoError(t, greenlet.Current().Family().Close())
}

func TestCloseReportsWhatFailsAndGoesOn(t *testing.T) {
	leakcheck.Test(t)
	var reports []error
	defer greenlet.SetReporter(greenlet.SetReporter(func(err error) { reports = append(reports, err) }))
	f, _ := greenlet.Enter()
	root := greenlet.Current()
	boom := errors.New("boom")
	for _, atEnd := range []func(){func() {}, func() { panic(boom) }, func() { runtime.Goexit() }, func() {}} {
		_, _ = greenlet.New(func(any) (any, error) {
			defer atEnd()
			return root.Switch(nil)
		}).Switch(nil)
	}
	require.NoError(t, f.Close())
	require.Len(t, reports, 2)
	require.ErrorContains(t, reports[0], "Goexit")
	require.ErrorIs(t, reports[1], boom)
}

func TestCloseNamesSurvivors(t *testing.T) {
	var reports []error
	defer greenlet.SetReporter(greenlet.SetReporter(func(err error) { reports = append(reports, err) }))
	f, _ := greenlet.Enter()
	root := greenlet.Current()
	_, _ = greenlet.New(func(any) (any, error) {
		for {
			func() {
				defer func() { _ = recover() }()
				_, _ = root.Switch(nil)
			}()
		}
	}, greenlet.Name("stubborn")).Switch(nil)
	others := 0
	for range 3 {
		_, _ = greenlet.New(func(any) (any, error) { defer func() { others++ }(); return root.Switch(nil) }).Switch(nil)
	}
	err := f.Close()
	require.ErrorIs(t, err, greenlet.ErrSurvived)
	require.ErrorContains(t, err, "stubborn")
	require.Equal(t, 3, others)
	require.Len(t, reports, 1)
}

func TestCloseIsForTheRoot(t *testing.T) {
	root := inFamily(t)
	g := greenlet.New(func(any) (any, error) { return nil, root.Family().Close() })
	_, err := g.Switch(nil)
	require.ErrorIs(t, err, greenlet.ErrRoot)
}

func TestUnreachableSuspendedGreenletsAreKilled(t *testing.T) {
	inFamily(t)
	f := greenlet.Current().Family()
	const n = 100
	unwound := 0
	for range n {
		suspendAndDrop(&unwound)
	}
	require.Equal(t, n, f.Len())
	until(t, func() bool { greenlet.Current(); return unwound == n })
	require.Zero(t, f.Len())
}

// suspendAndDrop leaves a suspended greenlet behind to which nothing refers.
func suspendAndDrop(unwound *int) {
	root := greenlet.Current()
	g := greenlet.New(func(any) (any, error) {
		defer func() { *unwound++ }()
		return root.Switch(nil)
	})
	_, _ = g.Switch(nil)
}

func TestKillOfUnreachableCanBeSurvived(t *testing.T) {
	root := inFamily(t)
	var saved *greenlet.Greenlet
	var reports []error
	defer greenlet.SetReporter(greenlet.SetReporter(func(err error) { reports = append(reports, err) }))
	func() {
		g := greenlet.New(func(any) (any, error) {
			func() {
				defer func() {
					_ = recover()
					saved = greenlet.Current()
				}()
				_, _ = root.Switch(nil)
			}()
			v, _ := root.Switch(nil)
			return []any{"resurrected", v}, nil
		})
		_, _ = g.Switch(nil)
	}()
	until(t, func() bool { greenlet.Current(); return saved != nil })
	require.Len(t, reports, 1)
	require.ErrorIs(t, reports[0], greenlet.ErrSurvived)
	require.True(t, saved.Active())
	v, err := saved.Switch(1)
	require.Equal(t, []any{"resurrected", 1}, must(t, v, err))
}

func TestUnstartedAndHeldGreenletsAreNotKilled(t *testing.T) {
	root := inFamily(t)
	f := root.Family()
	func() {
		greenlet.New(func(any) (any, error) { t.Error("must not run"); return nil, nil })
		_, _ = greenlet.NewHeld(func(any) (any, error) { return root.Switch(nil) }, root).Switch(nil)
	}()
	for range 5 {
		runtime.GC()
		greenlet.Current()
	}
	require.Equal(t, 1, f.Len())
}

func TestFamilyOfAGoroutineThatEndedIsCollected(t *testing.T) {
	leakcheck.Test(t) // counts goroutines and families
	for range 10 {
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 3 {
				_, _ = greenlet.New(echo).Switch(nil)
			}
		}()
		<-done
	}
}

func TestCurrentIsTheSameWhileSomebodyRefersToIt(t *testing.T) {
	leakcheck.Test(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		root := greenlet.Current()
		for range 3 {
			runtime.GC()
			require.Same(t, root, greenlet.Current())
			v, err := greenlet.New(echo).Switch(1)
			require.Equal(t, 1, must(t, v, err))
		}
		runtime.KeepAlive(root)
	}()
	<-done
}

func TestSwitchingDeepInCalls(t *testing.T) {
	root := inFamily(t)
	var deep func(n int) int
	deep = func(n int) int {
		if n == 0 {
			v, _ := root.Switch(nil)
			return v.(int)
		}
		return deep(n-1) + 1
	}
	g := greenlet.New(func(any) (any, error) { return deep(10_000), nil })
	_, _ = g.Switch(nil)
	v, err := g.Switch(5)
	require.Equal(t, 10_005, must(t, v, err))
}

func TestRandomSwitchesAmongMany(t *testing.T) {
	root := inFamily(t)
	const n, rounds = 50, 20_000
	all := []*greenlet.Greenlet{root}
	counts := make([]int, n+1)
	seed := uint32(1)
	pick := func() *greenlet.Greenlet {
		seed = seed*1664525 + 1013904223
		return all[seed>>16%(n+1)]
	}
	left := rounds
	for i := range n {
		all = append(all, greenlet.New(func(arg any) (any, error) {
			for {
				if arg != left {
					panic("lost a value")
				}
				counts[i+1]++
				if left--; left <= 0 {
					return "done", nil
				}
				arg, _ = pick().Switch(left)
			}
		}))
	}
	for left > 0 {
		counts[0]++
		left--
		if v, err := pick().Switch(left); err != nil {
			t.Fatal(err)
		} else if v != "done" && v != left {
			t.Fatal("lost a value", v, left)
		}
	}
	for i, c := range counts {
		require.Positive(t, c, i)
	}
}

func TestIllegalSwitchesFromManyGoroutinesDisturbNobody(t *testing.T) {
	leakcheck.Test(t)
	const families = 16
	rounds := 300
	shared := make([]*greenlet.Greenlet, families)
	var ready, done sync.WaitGroup
	ready.Add(families)
	for i := range families {
		done.Go(func() {
			f, _ := greenlet.Enter()
			defer f.Close()
			root := greenlet.Current()
			own := greenlet.New(func(arg any) (any, error) {
				for {
					arg, _ = root.Switch(arg)
				}
			})
			shared[i] = own
			ready.Done()
			ready.Wait()
			for r := range rounds {
				v, err := own.Switch(r)
				if v != r || err != nil {
					t.Error("a legal switch lost its value", v, err)
				}
				for j := range families {
					if j == i {
						continue
					}
					if _, err := shared[j].Switch("illegal"); !errors.Is(err, greenlet.ErrOtherFamily) {
						t.Error("an illegal switch got", err)
					}
				}
			}
		})
	}
	done.Wait()
}

func TestGreenletsLeaveNothingBehind(t *testing.T) {
	f, _ := greenlet.Enter()
	defer f.Close()
	root := greenlet.Current()
	leakcheck.Repeat(t, func() {
		for range 20 {
			_, _ = greenlet.New(echo).Switch(make([]byte, 1000))
			g := greenlet.New(func(arg any) (any, error) { return root.Switch(arg) })
			_, _ = g.Switch(make([]byte, 1000))
			_ = g.Kill()
			greenlet.New(echo)
		}
	})
}

// until collects garbage until the condition holds.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for range 1000 {
		if ok() {
			return
		}
		runtime.GC()
		runtime.Gosched()
	}
	t.Fatal("the collector doesn't find it")
}
