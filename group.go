package repaint

import (
	"context"
	"errors"
	"runtime"
	"sync"

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

	mu       sync.Mutex
	children []*loop.Future[struct{}]
	errs     []error
	waited   bool
}

// NewGroup returns a group whose functions' context ends with ctx, with the first error among them, and when [Group.Wait] returns.
// Wait must be called, or the group is never let go.
func NewGroup(ctx context.Context) *Group {
	g := new(Group)
	g.host, _ = here()
	g.scope.init(ctx, nil)
	return g
}

// Go starts fn. In a loop that's at once, up to fn's first wait, as in [Spawn].
//
// A group that was made in a loop belongs to it, and its functions can call Go, too. Calling it elsewhere makes the group fail with [ErrOtherLoop].
// Go of a group that was made in a plain goroutine may be called from any goroutine.
// A call after Wait has returned panics.
func (g *Group) Go(fn func(ctx context.Context) error) {
	g.mu.Lock()
	waited := g.waited
	g.mu.Unlock()
	if waited {
		panic("repaint: Group.Go was called after Wait had returned")
	}
	var child *loop.Future[struct{}]
	run := func(ctx context.Context) (struct{}, error) {
		returned := false
		defer func() {
			if !returned {
				g.scope.cancel(context.Canceled, errors.New("repaint: another function of the group panicked"))
			}
		}()
		err := fn(ctx)
		returned = true
		if err != nil {
			g.fail(err)
		}
		return struct{}{}, err
	}
	h, _ := here()
	switch {
	case g.host != nil && h != g.host:
		g.fail(misplaced(ErrOtherLoop, "Group.Go", "from outside of the loop in which the group was made: make a group there"))
		return
	case g.host != nil:
		child = Spawn(&g.scope, run).AsFuture()
	default:
		p := loop.NewPromise[struct{}](nil)
		child = p.Future()
		go p.Complete(func() (struct{}, error) { return run(&g.scope) })
	}
	g.mu.Lock()
	g.children = append(g.children, child)
	g.mu.Unlock()
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
		g.children[i] = nil
		g.mu.Unlock()
		if err := wait(context.Background(), &child.Latch); err != nil {
			// Most likely a deadlock. The children are cancelled now, which may end them.
			g.fail(err)
			_ = wait(context.Background(), &child.Latch)
		}
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

// Gather calls the functions side by side and returns their results in the order of the functions.
// The first error ends the context of the others; then Gather waits for them and returns the errors as [Group.Wait] does,
// with what results there are. Where it may be called, and what panics do, is as with a [Group].
func Gather[T any](ctx context.Context, fns ...func(ctx context.Context) (T, error)) ([]T, error) {
	results := make([]T, len(fns))
	g := NewGroup(ctx)
	for i, fn := range fns {
		g.Go(func(ctx context.Context) (err error) {
			results[i], err = fn(ctx)
			return err
		})
	}
	return results, g.Wait()
}
