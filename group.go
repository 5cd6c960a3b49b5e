package repaint

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"github.com/seed1239206e/repaint/internal/callsite"
	"github.com/seed1239206e/repaint/loop"
)

// A Group runs functions side by side and waits for them: none outlives it.
// The first error ends the context of the others. It is a nursery, or task group, with the shape of errgroup.
//
// In a loop its functions are tasks. In a plain goroutine they are goroutines.
// So blue code can use it wherever it runs.
//
//	g := repaint.NewGroup(ctx)
//	g.Go(func(ctx context.Context) error { … })
//	g.Go(func(ctx context.Context) error { … })
//	err := g.Wait()
type Group struct {
	host  *host // of the loop that it belongs to, if it does
	scope scope // the context of its functions

	mu       sync.Mutex // held for moments
	children []*loop.Future[struct{}]
	errs     []error
	waited   bool
	limit    int                       // how many functions may run at once; 0 if there is no limit
	running  int                       // at most limit, if there is one
	queue    []*loop.Promise[struct{}] // of those who wait for a place, the longest first
	patience *time.Timer               // for the functions to end, once their context has
}

// NewGroup returns a group whose functions' context ends with ctx, with the first error among them, and when [Group.Wait] returns.
// Wait must be called, or the group is never let go.
func NewGroup(ctx context.Context) *Group {
	g := new(Group)
	g.host, _ = here()
	g.scope.init(ctx, g, g.host)
	return g
}

// Go starts fn. In a loop that's at once, up to fn's first wait, as in [Spawn].
//
// A group that was made in a loop belongs to it, and its functions can call Go, too. Calling it elsewhere makes the group fail with [ErrOtherLoop].
// Go of a group that was made in a plain goroutine may be called from any goroutine.
// A call after Wait has returned panics.
//
// If the group has a limit, Go first waits for a place, and it does so to the end: a group whose context has ended
// gets places as its functions end. In a callback, which can't wait, the group fails with [ErrInCallback] instead.
// A function of the group that waits so has a place itself; if all of them do, that's a deadlock.
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

// TryGo starts fn like [Group.Go] if it can do so without waiting, and reports whether it has.
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

// SetLimit sets how many functions may run at once. Zero, or less, means that there is no limit.
// It must be called before the first Go.
func (g *Group) SetLimit(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.children) > 0 {
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
	if g.host != nil {
		place = loop.NewPromise[struct{}](g.host.loop)
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

// leavePlace gives a place to the one who has waited longest.
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
	g.running--
}

// start runs fn, which has a place.
func (g *Group) start(fn func(ctx context.Context) error, site callsite.Site) {
	if h, _ := here(); g.host != nil && h != g.host {
		g.fail(misplaced(ErrOtherLoop, "Group.Go", "from outside of the loop in which the group was made: make a group there"))
		g.leavePlace()
		return
	}
	child := launch(&g.scope, g.host, func(ctx context.Context) (struct{}, error) { return struct{}{}, fn(ctx) }, site, g)
	g.mu.Lock()
	g.children = append(g.children, child)
	g.mu.Unlock()
}

// returned is told what a function of the group has returned, before anybody who waits for it.
func (g *Group) returned(err error) {
	if err != nil {
		g.fail(err)
	}
}

// left is told that a function of the group has ended, by returning or otherwise.
func (g *Group) left(returned bool) {
	if !returned {
		g.scope.cancel(context.Canceled, errors.New("repaint: another function of the group panicked"))
	}
	g.leavePlace()
}

// launch runs fn beside the caller: in a task if there is a loop, in a goroutine if there is none.
// The group may be nil; it is told of what becomes of fn.
func launch[T any](ctx context.Context, h *host, fn func(ctx context.Context) (T, error), site callsite.Site, g *Group) *loop.Future[T] {
	if h != nil {
		return spawn(ctx, fn, site, g, nil).AsFuture()
	}
	p := loop.NewPromise[T](nil)
	p.Future().SetName("a function in a goroutine")
	go p.Complete(func() (T, error) {
		if g == nil {
			return fn(ctx)
		}
		returned := false
		defer func() { g.left(returned) }()
		v, err := fn(ctx)
		returned = true
		g.returned(err)
		return v, err
	})
	return p.Future()
}

// fail notes an error and ends the others' context.
func (g *Group) fail(err error) {
	g.mu.Lock()
	// Once the group is ending, being cancelled is no news.
	if len(g.errs) == 0 || !errors.Is(err, context.Canceled) {
		g.errs = append(g.errs, err)
	}
	g.mu.Unlock()
	g.scope.cancel(context.Canceled, err)
}

// Wait returns when all the functions have ended. Its error is nil if all of theirs are; it is the error of the first one
// that failed, joined with those of the others, except for those that say only that they were cancelled thereupon.
// If one of them panicked, Wait panics with a [*loop.PanicError]; if one called runtime.Goexit, so does Wait.
//
// If the group's context ends, so does that of its functions; Wait still waits for them.
// If one of them has not ended 10 seconds later, a [*StubbornError] is reported, see [loop.WithReport]:
// a function that overlooks its context can hang the group, but not silently.
func (g *Group) Wait() error {
	goexit := false
	var panicked *loop.PanicError
	for i := 0; ; i++ {
		g.mu.Lock()
		if i == len(g.children) {
			g.waited = true
			g.mu.Unlock()
			break
		}
		child := g.children[i]
		g.mu.Unlock()
		if child == nil { // an earlier Wait has seen it
			continue
		}
		if err := wait(context.Background(), &child.Latch); err != nil {
			// Most likely a deadlock. The children are cancelled now, which may end them.
			g.fail(err)
			_ = wait(context.Background(), &child.Latch)
		}
		g.mu.Lock()
		g.children[i] = nil
		g.mu.Unlock()
		switch err := child.Err().(type) {
		case *loop.PanicError:
			if panicked == nil {
				panicked = err
			}
		default:
			goexit = goexit || err == loop.ErrGoexit
		}
	}
	g.scope.release()
	g.mu.Lock()
	if g.patience != nil {
		g.patience.Stop()
	}
	g.mu.Unlock()
	if panicked != nil {
		panic(panicked)
	}
	if goexit {
		runtime.Goexit()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.errs) == 1 {
		return g.errs[0]
	}
	return errors.Join(g.errs...)
}

// scopeEnded begins to lose patience with the functions of the group.
func (g *Group) scopeEnded() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.running > 0 && !g.waited {
		g.patience = time.AfterFunc(joinPatience, g.complain)
	}
}

// complain reports which functions of the group haven't ended.
func (g *Group) complain() {
	e := &StubbornError{For: joinPatience}
	g.mu.Lock()
	for _, c := range g.children {
		if c != nil && !c.Done() {
			e.Tasks = append(e.Tasks, c.String())
		}
	}
	g.mu.Unlock()
	switch {
	case e.Tasks == nil:
	case g.host == nil:
		loop.LogReport(e)
	default:
		g.host.loop.Report(e)
	}
}

// Gather calls the functions side by side and returns their results in the order of the functions.
// The first error ends the context of the others; then Gather waits for them and returns the errors as [Group.Wait] does,
// with what results there are. Where it may be called, and what panics do, is as with a [Group].
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
