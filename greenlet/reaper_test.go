package greenlet_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

func TestGreenletsOfAGoroutineThatEndedAreReaped(t *testing.T) {
	leakcheck.Test(t)
	var unwound atomic.Int32
	const n = 5
	done := make(chan struct{})
	go func() {
		defer close(done)
		root := greenlet.Current()
		for range n {
			_, _ = greenlet.New(func(any) (any, error) {
				defer func() { unwound.Add(1) }()
				// A deferred function may use greenlets as usual.
				defer func() { _, _ = greenlet.New(echo).Switch(greenlet.Current().Parent()) }()
				return root.Switch(nil)
			}).Switch(nil)
		}
	}()
	<-done
	until(t, func() bool { return unwound.Load() == n })
}

func TestReaperEndsReachableGreenletsOfTheSameFamily(t *testing.T) {
	leakcheck.Test(t)
	var unwound atomic.Int32
	suspend := func() *greenlet.Greenlet {
		root := greenlet.Current()
		g := greenlet.New(func(any) (any, error) {
			defer func() { unwound.Add(1) }()
			return root.Switch(nil)
		})
		_, _ = g.Switch(nil)
		return g
	}
	var kept *greenlet.Greenlet
	done := make(chan struct{})
	go func() {
		defer close(done)
		kept = suspend()
		suspend()
	}()
	<-done
	until(t, func() bool { return unwound.Load() == 2 })
	until(t, kept.Dead)
	_, err := kept.Switch(nil)
	require.ErrorIs(t, err, greenlet.ErrRootExited)
}

func TestReaperLeavesFamiliesAloneWhoseRootLives(t *testing.T) {
	leakcheck.Test(t)
	var unwound atomic.Int32
	proceed, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		root := greenlet.Current()
		func() {
			_, _ = greenlet.New(func(any) (any, error) {
				defer func() { unwound.Add(1) }()
				return root.Switch(nil)
			}).Switch(nil)
		}()
		<-proceed
		until(t, func() bool { greenlet.Current(); return unwound.Load() == 1 })
		v, err := greenlet.New(echo).Switch(1)
		require.Equal(t, 1, must(t, v, err))
	}()
	for range 10 {
		collect()
		time.Sleep(3 * time.Millisecond) // longer than the time until the first look
	}
	require.Zero(t, unwound.Load())
	close(proceed)
	<-done
}

// Three errors tell three situations apart, as in Python's greenlet: the family of another
// goroutine, a family whose root goroutine has ended, and a closed family.
func TestUseFromElsewhereSaysWhatTheFamilysStateIs(t *testing.T) {
	leakcheck.Test(t)
	check := func(g *greenlet.Greenlet, closed, exited bool, text string) {
		t.Helper()
		_, err := g.Switch(nil)
		require.ErrorIs(t, err, greenlet.ErrOtherFamily)
		require.ErrorContains(t, err, text)
		var fe *greenlet.FamilyError
		require.ErrorAs(t, err, &fe)
		require.Equal(t, closed, fe.Closed)
		require.Equal(t, exited, fe.RootExited)
	}
	handles, proceed, done := make(chan *greenlet.Greenlet), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		handles <- greenlet.New(echo)
		<-proceed
	}()
	g := <-handles
	check(g, false, false, "own family")
	close(proceed)
	<-done
	if greenlet.DescriptorsReadable {
		until(t, func() bool {
			_, err := g.Switch(nil)
			return err.(*greenlet.FamilyError).RootExited
		})
		check(g, false, true, "root goroutine has exited")
	}

	done = make(chan struct{})
	proceed = make(chan struct{})
	go func() {
		f, _ := greenlet.Enter()
		g := greenlet.New(echo)
		_ = f.Close()
		handles <- g
		<-proceed
		close(done)
	}()
	g = <-handles
	check(g, true, false, "closed")
	_, err := g.Switch(nil)
	require.ErrorIs(t, err, greenlet.ErrClosed)
	close(proceed)
	<-done
	if greenlet.DescriptorsReadable {
		until(t, func() bool {
			_, err := g.Switch(nil)
			return err.(*greenlet.FamilyError).RootExited
		})
	}
	check(g, true, greenlet.DescriptorsReadable, "closed")
	_, err = g.Switch(nil)
	require.ErrorIs(t, err, greenlet.ErrClosed)
}

// The reaper's checks don't keep the runtime from noticing that all goroutines wait forever.
func TestReaperHidesNoDeadlock(t *testing.T) {
	if testing.Short() {
		t.Skip("-short: it runs the go command")
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command")
	}
	exe := filepath.Join(t.TempDir(), "deadlock")
	build := exec.CommandContext(t.Context(), goCommand, "build", "-o", exe)
	if !greenlet.DescriptorsReadable {
		build.Args = append(build.Args, "-tags=repaint_slowgoid")
	}
	build.Args = append(build.Args, "./testdata/deadlock")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // with cgo the runtime doesn't look for deadlocks
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for _, what := range []string{"reaped", "waiting"} {
		out, err := exec.CommandContext(t.Context(), exe, what).CombinedOutput()
		require.Error(t, err)
		require.Contains(t, string(out), "now\nfatal error: all goroutines are asleep - deadlock!", what)
	}
}

// Where descriptors can't be read, each look stops the program. So one look serves all families.
func TestOneLookServesForAllFamilies(t *testing.T) {
	leakcheck.Test(t)
	const n = 300
	before := greenlet.Dumps()
	var unwound atomic.Int32
	var roots sync.WaitGroup
	for range n {
		roots.Go(func() {
			root := greenlet.Current()
			func() {
				_, _ = greenlet.New(func(any) (any, error) {
					defer unwound.Add(1)
					return root.Switch(nil)
				}).Switch(nil)
			}()
		})
	}
	roots.Wait()
	until(t, func() bool { return unwound.Load() == n })
	if greenlet.DescriptorsReadable {
		require.Equal(t, before, greenlet.Dumps())
	} else {
		require.Less(t, greenlet.Dumps()-before, uint64(n/10))
	}
}
