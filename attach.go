package repaint

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/loop"
)

// A Host is an event loop of somebody else's: of a user interface, a game, a script engine. See [Attach].
type Host interface {
	// Post has fn called soon, in the goroutine in which the event loop runs all its callbacks,
	// and not within another callback. Any goroutine may call Post, and it must not wait for the call.
	Post(fn func())
}

// A Guest is a loop of ours on an event loop of somebody else's.
type Guest struct {
	host  *host
	isNew bool // the family
	done  func(err error)
}

// Attach lets tasks run on an event loop that isn't ours. It must be called in the goroutine in which the host
// runs its callbacks; from then on [Spawn] can be called by these callbacks, and by the tasks. A callback itself can't wait:
// Await in it returns [ErrInCallback]. Tasks and callbacks take turns, in that one goroutine.
//
// The context of the tasks ends with ctx, or by [Guest.Detach]. The goroutine may be locked to its thread
// if it was so before and stays so. If the goroutine has a loop already the error is [ErrOtherLoop].
// It is trio's guest mode; see [loop.NewGuest] for what is different in such a loop.
func Attach(ctx context.Context, on Host, opts ...loop.Option) (*Guest, error) {
	family, isNew := greenlet.Enter()
	if outer, _ := family.Value().(*host); outer != nil {
		return nil, fmt.Errorf("%w: Attach was called in a goroutine that has a loop already, by Run or by another Attach: detach that one first", ErrOtherLoop)
	}
	h := &host{family: family, guest: true, driver: greenlet.Lookup()}
	h.loop = loop.NewGuest(func(fn func()) {
		on.Post(func() {
			if greenlet.Lookup() != h.driver {
				panic("repaint: the host called back in another goroutine than the one in which Attach was called, or within a task")
			}
			fn()
		})
	}, opts...)
	h.prepare(ctx)
	return &Guest{host: h, isNew: isNew}, nil
}

// Context returns the context with which the host's callbacks spawn tasks that are to end with the guest.
func (g *Guest) Context() context.Context { return &g.host.scope }

// Loop returns the guest's loop, for the host's code to set timers or make promises.
func (g *Guest) Loop() *loop.Loop { return g.host.loop }

// Detach cancels the tasks. When all have ended, it closes the loop and has done called by the host; a task that still waits
// 10 seconds later is killed, and done's error is [ErrNotJoined]. Nil may stand for a function that does nothing.
// It must be called in the host's goroutine, outside of any task. A second call panics.
func (g *Guest) Detach(done func(err error)) {
	h := g.host
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
	if h.count == 0 {
		h.loop.Schedule(g)
	}
}

// RunInLoop is called when all tasks have ended.
func (g *Guest) RunInLoop() {
	h := g.host
	if h.count > 0 || h.whenEmpty == nil {
		return
	}
	h.whenEmpty = nil
	h.close()
	h.family.SetValue(nil)
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
