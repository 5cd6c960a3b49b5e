package greenlet_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

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
	step(t, "of an ancestor, whose deferred functions use the tree", func() {
		var child *greenlet.Greenlet
		g := suspended(func() {
			self := greenlet.Current()
			defer func() {
				helper := greenlet.New(echo, greenlet.Parent(root))
				log = append(log, fmt.Sprint(helper.SetParent(self)), fmt.Sprint(self.Parent() == root))
			}()
			child = greenlet.New(func(any) (any, error) {
				_, _ = root.Switch(nil)
				log = append(log, fmt.Sprint(self.Kill()))
				return nil, nil
			})
			_, _ = child.Switch(nil)
		})
		_, err := child.Switch(nil)
		require.NoError(t, err)
		require.Equal(t, []string{"<nil>", "true", "<nil>"}, log)
		require.True(t, g.Dead())
		require.True(t, child.Dead())
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

// In Python, getcurrent() is the greenlet itself to its last breath.
func TestCurrentIsTheGreenletItselfHoweverItIsKilled(t *testing.T) {
	leakcheck.Test(t)
	type made struct{ g, current *greenlet.Greenlet }
	suspended := func(create func(run greenletFunc, root *greenlet.Greenlet) *greenlet.Greenlet) *made {
		root := greenlet.Current()
		m := new(made)
		m.g = create(func(any) (any, error) {
			defer func() { m.current = greenlet.Current() }()
			return root.Switch(nil)
		}, root)
		_, _ = m.g.Switch(nil)
		return m
	}
	ordinary := func(run greenletFunc, _ *greenlet.Greenlet) *greenlet.Greenlet { return greenlet.New(run) }
	for name, create := range map[string]func(greenletFunc, *greenlet.Greenlet) *greenlet.Greenlet{
		"New": ordinary, "NewHeld": newHeld,
	} {
		t.Run(name+" and Kill", func(t *testing.T) {
			inFamily(t)
			m := suspended(create)
			require.NoError(t, m.g.Kill())
			require.Same(t, m.g, m.current)
		})
		t.Run(name+" and Close", func(t *testing.T) {
			f, _ := greenlet.Enter()
			m := suspended(create)
			require.NoError(t, f.Close())
			require.Same(t, m.g, m.current)
		})
		t.Run(name+" and the end of the root's goroutine", func(t *testing.T) {
			var m *made
			done := make(chan struct{})
			go func() {
				defer close(done)
				m = suspended(create)
				dropped(func() {}) // which the collector finds
			}()
			<-done
			until(t, m.g.Dead)
			require.Same(t, m.g, m.current)
		})
	}
}
