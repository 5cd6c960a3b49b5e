package repaint

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/loop"
)

// A Host is a foreign event loop, such as a user interface's, a game's or a script engine's. See
// [Attach].
type Host interface {
	// Post arranges for a call of fn soon, in the goroutine in which the event loop runs all its
	// callbacks, and not within another callback. Any goroutine may call Post, and Post must not
	// wait for that call.
	Post(fn func())
}

// A Guest is a loop that runs on a foreign event loop.
type Guest struct {
	runner *runner
	isNew  bool // the family
	done   func(err error)
}

// Attach lets tasks run on a foreign event loop. It must be called in the goroutine in which the
// host runs its callbacks. From then on these callbacks, and the tasks, can call [Spawn]. A
// callback itself can't wait: Await returns [ErrInCallback] there. Tasks and callbacks take turns,
// in that one goroutine.
//
// The context of the tasks ends with ctx, or by [Guest.Detach]. The goroutine may be locked to its
// thread if it was locked before and stays locked. If the goroutine already has a loop, the error
// is [ErrOtherLoop]. It is trio's guest mode; see [loop.NewGuest] for the differences in such a
// loop.
func Attach(ctx context.Context, on Host, opts ...loop.Option) (*Guest, error) {
	family, isNew := greenlet.Enter()
	if outer, _ := family.Scheduler().Value().(*runner); outer != nil {
		return nil, fmt.Errorf("%w: Attach was called in a goroutine that has a loop already, by Run or by another Attach: detach that one first", ErrOtherLoop)
	}
	h := &runner{family: family, guest: true, driver: greenlet.Lookup()}
	h.loop = loop.NewGuest(func(fn func()) {
		on.Post(func() {
			if greenlet.Lookup() != h.driver {
				panic("repaint: the host called back in another goroutine than the one in which Attach was called, or within a task")
			}
			fn()
		})
	}, opts...)
	h.prepare(ctx)
	return &Guest{runner: h, isNew: isNew}, nil
}

// Context returns the context with which the host's callbacks spawn tasks that end with the guest.
func (g *Guest) Context() context.Context { return &g.runner.scope }

// Loop returns the guest's loop, on which the host's code can set timers or make promises.
func (g *Guest) Loop() *loop.Loop { return g.runner.loop }

// Detach cancels the tasks. When all have ended, it closes the loop, and the host calls done, which
// may be nil. A task that still waits 10 seconds later is killed, and done gets [ErrNotJoined].
// Detach must be called in the host's goroutine, outside any task. A second call panics.
func (g *Guest) Detach(done func(err error)) {
	h := g.runner
	if h.over {
		panic("repaint: Detach was called twice")
	}
	g.done = done
	h.over = true
	h.cancelTasks()
	h.loop.CallLater(joinPatience, func() {
		h.killLeft()
		h.loop.Schedule(g)
	})
	h.whenEmpty = g
	if h.tasks.len() == 0 {
		h.loop.Schedule(g)
	}
}

// RunInLoop closes the loop when all tasks have ended.
func (g *Guest) RunInLoop() {
	h := g.runner
	if h.tasks.len() > 0 || h.whenEmpty == nil {
		return
	}
	h.whenEmpty = nil
	h.close()
	h.family.Scheduler().SetValue(nil)
	var err error
	if h.stubborn != nil {
		err = &notJoined{h.stubborn}
	}
	if g.isNew {
		err = both(err, h.family.Close())
	}
	if g.done != nil {
		g.done(err)
	}
}
