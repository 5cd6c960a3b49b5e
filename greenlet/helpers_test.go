package greenlet_test

import (
	"runtime"
	"testing"
	"time"

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

// endsBy runs fn in a new goroutine with greenlets and reports whether it ended by Goexit.
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

func collect() {
	runtime.GC()
	runtime.Gosched()
}

// until collects garbage until the condition holds.
func until(t *testing.T, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		collect()
		if time.Now().After(deadline) {
			t.Fatal("the collector doesn't find it")
		}
	}
}

// collectReports gathers the errors that are reported until the test ends.
func collectReports(t *testing.T) *[]error {
	t.Helper()
	reports := new([]error)
	old := greenlet.SetReporter(func(err error) { *reports = append(*reports, err) })
	t.Cleanup(func() { greenlet.SetReporter(old) })
	return reports
}

// newHeld is what the scheduler of the parent's family makes.
func newHeld(run func(arg any) (any, error), parent *greenlet.Greenlet) *greenlet.Greenlet {
	return parent.Family().Scheduler().NewHeld(run, parent)
}
