package greenlet_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
)

func TestGoexitContinuesInTheParentOnly(t *testing.T) {
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
	// A greenlet that has nothing to do with the Goexit is parked in the goroutine's slot, by next
	// or by yield, depending on the number of switches before.
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
						// The parent of the greenlet that exits: its goroutine has to end, and a
						// new one takes over from its deferred function.
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

//go:noinline
func deepCalls(n int) int {
	var pad [64]int
	pad[n%64] = n
	if n == 0 {
		return 0
	}
	return deepCalls(n-1) + pad[n%64]
}

func TestLargeStacksAreNotKept(t *testing.T) {
	if !greenlet.DescriptorsReadable {
		t.Skip("on this platform the runtime's descriptor of a goroutine isn't read, so the size of its stack can't be seen")
	}
	root := inFamily(t)
	f := root.Family()
	before := greenlet.Count().Goroutines
	grow := func(calls int) (size uintptr) {
		_, _ = greenlet.New(func(any) (any, error) {
			deepCalls(calls)
			size = greenlet.StackSize()
			return nil, nil
		}).Switch(nil)
		return size
	}
	require.LessOrEqual(t, grow(1), uintptr(greenlet.MaxIdleStack))
	require.Equal(t, 1, f.Idle())
	require.Greater(t, grow(1000), uintptr(greenlet.MaxIdleStack))
	require.Zero(t, f.Idle(), "the goroutine that had been kept has ended")
	require.Equal(t, before, greenlet.Count().Goroutines)

	// Its end disturbs no other greenlet, whichever is parked in its slot.
	for range 10 {
		g := greenlet.New(func(any) (any, error) {
			deepCalls(1000)
			return root.Switch("suspended")
		})
		v, err := g.Switch(nil)
		require.Equal(t, "suspended", must(t, v, err))
		v, err = greenlet.New(func(arg any) (any, error) { deepCalls(1000); return g.Switch(arg) }).Switch("end")
		require.Equal(t, "end", must(t, v, err))
	}
}
