package greenlet_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

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

// suspendAndDrop leaves a suspended greenlet that nothing refers to.
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
	reports := collectReports(t)
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
	require.Len(t, *reports, 1)
	require.ErrorIs(t, (*reports)[0], greenlet.ErrSurvived)
	require.True(t, saved.Active())
	v, err := saved.Switch(1)
	require.Equal(t, []any{"resurrected", 1}, must(t, v, err))
}

func TestUnstartedAndHeldGreenletsAreNotKilled(t *testing.T) {
	root := inFamily(t)
	f := root.Family()
	func() {
		greenlet.New(func(any) (any, error) { t.Error("must not run"); return nil, nil })
		_, _ = newHeld(func(any) (any, error) { return root.Switch(nil) }, root).Switch(nil)
	}()
	for range 5 {
		runtime.GC()
		greenlet.Current()
	}
	require.Equal(t, 1, f.Len())
}

func TestKillOfUnreachableRestoresTheParent(t *testing.T) {
	root := inFamily(t)
	collectReports(t)
	parent := greenlet.New(func(arg any) (any, error) { return []any{"parent", arg}, nil })
	var saved *greenlet.Greenlet
	func() {
		_, _ = greenlet.New(func(any) (any, error) {
			func() {
				defer func() {
					_ = recover()
					saved = greenlet.Current()
				}()
				_, _ = root.Switch(nil)
			}()
			return root.Switch(nil)
		}, greenlet.Parent(parent)).Switch(nil)
	}()
	until(t, func() bool { greenlet.Current(); return saved != nil })
	require.Same(t, parent, saved.Parent())
	v, err := saved.Switch("late")
	require.Equal(t, []any{"parent", "late"}, must(t, v, err))
}

// A call that finds a greenlet to kill still delivers its own value.
func TestKillOfUnreachableLosesNoValueInTransit(t *testing.T) {
	root := inFamily(t)
	receiver := greenlet.New(func(arg any) (any, error) {
		for {
			arg, _ = root.Switch(arg)
		}
	})
	for round := range 20 {
		unwound := false
		func() {
			_, _ = greenlet.New(func(any) (any, error) {
				defer func() {
					v, err := greenlet.New(echo).Switch("in a deferred function")
					require.Equal(t, "in a deferred function", must(t, v, err))
					unwound = true
				}()
				return root.Switch(nil)
			}).Switch(nil)
		}()
		until(t, func() bool {
			v, err := receiver.Switch(round)
			require.Equal(t, round, must(t, v, err))
			return unwound
		})
	}
}

func TestFailureOfAnUnreachableGreenletIsReportedOnce(t *testing.T) {
	root := inFamily(t)
	boom := errors.New("boom")
	reports := collectReports(t)
	func() {
		_, _ = greenlet.New(func(any) (any, error) {
			defer func() { panic(boom) }()
			return root.Switch(nil)
		}).Switch(nil)
	}()
	until(t, func() bool { greenlet.Current(); return len(*reports) > 0 })
	for range 3 {
		collect()
		greenlet.Current()
	}
	require.Len(t, *reports, 1)
	require.ErrorIs(t, (*reports)[0], boom)
}

func TestUnreachableParentOfAReachableChildLives(t *testing.T) {
	root := inFamily(t)
	var child *greenlet.Greenlet
	func() {
		parent := greenlet.New(func(any) (any, error) {
			v, _ := root.Switch(nil)
			return []any{"parent", v}, nil
		})
		_, _ = parent.Switch(nil)
		child = greenlet.New(echo, greenlet.Parent(parent))
	}()
	for range 5 {
		collect()
		greenlet.Current()
	}
	v, err := child.Switch(1)
	require.Equal(t, []any{"parent", 1}, must(t, v, err))
}

// GODEBUG=checkfinalizers=1 ends a program in which the argument of a cleanup leads to the
// cleanup's object.
var checkedCleanups = scenarios(map[string]func(){
	"suspended greenlets, current again, parents and children": func() {
		root := greenlet.Current()
		chain := func() *greenlet.Greenlet {
			return greenlet.New(func(any) (any, error) {
				self := greenlet.Current()
				child := greenlet.New(func(any) (any, error) {
					_, _ = root.Switch(nil)
					runtime.GC()
					return nil, nil
				}, greenlet.Parent(self))
				_, err := child.Switch(nil)
				runtime.GC() // while it runs again after a suspension
				return nil, err
			})
		}
		for range 3 {
			g := chain()
			works(g.Switch(nil))
			runtime.GC()
			works(g.Switch(nil))
			runtime.GC()
		}
	},
	"in goroutines that end": func() {
		for range 3 {
			done := make(chan struct{})
			go func() {
				defer close(done)
				unwound := 0
				suspendAndDrop(&unwound)
				suspendAndDrop(&unwound)
				works(greenlet.New(echo).Switch(nil))
				runtime.GC()
			}()
			<-done
			runtime.GC()
		}
		for greenlet.Count().Families > 0 {
			runtime.GC()
		}
	},
	"in a family that is entered": func() {
		f, _ := greenlet.Enter()
		unwound := 0
		for range 3 {
			suspendAndDrop(&unwound)
			next, _ := greenlet.NewGenerator(count(3)).Next()
			check(next == 0)
			runtime.GC()
		}
		for unwound < 3 {
			runtime.GC()
			greenlet.Current()
		}
		works(nil, f.Close())
		runtime.GC()
	},
})

func TestCleanupsPassTheRuntimesOwnCheck(t *testing.T) {
	for _, name := range checkedCleanups {
		t.Run(name, func(t *testing.T) {
			out, err := process(t, name, "GODEBUG=checkfinalizers=1")
			require.NoError(t, err, "%s", out)
			require.Contains(t, out, "survived")
		})
	}
}
