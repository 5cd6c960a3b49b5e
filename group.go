package repaint

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/seed1239206e/repaint/internal/callsite"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// A Group runs functions side by side and waits for them: none outlives it. The first error ends
// the context of the others. It is a nursery, or task group, with the shape of errgroup.
//
// In a loop its functions are tasks. In a plain goroutine they are goroutines. So blue code can use
// it wherever it runs. It keeps only the error of a function that has ended.
//
//	g := repaint.NewGroup(ctx)
//	g.Go(func(ctx context.Context) error { … })
//	g.Go(func(ctx context.Context) error { … })
//	err := g.Wait()
type Group struct {
	runner *runner     // of the loop that it belongs to, if it does
	scope  scope       // the context of its functions
	ends   loop.Waiter // is told of the end of the scope

	mu       sync.Mutex // held for moments
	failures failures
	unseen   []member // functions whose ends Wait must still look at: the first error, panics, Goexit
	begun    bool     // Go has been called
	last     uint64   // the last number of a function in a goroutine
	waited   bool
	limit    int                       // how many functions may run at once; 0 if there is no limit
	running  int                       // functions that have a place; at most limit, if there is one
	queue    []*loop.Promise[struct{}] // the callers that wait for a place, the longest wait first
	ended    *loop.Promise[struct{}]   // is completed when none runs; nil if Wait doesn't wait
	patience *time.Timer               // runs out if functions don't end after their context has
}

// NewGroup returns a group. The context of its functions ends with ctx, with the first error among
// them, and when [Group.Wait] returns. Wait must be called, or the group is never released.
func NewGroup(ctx context.Context) *Group {
	g := new(Group)
	g.runner, _ = here()
	g.ends.Notify(nil, (*groupEnd)(g))
	g.scope.init(ctx, &g.ends, g.runner)
	return g
}

// Context returns the context of the group's functions. It is for code that waits for one of them,
// because a wait with this context ends when the group fails. This waits until a function is ready:
//
//	ready := loop.NewPromise[net.Addr](nil)
//	g.Go(func(ctx context.Context) error { return serve(ctx, ready) }) // resolves it, or returns an error
//	addr, err := repaint.Await(g.Context(), ready.Future())
//
// It ends when [Group.Wait] returns.
func (g *Group) Context() context.Context { return &g.scope }

// Go starts fn. In a loop fn runs at once and up to its first wait, as in [Spawn].
//
// A group that was made in a loop belongs to that loop, and its functions can also call Go. A call
// from elsewhere makes the group fail with [ErrOtherLoop]. Go of a group that was made in a plain
// goroutine may be called from any goroutine. Go panics after Wait has returned.
//
// If the group has a limit, Go first waits for a place, even if the group's context has ended:
// places become free as functions end. In a callback, which can't wait, the group fails with
// [ErrInCallback] instead. A function of the group that waits in Go has a place itself. If all its
// functions wait in Go, that is a deadlock.
//
//go:noinline
func (g *Group) Go(fn func(ctx context.Context) error) {
	g.begin(fn, callsite.Caller())
}

func (g *Group) begin(fn func(ctx context.Context) error, site callsite.Site) {
	if err := g.takePlace(); err != nil {
		g.fail(err)
		return
	}
	g.start(fn, site)
}

// TryGo starts fn like [Group.Go] if it can do so without waiting, and reports whether it did.
//
//go:noinline
func (g *Group) TryGo(fn func(ctx context.Context) error) bool {
	g.mu.Lock()
	free := g.tryPlace()
	g.mu.Unlock()
	if free {
		g.start(fn, callsite.Caller())
	}
	return free
}

// SetLimit sets how many functions may run at once. Zero or less means no limit. It must be called
// before the first Go, and panics after it.
func (g *Group) SetLimit(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.begun {
		panic("repaint: Group.SetLimit was called after Go")
	}
	g.limit = max(n, 0)
}

// tryPlace takes a place if one is free. It must be called with mu held.
func (g *Group) tryPlace() bool {
	if g.waited {
		panic("repaint: Group.Go was called after Wait had returned")
	}
	if g.limit > 0 && (g.running == g.limit || len(g.queue) > 0) {
		return false
	}
	g.begun = true
	g.running++
	return true
}

func (g *Group) takePlace() error {
	g.mu.Lock()
	if g.tryPlace() {
		g.mu.Unlock()
		return nil
	}
	var place *loop.Promise[struct{}]
	if g.runner != nil {
		place = loop.NewPromise[struct{}](g.runner.loop)
	} else {
		place = loop.NewPromise[struct{}](nil)
	}
	place.Future().SetName("a place in a group")
	g.queue = append(g.queue, place)
	g.mu.Unlock()
	taken := false
	defer func() {
		// The wait can have ended in a deadlock, or the greenlet been killed in it.
		if !taken && !place.Future().Cancel(nil) {
			g.leavePlace()
		}
	}()
	err := wait(context.Background(), &place.Future().Latch)
	taken = err == nil
	return err
}

// leavePlace gives a place to the caller that has waited longest.
func (g *Group) leavePlace() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.queue) > 0 {
		next := g.queue[0]
		g.queue[0] = nil
		g.queue = g.queue[1:]
		if next.Resolve(struct{}{}) {
			return
		}
	}
	if g.running--; g.running == 0 && g.ended != nil {
		g.ended.Resolve(struct{}{})
		g.ended = nil
	}
}

// start runs fn, which has a place.
func (g *Group) start(fn func(ctx context.Context) error, site callsite.Site) {
	if h, _ := here(); g.runner != nil && h != g.runner {
		g.fail(misplaced(ErrOtherLoop, "Group.Go", "from outside of the loop in which the group was made: make a group there"))
		g.leavePlace()
		return
	}
	if g.runner != nil {
		spawn[struct{}](&g.scope, fn, site, g, nil)
	} else {
		g.launch(fn)
	}
}

// returned notes what a function of the group has returned, before its future is done. It reports
// whether that is the group's first error.
func (g *Group) returned(m member, err error) (first bool) {
	if err == nil || !g.fail(err) {
		return false
	}
	g.look(m)
	return true
}

// left notes that a function of the group has ended, by returning or otherwise. Its future is done.
func (g *Group) left(m member, returned bool) {
	if !returned {
		g.look(m)
		g.scope.cancel(context.Canceled, errors.New("repaint: another function of the group panicked"))
	}
	g.leavePlace()
}

// look makes Wait examine how a function has ended.
func (g *Group) look(m member) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unseen = append(g.unseen, m)
}

// A member is a function of a group.
type member struct {
	number uint64 // in the order in which they began
	future *loop.Latch
}

// launch runs fn in a goroutine.
func (g *Group) launch(fn func(ctx context.Context) error) {
	p := loop.NewPromise[struct{}](nil)
	p.Future().SetName("a function in a goroutine")
	m := member{g.number(), &p.Future().Latch}
	go func() {
		returned := false
		defer func() { g.left(m, returned) }()
		p.Complete(func() (struct{}, error) {
			err := fn(&g.scope)
			returned = true
			g.returned(m, err)
			return struct{}{}, err
		})
	}()
}

// number returns the number of a function that begins, in a goroutine; tasks have one.
func (g *Group) number() uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.last++
	return g.last
}

// fail notes an error, ends the others' context, and reports whether it is the first.
func (g *Group) fail(err error) (first bool) {
	g.mu.Lock()
	first = g.failures.add(err, g.scope.end.Load())
	g.mu.Unlock()
	g.scope.cancel(context.Canceled, err)
	return first
}

// Wait returns when all functions have ended. It returns nil if no function failed. Otherwise it
// returns the first error joined with the errors of the other functions, except errors that are
// mere consequences of the cancel. The text mentions the end of the context only once. If one of
// the functions panicked, Wait panics with a [*loop.PanicError]. If one called runtime.Goexit, so
// does Wait.
//
// If the group's context ends, the context of its functions ends too, and Wait still waits for
// them. If a function hasn't ended 10 seconds later, a [*StubbornError] is reported, see
// [loop.ReportTo]: a function that ignores its context can hang the group, but not silently.
func (g *Group) Wait() error {
	for stuck := false; ; stuck = true {
		f := g.end()
		if f == nil {
			break
		}
		if err := wait(context.Background(), &f.Latch); err != nil {
			if stuck {
				break // the functions are left to the end of Run
			}
			g.fail(err) // Most likely a deadlock. The functions are cancelled now, which may end them.
		}
	}
	g.scope.release()
	g.mu.Lock()
	g.waited = true
	if g.patience != nil {
		g.patience.Stop()
	}
	unseen := g.unseen
	g.unseen = nil
	err := g.failures.join()
	g.mu.Unlock()
	goOn(unseen)
	return err
}

// end returns a future for the end of the functions, or nil if none runs. Then no function will run
// any more.
func (g *Group) end() *loop.Future[struct{}] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running == 0 {
		g.waited = true
		return nil
	}
	if g.ended == nil {
		var l *loop.Loop
		if g.runner != nil {
			l = g.runner.loop
		}
		g.ended = loop.NewPromise[struct{}](l)
		g.ended.Future().SetName(explore.GroupWait)
	}
	return g.ended.Future()
}

// goOn raises the first panic of functions that have ended, or else continues a Goexit.
func goOn(ended []member) {
	slices.SortFunc(ended, func(a, b member) int { return cmp.Compare(a.number, b.number) })
	var panicked *loop.PanicError
	goexit := false
	for _, m := range ended {
		err := m.future.Err()
		if p, ok := err.(*loop.PanicError); ok && panicked == nil {
			panicked = p
		}
		goexit = goexit || err == loop.ErrGoexit
	}
	if panicked != nil {
		panic(panicked)
	}
	if goexit {
		runtime.Goexit()
	}
}

// A groupEnd is a group whose context ends.
type groupEnd Group

// RunInLoop begins to lose patience with the functions of the group. Any goroutine may call it.
func (e *groupEnd) RunInLoop() {
	g := (*Group)(e)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running > 0 && !g.waited {
		patience := joinPatience
		g.patience = time.AfterFunc(patience, func() { g.complain(patience) })
	}
}

// complain reports which functions of the group haven't ended.
func (g *Group) complain(patience time.Duration) {
	e := &StubbornError{For: patience}
	if h := g.runner; h != nil {
		h.loop.Post(func() {
			for t := range h.tasks.all() {
				if t.group == g {
					e.Tasks = append(e.Tasks, t.String())
				}
			}
			if e.Tasks != nil {
				h.loop.Report(e)
			}
		})
		return
	}
	g.mu.Lock()
	running := g.running
	g.mu.Unlock()
	if running > 0 {
		e.Tasks = []string{fmt.Sprintf("functions in goroutines: %d", running)}
		loop.LogReport(e)
	}
}

// Gather calls the functions side by side and returns their results in the order of the functions.
// The first error ends the context of the others. Gather then waits for them, and returns the
// results that there are and an error as [Group.Wait] does. It may be called where a [Group] may be
// used, and panics like one.
//
//go:noinline
func Gather[T any](ctx context.Context, fns ...func(ctx context.Context) (T, error)) ([]T, error) {
	results := make([]T, len(fns))
	g := NewGroup(ctx)
	site := callsite.Caller()
	for i, fn := range fns {
		g.begin(func(ctx context.Context) (err error) {
			results[i], err = fn(ctx)
			return err
		}, site)
	}
	return results, g.Wait()
}
