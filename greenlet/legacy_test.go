package greenlet_test

import (
	"context"
	"crypto/fips140"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

// withLabel calls fn while the calling goroutine has a label for profiles.
func withLabel(value string, fn func()) {
	pprof.Do(context.Background(), pprof.Labels("request", value), func(context.Context) { fn() })
}

func setLabel(value string) {
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("request", value)))
}

func TestIdleGoroutinesKeepNoLabels(t *testing.T) {
	root := inFamily(t)
	f := root.Family()
	seen := func(value string) bool { return strings.Contains(labels(t), `"request":"`+value+`"`) }
	run := func(fn func()) {
		t.Helper()
		v, err := greenlet.New(func(any) (any, error) { fn(); return nil, nil }).Switch(nil)
		require.Nil(t, must(t, v, err))
	}
	step(t, "that a greenlet has set", func() {
		run(func() {
			setLabel("set")
			require.True(t, seen("set"))
		})
		require.Equal(t, 1, f.Idle())
		require.False(t, seen("set"))
		run(func() { require.False(t, seen("set")) })
	})
	step(t, "that the goroutine was made with", func() {
		suspended := greenlet.New(func(any) (any, error) { return root.Switch(nil) })
		_, _ = suspended.Switch(nil) // with the idle goroutine
		withLabel("made", func() {
			run(func() {
				require.Equal(t, 2, strings.Count(labels(t), `"request":"made"`), "the root's and the greenlet's")
			})
		})
		require.False(t, seen("made"))
		run(func() { require.False(t, seen("made")) })
		require.NoError(t, suspended.Kill())
	})
	step(t, "of a greenlet that calls Goexit", func() {
		idle := f.Idle()
		guard := greenlet.New(func(any) (any, error) {
			defer func() { _, _ = root.Switch(nil) }()
			return greenlet.New(func(any) (any, error) {
				setLabel("Goexit")
				runtime.Goexit()
				return nil, nil
			}).Switch(nil)
		})
		_, _ = guard.Switch(nil)
		require.NoError(t, guard.Kill())
		require.GreaterOrEqual(t, f.Idle(), idle-1)
		require.False(t, seen("Goexit"))
	})
	step(t, "and a greenlet that gets one inherits labels, as a new goroutine does", func() {
		if !greenlet.DescriptorsReadable {
			t.Log("not where descriptors can't be read")
			return
		}
		require.NotZero(t, f.Idle())
		withLabel("inherited", func() {
			run(func() {
				require.Equal(t, 2, strings.Count(labels(t), `"request":"inherited"`), "the root's and the greenlet's")
				run(func() {
					require.Equal(t, 3, strings.Count(labels(t), `"request":"inherited"`))
				})
			})
		})
		require.False(t, seen("inherited"))
	})
}

func TestIdleGoroutinesDoNotPanicOnFault(t *testing.T) {
	root := inFamily(t)
	for range 3 {
		_, _ = greenlet.New(func(any) (any, error) {
			require.False(t, debug.SetPanicOnFault(true))
			return nil, nil
		}).Switch(nil)
	}
	require.Equal(t, 1, root.Family().Idle())
	require.False(t, debug.SetPanicOnFault(false))
}

var fips = scenarios(map[string]func(){
	"strict FIPS": func() {
		check(fips140.Enforced(), "GODEBUG has no effect")
		enforced := func() (is bool) {
			works(greenlet.New(func(any) (any, error) { is = fips140.Enforced(); return nil, nil }).Switch(nil))
			return is
		}
		for range 3 {
			fips140.WithoutEnforcement(func() {
				for range 3 {
					check(!enforced(), "it is inherited")
				}
			})
			for range 3 {
				check(enforced(), "a goroutine that began without is used again")
			}
		}
	},
})

func TestIdleGoroutinesEnforceFIPS(t *testing.T) {
	for _, name := range fips {
		out, err := process(t, name, "GODEBUG=fips140=only")
		require.NoError(t, err, "%s", out)
		require.Contains(t, out, "survived")
	}
}
