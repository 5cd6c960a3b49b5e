package greenlet_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
)

// dropped leaves a suspended greenlet that nothing refers to, and that calls whenKilled when it is
// killed.
func dropped(whenKilled func()) {
	root := greenlet.Current()
	_, _ = greenlet.New(func(any) (any, error) {
		defer whenKilled()
		return root.Switch(nil)
	}).Switch(nil)
}

// inKillOfGarbage returns a greenlet that is suspended within a call of Current, because the
// garbage that this call kills has switched to the root. When the greenlet goes on, it appends to
// the log and ends.
func inKillOfGarbage(t *testing.T, log *[]string) *greenlet.Greenlet {
	t.Helper()
	root := greenlet.Current()
	away := false
	dropped(func() { away = true; _, _ = root.Switch("away") })
	g := greenlet.New(func(any) (any, error) {
		defer func() { *log = append(*log, "unwound") }()
		until(t, func() bool { greenlet.Current(); return away })
		*log = append(*log, "went on")
		return "returned", nil
	})
	v, err := g.Switch(nil)
	require.Equal(t, "away", must(t, v, err))
	require.True(t, g.Active())
	return g
}

func TestWhatArrivesDuringAKillOfGarbageIsNotDropped(t *testing.T) {
	inFamily(t)
	collectReports(t)
	boom := errors.New("boom")
	var log []string
	step(t, "a kill", func() {
		g := inKillOfGarbage(t, &log)
		require.NoError(t, g.Kill())
		require.Equal(t, []string{"unwound"}, log)
		require.True(t, g.Dead())
	})
	step(t, "a child's panic", func() {
		log = nil
		g := inKillOfGarbage(t, &log)
		child := greenlet.New(func(any) (any, error) { panic(boom) }, greenlet.Parent(g))
		require.Panics(t, func() { _, _ = child.Switch(nil) })
		require.Equal(t, []string{"unwound"}, log)
	})
	step(t, "a child's Goexit", func() {
		log = nil
		require.True(t, endsBy(func() {
			g := inKillOfGarbage(t, &log)
			child := greenlet.New(func(any) (any, error) { runtime.Goexit(); return nil, nil }, greenlet.Parent(g))
			_, _ = child.Switch(nil)
		}))
		require.Equal(t, []string{"unwound"}, log)
	})
}

func TestAnErrorThatArrivesDuringAKillOfGarbage(t *testing.T) {
	root := inFamily(t)
	reports := collectReports(t)
	boom := errors.New("boom")
	suspended := func(call func() error) *greenlet.Greenlet {
		away := false
		dropped(func() { away = true; _, _ = root.Switch(nil) })
		g := greenlet.New(func(any) (any, error) {
			var err error
			until(t, func() bool { err = call(); return away })
			return err, nil
		})
		v, err := g.Switch(nil)
		require.Nil(t, must(t, v, err))
		return g
	}
	step(t, "is returned by a Switch, which doesn't take place", func() {
		target := greenlet.New(func(any) (any, error) {
			for {
				_, _ = greenlet.Current().Parent().Switch(nil)
			}
		})
		g := suspended(func() error {
			require.NoError(t, target.SetParent(greenlet.Lookup()))
			_, err := target.Switch(nil)
			return err
		})
		v, err := g.Throw(boom)
		require.Equal(t, boom, must(t, v, err))
		require.Empty(t, *reports)
	})
	step(t, "is reported by Current, which can't return it", func() {
		g := suspended(func() error { greenlet.Current(); return nil })
		v, err := g.Throw(boom)
		require.Nil(t, must(t, v, err))
		require.Len(t, *reports, 1)
		require.ErrorIs(t, (*reports)[0], boom)
		require.ErrorContains(t, (*reports)[0], g.String())
	})
}

func TestGarbageIsKilledWhileAnotherCallIsKillingSome(t *testing.T) {
	inFamily(t)
	var log []string
	inKillOfGarbage(t, &log)
	unwound := 0
	for range 3 {
		suspendAndDrop(&unwound)
	}
	until(t, func() bool { greenlet.Current(); return unwound == 3 })
}

// escaping returns a suspended greenlet that switches to the root when it is killed, the given
// number of times.
func escaping(times int) *greenlet.Greenlet {
	root := greenlet.Current()
	g := greenlet.New(func(any) (any, error) {
		for range times {
			defer func() { _, _ = root.Switch("away") }()
		}
		return root.Switch(nil)
	})
	_, _ = g.Switch(nil)
	return g
}

func TestAllKillersOfAGreenletAreResumed(t *testing.T) {
	root := inFamily(t)
	var log []string
	var victim *greenlet.Greenlet
	killer := func(name string, parent *greenlet.Greenlet) *greenlet.Greenlet {
		return greenlet.New(func(any) (any, error) {
			require.NoError(t, victim.Kill())
			require.True(t, victim.Dead())
			log = append(log, name)
			return name, nil
		}, greenlet.Parent(parent))
	}
	begin := func(k *greenlet.Greenlet) {
		t.Helper()
		v, err := k.Switch(nil)
		require.Equal(t, "away", must(t, v, err))
	}
	step(t, "the earlier ones first, and control comes back to the last one", func() {
		victim, log = escaping(2), nil
		begin(killer("first", root))
		begin(killer("second", root))
		v, err := killer("third", root).Switch(nil)
		require.Equal(t, "third", must(t, v, err))
		require.Equal(t, []string{"first", "second", "third"}, log)
	})
	step(t, "before the root's Kill returns", func() {
		victim, log = escaping(1), nil
		begin(killer("first", root))
		require.NoError(t, victim.Kill())
		require.Equal(t, []string{"first"}, log)
	})
	step(t, "an ancestor when the last one has ended", func() {
		victim, log = nil, nil
		victim = greenlet.New(func(any) (any, error) {
			defer func() { _, _ = killer("second", root).Switch(nil) }()
			return root.Switch(nil)
		})
		_, _ = victim.Switch(nil)
		require.NoError(t, victim.Kill())
		require.Equal(t, []string{"second"}, log)
	})
	step(t, "when it ends later, having survived the last one", func() {
		victim, log = escaping(2), nil
		begin(killer("first", root))
		require.ErrorIs(t, victim.Kill(), greenlet.ErrSurvived)
		require.Empty(t, log)
		v, err := victim.Switch(nil) // it goes on in its deferred function, and ends
		require.Equal(t, "first", must(t, v, err))
	})
	step(t, "a panic goes to the killer's parent", func() {
		victim, log = escaping(1), nil
		boom := errors.New("boom")
		var caught any
		parent := greenlet.New(func(any) (any, error) {
			defer func() { caught = recover() }()
			return greenlet.New(func(any) (any, error) {
				_ = victim.Kill()
				panic(boom)
			}).Switch(nil)
		})
		begin(parent)
		last := killer("last", root)
		v, err := last.Switch(nil)
		require.Nil(t, must(t, v, err), "what the parent returned")
		require.ErrorIs(t, caught.(error), boom)
		require.False(t, last.Dead())
		v, err = last.Switch(nil)
		require.Equal(t, "last", must(t, v, err))
	})
}
