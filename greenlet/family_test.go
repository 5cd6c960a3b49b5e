package greenlet_test

import (
	"errors"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

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
	reports := collectReports(t)
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
	require.Len(t, *reports, 2)
	require.ErrorContains(t, (*reports)[0], "Goexit")
	require.ErrorIs(t, (*reports)[1], boom)
}

func TestCloseNamesSurvivors(t *testing.T) {
	reports := collectReports(t)
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
	require.Len(t, *reports, 1)
}

func TestCloseIsForTheRoot(t *testing.T) {
	root := inFamily(t)
	g := greenlet.New(func(any) (any, error) { return nil, root.Family().Close() })
	_, err := g.Switch(nil)
	require.ErrorIs(t, err, greenlet.ErrRoot)
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

func TestCurrentIsTheSameWhileItIsReferredTo(t *testing.T) {
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

// stubborn returns a suspended greenlet that survives being killed.
func stubborn() *greenlet.Greenlet {
	root := greenlet.Current()
	g := greenlet.New(func(any) (any, error) {
		defer func() { _, _ = root.Switch(nil) }()
		return root.Switch(nil)
	})
	_, _ = g.Switch(nil)
	return g
}

func TestNothingRunsAfterClose(t *testing.T) {
	collectReports(t)
	for range 2 {
		f, _ := greenlet.Enter()
		root := greenlet.Current()
		g, unstarted := stubborn(), greenlet.New(echo)
		require.ErrorIs(t, f.Close(), greenlet.ErrSurvived)
		for _, g := range []*greenlet.Greenlet{g, unstarted, root} {
			_, err := g.Switch(nil)
			require.ErrorIs(t, err, greenlet.ErrClosed)
			_, err = g.Throw(nil)
			require.ErrorIs(t, err, greenlet.ErrClosed)
		}
		require.ErrorIs(t, g.Kill(), greenlet.ErrClosed)
		require.NoError(t, f.Close())
		require.NotSame(t, f, greenlet.Current().Family(), "the goroutine begins anew")
		_, err := g.Switch(nil)
		require.ErrorIs(t, err, greenlet.ErrClosed)
	}
}

// The panic or Goexit of a greenlet that isn't being killed goes to its parent, even while the
// parent closes the family.
func TestPanicsOfBystandersGoOnWhenTheFamilyIsClosed(t *testing.T) {
	boom := errors.New("boom")
	closeWith := func(end func()) (raised any) {
		f, _ := greenlet.Enter()
		defer func() { raised = recover() }()
		root := greenlet.Current()
		bystander := greenlet.New(func(any) (any, error) {
			_, _ = root.Switch(nil)
			end()
			return nil, nil
		})
		_, _ = bystander.Switch(nil)
		_, _ = greenlet.New(func(any) (any, error) { return root.Switch(nil) }).Switch(nil)
		_, _ = greenlet.New(func(any) (any, error) {
			defer func() { _, _ = bystander.Switch(nil) }()
			return root.Switch(nil)
		}).Switch(nil)
		return f.Close()
	}
	leakcheck.Test(t) // all are killed nevertheless
	require.ErrorIs(t, closeWith(func() { panic(boom) }).(error), boom)

	done := make(chan struct{})
	exited := true
	go func() {
		defer close(done)
		closeWith(runtime.Goexit)
		exited = false
	}()
	<-done
	require.True(t, exited)
}
