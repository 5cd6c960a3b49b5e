package repaint

import "github.com/seed1239206e/repaint/greenlet"

// A task that gives up control takes the next task off the loop's queue and switches to it. So each
// turn costs one switch, instead of one to the driver and one from there. The driver gets control
// when what comes next isn't a task, or when the loop has something else to do.
//
// The order of the queue stays the same, and nothing but tasks runs on a task's stack. It works
// like this:
//
//   - The driver waits in a Switch to one task, and goes on when control comes back, whichever task
//     that comes from.
//   - Each task that is resumed in this way has the driver as its parent, and gives control back to
//     it, as if the driver had resumed it.
//   - What was taken off the queue can't fail to be switched to, or else it would be lost. Before
//     it is taken the family is asked.

// successor takes the next task off the loop's queue, and notes that it has control. It returns nil
// if the driver must go on. It must be called only while relays is set. It may return the calling
// task itself.
//
//go:noinline
func (h *runner) successor() *task {
	if !h.family.Scheduler().Unhindered() {
		return nil
	}
	for {
		r := h.loop.Bridge().Peek()
		next, _ := r.(*task)
		y, yields := r.(*yielding)
		if yields {
			next = (*task)(y)
		}
		if next == nil || next.greenlet.Parent() != h.driver {
			return nil
		}
		h.loop.Bridge().Take()
		if yields {
			y.turns--
		}
		if next.wake() {
			h.current = next
			return next
		}
	}
}

// after returns the greenlet that gets control after that of a task that has ended.
//
//go:noinline
func (h *runner) after() *greenlet.Greenlet {
	if h.relays {
		if next := h.successor(); next != nil {
			return next.where()
		}
		return h.driver
	}
	return h.resumer
}
