package greenlet_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

// many is a million, or fewer under the race detector and -short.
func many() int {
	switch {
	case raceDetector:
		return 20_000
	case testing.Short() || !greenlet.DescriptorsReadable:
		return 50_000
	}
	return 1_000_000
}

func TestEveryEndLeavesNothingBehind(t *testing.T) {
	boom := errors.New("boom")
	ballast := func() []byte { return make([]byte, 1000) }
	for name, live := range map[string]func(root *greenlet.Greenlet){
		"return":    func(*greenlet.Greenlet) { _, _ = greenlet.New(echo).Switch(ballast()) },
		"never run": func(*greenlet.Greenlet) { greenlet.New(echo) },
		"error": func(*greenlet.Greenlet) {
			_, _ = greenlet.New(func(any) (any, error) { return ballast(), boom }).Switch(ballast())
		},
		"kill": func(root *greenlet.Greenlet) {
			g := greenlet.New(func(arg any) (any, error) { return root.Switch(arg) })
			_, _ = g.Switch(ballast())
			_ = g.Kill()
		},
		"throw": func(root *greenlet.Greenlet) {
			g := greenlet.New(func(arg any) (any, error) { return root.Switch(arg) })
			_, _ = g.Switch(ballast())
			_, _ = g.Throw(boom)
		},
		"panic": func(*greenlet.Greenlet) {
			defer func() { _ = recover() }()
			_, _ = greenlet.New(func(any) (any, error) { panic(ballast()) }).Switch(nil)
		},
		"dropped": func(root *greenlet.Greenlet) {
			_, _ = greenlet.New(func(arg any) (any, error) { return root.Switch(arg) }).Switch(ballast())
		},
		"generator": func(*greenlet.Greenlet) {
			greenlet.NewGenerator(func(yield func([]byte)) { yield(ballast()) }).Next()
		},
		"traced": func(root *greenlet.Greenlet) {
			defer root.Family().AddTracer(func(greenlet.Event, *greenlet.Greenlet, *greenlet.Greenlet) {})()
			_, _ = greenlet.New(echo).Switch(ballast())
		},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := greenlet.Enter()
			defer f.Close()
			root := greenlet.Current()
			leakcheck.Repeat(t, func() {
				for range 20 {
					live(root)
				}
				if name == "dropped" || name == "generator" {
					until(t, func() bool { greenlet.Current(); return f.Len() == 0 })
				}
			})
		})
	}
}

func TestAMillionThatFinishLeaveNothing(t *testing.T) {
	inFamily(t)
	before := greenlet.Count().Goroutines
	for i := range many() {
		if v, err := greenlet.New(echo).Switch(i); v != i || err != nil {
			t.Fatal(i, v, err)
		}
	}
	require.LessOrEqual(t, greenlet.Count().Goroutines, before+1)
}

func TestAMillionThatAreDroppedLeaveNothing(t *testing.T) {
	root := inFamily(t)
	f := root.Family()
	unwound := 0
	n := many()
	for i := range n {
		suspendAndDrop(&unwound)
		if i%5_000 == 0 { // each collection scans all stacks, so few of them are faster
			until(t, func() bool { greenlet.Current(); return f.Len() == 0 })
		}
	}
	until(t, func() bool { greenlet.Current(); return unwound == n })
	require.Zero(t, f.Len())
}

func TestFamiliesLeaveNothingBehind(t *testing.T) {
	leakcheck.Test(t)
	for range 1000 {
		f, _ := greenlet.Enter()
		root := greenlet.Current()
		for range 3 {
			_, _ = greenlet.New(func(any) (any, error) { return root.Switch(nil) }).Switch(nil)
		}
		require.NoError(t, f.Close())
	}
}
