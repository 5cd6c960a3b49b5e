package repaint

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/loop"
)

// Code that sees that a scope has ended also sees why, at whatever moment it looks.
func TestTheCauseIsThereAsSoonAsTheEndIs(t *testing.T) {
	cause := errors.New("cause")
	for name, end := range map[string]func(parent context.CancelCauseFunc, s *scope){
		"by itself":     func(_ context.CancelCauseFunc, s *scope) { s.cancel(context.Canceled, cause) },
		"by its parent": func(parent context.CancelCauseFunc, _ *scope) { parent(cause) },
	} {
		t.Run(name, func(t *testing.T) {
			for range 2000 {
				parent, cancel := context.WithCancelCause(t.Context())
				upper, lower := new(scope), new(scope)
				upper.init(parent, nil, nil)
				lower.init(upper, nil, nil)
				lower.Done() // from now on both have ordinary contexts
				var wg sync.WaitGroup
				for _, s := range []*scope{upper, lower} {
					wg.Go(func() {
						for s.Err() == nil { // spin, to look at the first moment
						}
						if got := context.Cause(s); got != cause {
							t.Errorf("the cause is %v", got)
						}
						<-s.Done()
					})
				}
				end(cancel, upper)
				wg.Wait()
				lower.release()
				upper.release()
				cancel(nil)
			}
		})
	}
}

func TestReleasedScopesAreOffTheirParentsList(t *testing.T) {
	upper := new(scope)
	upper.init(context.Background(), nil, nil)
	scopes := make([]*scope, 5)
	for i := range scopes {
		scopes[i] = new(scope)
		scopes[i].init(upper, nil, nil)
	}
	for _, i := range []int{2, 0, 4, 1, 3} {
		require.NotNil(t, upper.children)
		scopes[i].release()
		require.ErrorIs(t, scopes[i].Err(), context.Canceled)
		require.NoError(t, upper.Err())
	}
	require.Nil(t, upper.children)
}

func TestAScopeBelowAnEndedOneHasEnded(t *testing.T) {
	cause := errors.New("cause")
	upper, lower := new(scope), new(scope)
	upper.init(context.Background(), nil, nil)
	upper.cancel(context.DeadlineExceeded, cause)
	lower.init(upper, nil, nil)
	require.Equal(t, context.DeadlineExceeded, lower.Err())
	require.Equal(t, cause, context.Cause(lower))
}

// Scopes work without the key. With it, their depth makes no difference.
func TestTheKeyOfPackageContextIsFound(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	require.NotNil(t, cancelKey)
	require.Equal(t, ctx, ctx.Value(cancelKey))
}

// When a cancel returns, its caller sees that all scopes below have ended, even if others have
// cancelled at the same time.
func TestAllBelowHaveEndedWhenACancelReturns(t *testing.T) {
	for range 300 {
		const depth, width = 20, 3
		root := new(scope)
		root.init(context.Background(), nil, nil)
		all := []*scope{root}
		var path []*scope
		for at := root; len(path) < depth; at = path[len(path)-1] {
			for range width {
				s := new(scope)
				s.init(at, nil, nil)
				all = append(all, s)
			}
			path = append(path, all[len(all)-1-len(path)%width])
		}
		var wg sync.WaitGroup
		for i, from := range []*scope{root, path[0], path[depth/2], root, path[1]} {
			wg.Go(func() {
				from.cancel(context.Canceled, errors.New("cause"))
				for s := path[depth-1]; s != from; s = s.up {
					if s.end.Load() == nil {
						t.Errorf("canceller %d: a scope below it goes on", i)
						return
					}
				}
			})
		}
		wg.Wait()
		for _, s := range all {
			require.NotNil(t, s.end.Load())
			require.Nil(t, s.children)
		}
	}
}

// An owner counts how often it is told of the end.
type countingOwner struct {
	told   atomic.Int32
	waiter loop.Waiter
}

func (o *countingOwner) RunInLoop() { o.told.Add(1) }

func TestEachOwnerIsToldOnce(t *testing.T) {
	for range 300 {
		root := new(scope)
		root.init(context.Background(), nil, nil)
		owners := make([]countingOwner, 30)
		at := root
		for i := range owners {
			s := new(scope)
			owners[i].waiter.Notify(nil, &owners[i])
			s.init(at, &owners[i].waiter, nil)
			if i%3 == 0 {
				at = s
			}
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { root.cancel(context.Canceled, nil) })
		}
		wg.Wait()
		for i := range owners {
			require.EqualValues(t, 1, owners[i].told.Load())
		}
	}
}

// Neither checking nor ending a scope takes a stack as deep as the scopes are.
func TestScopesMayBeVeryDeep(t *testing.T) {
	for name, use := range map[string]func(last *scope){
		"as they are":                       func(*scope) {},
		"with an ordinary context for each": func(last *scope) { last.Done() },
		"with ordinary contexts above": func(last *scope) {
			for range 1000 {
				last = last.up
			}
			last.Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			parent, cancel := context.WithCancel(context.WithValue(t.Context(), scopeKeyOfTest{}, 7))
			defer cancel()
			root := new(scope)
			root.init(parent, nil, nil)
			last := root
			for range 20_000 {
				s := new(scope)
				s.init(last, nil, nil)
				last = s
			}
			grown := stackOf(func() {
				use(last)
				require.NoError(t, last.Err())
				require.Equal(t, 7, last.Value(scopeKeyOfTest{}))
				_, ok := last.Deadline()
				require.False(t, ok)
				require.NoError(t, context.Cause(last))
			})
			require.Less(t, grown, uint64(1<<20))
			if name == "as they are" { // otherwise package context goes as deep
				require.Less(t, stackOf(cancel), uint64(1<<20))
			}
			cancel()
			require.ErrorIs(t, last.Err(), context.Canceled)
			require.Equal(t, context.Canceled, context.Cause(last))
		})
	}
}

type scopeKeyOfTest struct{}

// stackOf returns by how much all stacks together have grown while fn ran in a goroutine of its
// own.
func stackOf(fn func()) uint64 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
		runtime.ReadMemStats(&after)
	}()
	<-done
	return max(after.StackInuse, before.StackInuse) - before.StackInuse
}

// However many timeouts are nested, a scope knows the earliest.
func TestOfNestedTimeoutsAScopeKnowsTheFirst(t *testing.T) {
	for name, opts := range map[string][]loop.Option{"real": nil, "virtual": {loop.VirtualClock(time.Unix(0, 0))}} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, Run(t.Context(), func(ctx context.Context) error {
				h, _ := here()
				first := h.loop.Now().Add(100 * time.Hour)
				for i := range 200 {
					after := time.Duration(200-i) * time.Hour
					if i >= 150 {
						after = time.Duration(i) * time.Hour
					}
					var cancel context.CancelFunc
					ctx, cancel = WithDeadline(ctx, first.Add(after))
					defer cancel()
				}
				ctx, cancel := WithDeadline(ctx, first)
				defer cancel()
				ctx, cancelled := WithDeadline(ctx, first.Add(time.Minute))
				defer cancelled()
				s := ctx.(*scope)
				require.Equal(t, first, s.expiry.at)
				require.Nil(t, s.expiry.above)
				require.Equal(t, 151, CurrentStats().Timers, "what ends later than what is around it has none")
				return nil
			}, opts...))
		})
	}
}

func TestTheEarliestDeadlineCountsAcrossClocks(t *testing.T) {
	require.NoError(t, Run(t.Context(), func(ctx context.Context) error {
		outer, cancel := WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		return Run(outer, func(ctx context.Context) error {
			inner, cancel := WithTimeout(ctx, time.Hour)
			defer cancel()
			at, ok := inner.Deadline()
			require.True(t, ok)
			require.WithinDuration(t, time.Now(), at, time.Minute, "the real one")
			_, err := Await(inner, loop.NewPromise[int](nil).Future())
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return nil
		}, loop.VirtualClock(time.Unix(0, 0)))
	}))
}

// The loop of a timeout stands still while another loop runs within it, and can't attend to the
// timeout.
func TestTimeoutOfALoopEndsWaitsInARunWithinIt(t *testing.T) {
	require.NoError(t, Run(t.Context(), func(ctx context.Context) error {
		ctx, cancel := WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		err := Run(ctx, func(ctx context.Context) error {
			_, err := Await(ctx, loop.NewPromise[int](nil).Future())
			return err
		})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		return nil
	}))
}
