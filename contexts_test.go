package repaint_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/coop"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

// contextKey is a key of the test's own.
type contextKey struct{}

// foreignContext is a context that isn't made by package context.
type foreignContext struct {
	context.Context
	done chan struct{}
	mu   sync.Mutex
	err  error
}

func newForeignContext(parent context.Context) *foreignContext {
	return &foreignContext{Context: parent, done: make(chan struct{})}
}

func (f *foreignContext) Done() <-chan struct{} { return f.done }

func (f *foreignContext) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

func (f *foreignContext) end(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
		close(f.done)
	}
}

// endable are the makes of contexts that a function ends.
var endable = map[string]func(parent context.Context) (ctx context.Context, end func()){
	"WithCancel": func(parent context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(parent)
		return ctx, cancel
	},
	"WithCancelCause": func(parent context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancelCause(parent)
		return ctx, func() { cancel(errBoom) }
	},
	"a value in WithCancel": func(parent context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(parent)
		return context.WithValue(ctx, contextKey{}, 1), cancel
	},
	"WithCancel of the context above": func(parent context.Context) (context.Context, func()) {
		above, cancel := context.WithCancel(parent)
		return released(context.WithCancel(above)), cancel
	},
	"WithTimeout that is cancelled": func(parent context.Context) (context.Context, func()) {
		ctx, cancel := context.WithTimeout(parent, time.Hour)
		return ctx, cancel
	},
	"independent of the parent": func(parent context.Context) (context.Context, func()) {
		ctx, cancel := context.WithCancel(context.Background())
		return ctx, cancel
	},
	"joined by AfterFunc": func(parent context.Context) (context.Context, func()) {
		other, end := context.WithCancel(context.Background())
		ctx, cancel := context.WithCancel(parent)
		context.AfterFunc(other, cancel)
		return ctx, end
	},
	"another package's": func(parent context.Context) (context.Context, func()) {
		ctx := newForeignContext(parent)
		return ctx, func() { ctx.end(context.Canceled) }
	},
	"below another package's": func(parent context.Context) (context.Context, func()) {
		above := newForeignContext(parent)
		ctx, cancel := context.WithCancel(above)
		return ctx, func() { above.end(context.Canceled); cancel() }
	},
	"repaint.WithTimeout": func(parent context.Context) (context.Context, func()) {
		above, end := context.WithCancel(parent)
		return released(repaint.WithTimeout(above, 1000*time.Hour)), end
	},
}

// ending are the makes of contexts that end by themselves, in real time.
var ending = map[string]func(parent context.Context) context.Context{
	"WithTimeout": soon,
	"WithDeadline": func(parent context.Context) context.Context {
		return released(context.WithDeadline(parent, time.Now().Add(time.Millisecond)))
	},
	"WithTimeoutCause": func(parent context.Context) context.Context {
		return released(context.WithTimeoutCause(parent, time.Millisecond, errBoom))
	},
	"below WithTimeout": func(parent context.Context) context.Context {
		return released(context.WithCancel(context.WithValue(soon(parent), contextKey{}, 1)))
	},
	"another package's, that shows no deadline": func(parent context.Context) context.Context {
		ctx := newForeignContext(parent)
		time.AfterFunc(time.Millisecond, func() { ctx.end(context.DeadlineExceeded) })
		return ctx
	},
}

func soon(parent context.Context) context.Context {
	return released(context.WithTimeout(parent, time.Millisecond))
}

// released returns a context that is released once it has ended.
func released(ctx context.Context, cancel func()) context.Context {
	context.AfterFunc(ctx, cancel)
	return ctx
}

func forever[T any](ctx context.Context) (T, error) {
	return repaint.Await(ctx, loop.NewPromise[T](repaint.CurrentLoop()).Future())
}

// waits are the ways to wait for something that never comes.
var waits = map[string]func(ctx context.Context) error{
	"Await": func(ctx context.Context) error {
		_, err := forever[int](ctx)
		return err
	},
	"Await of a task": func(ctx context.Context) error {
		_, err := repaint.Await(ctx, repaint.Spawn(ctx, forever[int]))
		return err
	},
	"Await of a task, beyond its end": func(ctx context.Context) error {
		_, err := repaint.Await(context.WithoutCancel(ctx), repaint.Spawn(ctx, forever[int]))
		return err
	},
	"Group": func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		g.Go(func(ctx context.Context) error { return coop.NewEvent().Wait(ctx) })
		return g.Wait()
	},
	"Group, for a place": func(ctx context.Context) error {
		g := repaint.NewGroup(ctx)
		g.SetLimit(1)
		for range 2 {
			g.Go(func(ctx context.Context) error { return coop.NewEvent().Wait(ctx) })
		}
		return g.Wait()
	},
	"Gather": func(ctx context.Context) error {
		_, err := repaint.Gather(ctx, forever[int], forever[int])
		return err
	},
	"First": func(ctx context.Context) error {
		_, err := repaint.First(ctx, forever[int], forever[int])
		return err
	},
	"AsCompleted": func(ctx context.Context) error {
		for _, err := range repaint.AsCompleted(ctx, forever[int], forever[int]) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"Each": func(ctx context.Context) error {
		for _, err := range repaint.Each(ctx, 1, slices.Values([]int{1, 2}), func(ctx context.Context, _ int) (int, error) { return forever[int](ctx) }) {
			if err != nil {
				return err
			}
		}
		return nil
	},
	"coop.Event": func(ctx context.Context) error { return coop.NewEvent().Wait(ctx) },
	"coop.Mutex": func(ctx context.Context) error {
		m := coop.NewMutex()
		m.TryLock()
		return m.Lock(ctx)
	},
	"coop.RWMutex": func(ctx context.Context) error {
		m := coop.NewRWMutex()
		m.TryLock()
		return m.RLock(ctx)
	},
	"coop.Semaphore": func(ctx context.Context) error {
		s := coop.NewSemaphore(1)
		s.TryAcquire(1)
		return s.Acquire(ctx, 1)
	},
	"coop.Cond": func(ctx context.Context) error {
		m := coop.NewMutex()
		m.TryLock()
		return coop.NewCond(m).Wait(ctx)
	},
	"coop.Barrier": func(ctx context.Context) error {
		_, err := coop.NewBarrier(2).Wait(ctx)
		return err
	},
	"coop.Queue": func(ctx context.Context) error {
		_, err := coop.NewQueue[int](1).Get(ctx)
		return err
	},
	"coop.Once": func(ctx context.Context) error {
		return coop.NewOnce().Do(ctx, func(ctx context.Context) error { return coop.NewEvent().Wait(ctx) })
	},
	"coop.Shared": func(ctx context.Context) error {
		_, err := coop.NewShared[int, int]().Do(ctx, 1, forever[int])
		return err
	},
	"coop.Loader": func(ctx context.Context) error {
		_, err := coop.NewLoader(func(ctx context.Context, _ []int) (map[int]int, error) { return forever[map[int]int](ctx) }).Load(ctx, 1)
		return err
	},
}

// outsideWaits are waits for something outside the loop, for which no deadlock is ever reported.
var outsideWaits = map[string]func(ctx context.Context) error{
	"Await of the outside": func(ctx context.Context) error {
		_, err := repaint.Await(ctx, loop.NewPromise[int](nil).Future())
		return err
	},
	"Block": func(ctx context.Context) error {
		_, err := repaint.Block(ctx, func(ctx context.Context) (int, error) {
			<-ctx.Done()
			return 0, ctx.Err()
		})
		return err
	},
	"UntilDone": repaint.UntilDone,
	"a coop.Event for everybody": func(ctx context.Context) error {
		return coop.NewEvent(coop.Unbound()).Wait(ctx)
	},
}

// sleeps end by themselves on a virtual clock.
var sleeps = map[string]func(ctx context.Context) error{
	"Sleep": func(ctx context.Context) error { return repaint.Sleep(ctx, 24*time.Hour) },
	"Ticker": func(ctx context.Context) error {
		_, err := coop.NewTicker(24 * time.Hour).Wait(ctx)
		return err
	},
}

// A try is a wait in one of the places where it can be tried.
type try struct {
	makeContext func(parent context.Context) context.Context
	meanwhile   func() // called just before the main function waits; may be nil
	wait        func(ctx context.Context) error
}

// inEachPlace tries the wait in the main function of a Run, and in a task for which that function
// waits. It checks the error.
func (a try) inEachPlace(check func(place string, err error), opts ...loop.Option) error {
	return repaint.Run(context.Background(), func(ctx context.Context) error {
		c := a.makeContext(ctx)
		if a.meanwhile != nil {
			a.meanwhile()
		}
		check("the main function", a.wait(c))
		c = a.makeContext(ctx)
		task := repaint.Spawn(ctx, func(context.Context) (int, error) { return 0, a.wait(c) })
		if a.meanwhile != nil {
			a.meanwhile()
		}
		_, err := repaint.Await(ctx, task)
		check("a task", err)
		return nil
	}, opts...)
}

var clocks = map[string][]loop.Option{
	"real":    nil,
	"virtual": {loop.VirtualClock(time.Unix(0, 0))},
}

// Whatever the context is, whatever waits with it, and whatever ends it: the wait ends with the
// context, and the loop reports no deadlock.
func TestEachContextEndsEachWait(t *testing.T) {
	ends := map[string]func(end func()){
		"who awaits":                 func(end func()) { end() },
		"a callback":                 func(end func()) { repaint.CurrentLoop().CallSoon(end) },
		"another goroutine, at once": func(end func()) { go end() },
		"another goroutine, later":   func(end func()) { time.AfterFunc(time.Millisecond, end) },
	}
	// A virtual clock doesn't wait for other goroutines while there are timers.
	outrun := func(clock, make, by, what string) bool {
		_, timed := sleeps[what]
		outside := strings.HasPrefix(by, "another") || make == "joined by AfterFunc"
		return clock == "virtual" && outside && (timed || make == "repaint.WithTimeout")
	}
	for name, makeContext := range endable {
		for by, endBy := range ends {
			t.Run(name+", ended by "+by, func(t *testing.T) {
				leakcheck.Test(t)
				for what, wait := range all(waits, outsideWaits, sleeps) {
					for clock, opts := range clocks {
						if outrun(clock, name, by, what) {
							continue
						}
						var end func()
						a := try{
							makeContext: func(parent context.Context) (ctx context.Context) {
								ctx, end = makeContext(parent)
								return ctx
							},
							meanwhile: func() { endBy(end) },
							wait:      wait,
						}
						require.NoError(t, a.inEachPlace(func(place string, err error) {
							require.ErrorIs(t, err, context.Canceled, "%s in %s, with a %s clock", what, place, clock)
						}, opts...))
					}
				}
			})
		}
	}
}

func TestEachDeadlineEndsEachWait(t *testing.T) {
	for name, makeContext := range ending {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			for what, wait := range all(waits, outsideWaits) {
				for clock, opts := range clocks {
					require.NoError(t, try{makeContext: makeContext, wait: wait}.inEachPlace(func(place string, err error) {
						require.ErrorIs(t, err, context.DeadlineExceeded, "%s in %s, with a %s clock", what, place, clock)
					}, opts...))
				}
			}
		})
	}
}

// If no context can end any more, except by what the loop does, the loop reports a deadlock at
// once.
func TestContextsThatOnlyTheLoopCanEndHideNoDeadlock(t *testing.T) {
	for name, makeContext := range map[string]func(context.Context) context.Context{
		"Background":    func(context.Context) context.Context { return context.Background() },
		"that of Run":   func(ctx context.Context) context.Context { return ctx },
		"a value in it": func(ctx context.Context) context.Context { return context.WithValue(ctx, contextKey{}, 1) },
		"WithoutCancel": func(ctx context.Context) context.Context { return context.WithoutCancel(soon(ctx)) },
	} {
		t.Run(name, func(t *testing.T) {
			leakcheck.Test(t)
			for what, wait := range waits {
				for clock, opts := range clocks {
					_ = try{makeContext: makeContext, wait: wait}.inEachPlace(func(place string, err error) {
						require.ErrorIs(t, err, loop.ErrDeadlock, "%s in %s, with a %s clock", what, place, clock)
					}, opts...) // tasks that ignore their context are killed
				}
			}
		})
	}
}

// While a Run goes on within another, the outer loop stands still, and can end nothing.
func TestEachContextEndsARunWithinARun(t *testing.T) {
	within := func(t *testing.T, want error, makeContext func(context.Context) (context.Context, func())) {
		leakcheck.Test(t)
		for outer, opts := range clocks {
			for inner, innerOpts := range clocks {
				require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
					_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
						ctx, end := makeContext(ctx)
						time.AfterFunc(time.Millisecond, end)
						return 0, repaint.Run(ctx, func(ctx context.Context) error { return coop.NewEvent().Wait(ctx) }, innerOpts...)
					}))
					require.ErrorIs(t, err, want, "a %s clock around a %s one", outer, inner)
					return nil
				}, opts...))
			}
		}
	}
	for name, makeContext := range endable {
		t.Run(name, func(t *testing.T) { within(t, context.Canceled, makeContext) })
	}
	for name, makeContext := range ending {
		t.Run(name, func(t *testing.T) {
			within(t, context.DeadlineExceeded, func(parent context.Context) (context.Context, func()) {
				return makeContext(parent), func() {}
			})
		})
	}
}

func all[K comparable, V any](maps ...map[K]V) map[K]V {
	joined := make(map[K]V)
	for _, m := range maps {
		for k, v := range m {
			joined[k] = v
		}
	}
	return joined
}
