package repaint_test

import (
	"bytes"
	"context"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/loop"
)

func mustAwait[T any](t *testing.T, ctx context.Context, f loop.Awaitable[T]) T {
	t.Helper()
	v, err := repaint.Await(ctx, f)
	require.NoError(t, err)
	return v
}

func TestTasksOneAfterTheOtherShareAGreenlet(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		seen := map[*greenlet.Greenlet]bool{}
		for range 100 {
			mustAwait(t, ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				seen[greenlet.Lookup()] = true
				return 0, repaint.Sleep(ctx, time.Second)
			}))
		}
		require.Len(t, seen, 1)
	})
}

func TestGreenletThatSomebodyKnowsEndsWithItsTask(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		for _, ask := range []func() *greenlet.Greenlet{
			greenlet.Current,
			func() *greenlet.Greenlet {
				return greenlet.New(func(any) (any, error) { return nil, nil }).Parent()
			},
		} {
			var known *greenlet.Greenlet
			mustAwait(t, ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				known = ask()
				return 0, nil
			}))
			require.True(t, known.Dead())
			mustAwait(t, ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				require.NotSame(t, known, greenlet.Lookup())
				return 0, nil
			}))
		}
	})
}

func TestChildThatOutlivesItsTaskEndsInALivingAncestor(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		var child *greenlet.Greenlet
		mustAwait(t, ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			child = greenlet.New(func(any) (any, error) {
				_, err := greenlet.Current().Parent().Switch("first")
				return "last", err
			})
			v, err := child.Switch(nil)
			require.Equal(t, "first", v)
			return 0, err
		}))
		other := repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return 5, repaint.Sleep(ctx, time.Second) })
		v, err := child.Switch(nil)
		require.NoError(t, err)
		require.Equal(t, "last", v, "it came here, not to the task that runs now")
		require.Equal(t, 5, mustAwait(t, ctx, other))
	})
}

func TestIdleCarriersAreBoundedAndKeepNothingAlive(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		f, _ := greenlet.Enter()
		collected := make(chan struct{})
		func() {
			g := repaint.NewGroup(ctx)
			held := new([1 << 16]byte)
			runtime.AddCleanup(held, func(int) { close(collected) }, 0)
			for range 1000 {
				g.Go(func(ctx context.Context) error {
					defer runtime.KeepAlive(held)
					return repaint.Sleep(ctx, time.Second)
				})
			}
			require.Equal(t, 1000, f.Len())
			require.NoError(t, g.Wait())
		}()
		require.LessOrEqual(t, f.Len(), 256)
		require.Positive(t, f.Len())
		for range 100 {
			runtime.GC()
			select {
			case <-collected:
				return
			case <-time.After(10 * time.Millisecond):
			}
		}
		t.Error("an idle carrier keeps what its last task used")
	})
}

func TestTracedTasksHaveGreenletsOfTheirOwn(t *testing.T) {
	virtually(t, func(ctx context.Context) {
		f, _ := greenlet.Enter()
		defer f.AddTracer(func(greenlet.Event, *greenlet.Greenlet, *greenlet.Greenlet) {})()
		seen := map[*greenlet.Greenlet]bool{}
		for range 3 {
			mustAwait(t, ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				seen[greenlet.Lookup()] = true
				return 0, nil
			}))
		}
		require.Len(t, seen, 3)
	})
}

func TestWhatIsThrownIntoATaskAfterItsSpawnerHasEndedReachesNoOtherTask(t *testing.T) {
	for _, inUse := range []bool{false, true} { // the greenlet that the spawner had
		virtually(t, func(ctx context.Context) {
			var child *greenlet.Greenlet
			var inner *repaint.Task[int]
			mustAwait(t, ctx, repaint.Spawn(ctx, func(context.Context) (int, error) {
				inner = repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
					child = greenlet.Current()
					return 0, repaint.Sleep(ctx, time.Hour)
				})
				return 0, nil
			}))
			later := func(i int) *repaint.Task[int] {
				return repaint.Spawn(ctx, func(ctx context.Context) (int, error) { return i, repaint.Sleep(ctx, time.Second) })
			}
			var bystander *repaint.Task[int]
			if inUse {
				bystander = later(7)
			}
			_, _ = child.Throw(errBoom)
			_, err := repaint.Await(ctx, inner)
			require.ErrorIs(t, err, errBoom)
			if inUse {
				require.Equal(t, 7, mustAwait(t, ctx, bystander))
			}
			for i := range 3 {
				require.Equal(t, i, mustAwait(t, ctx, later(i)))
			}
		})
	}
}

// A task finds what it would find in a goroutine of its own: nothing of the task before, and the
// labels of the task that spawns it.
func TestTasksHaveNoLabelsOfOthers(t *testing.T) {
	label := func(value string) pprof.LabelSet { return pprof.Labels("request", value) }
	seen := func(value string) int {
		var b bytes.Buffer
		require.NoError(t, pprof.Lookup("goroutine").WriteTo(&b, 1))
		return strings.Count(b.String(), `"request":"`+value+`"`)
	}
	virtually(t, func(ctx context.Context) {
		spawn := func(fn func()) (carrier *greenlet.Greenlet) {
			mustAwait(t, ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				carrier = greenlet.Lookup()
				fn()
				return 0, repaint.Sleep(ctx, time.Second)
			}))
			return carrier
		}
		var first *greenlet.Greenlet
		pprof.Do(ctx, label("spawned"), func(context.Context) {
			first = spawn(func() { require.Equal(t, 2, seen("spawned"), "the main function's and the task's") })
		})
		require.Zero(t, seen("spawned"))
		require.Same(t, first, spawn(func() {
			require.Zero(t, seen("spawned"))
			pprof.SetGoroutineLabels(pprof.WithLabels(ctx, label("set")))
			debug.SetPanicOnFault(true)
		}))
		require.Zero(t, seen("set"))
		require.Same(t, first, spawn(func() {
			require.Zero(t, seen("set"))
			require.False(t, debug.SetPanicOnFault(false))
		}))
		pprof.Do(ctx, label("again"), func(context.Context) {
			spawn(func() { require.LessOrEqual(t, seen("again"), 2) })
		})
		require.Zero(t, seen("again"))
	})
}
