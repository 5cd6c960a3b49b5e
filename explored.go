package repaint

import (
	"context"
	"strconv"
	"time"

	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/explore"
	"github.com/seed1239206e/repaint/loop"
)

// In a loop that explores schedules, tasks have names that don't depend on the schedule, and tell
// the explorer where they wait. The explorer chooses among the tasks and the main function: the
// main function goes on in its turn, and not as soon as it can. In other loops all this is a nil
// check.

// An explored is the part of a task, or of the main function, that only a loop that explores needs.
type explored struct {
	id       string
	children int  // how many tasks it has spawned
	failed   bool // whether its function has returned an error
}

// begins gives a task its name.
//
//go:noinline
func (h *runner) begins(t *task) {
	parent, prefix := &h.explored, ""
	if h.current != nil {
		parent = &h.current.details().explored
		prefix = parent.id + "."
	}
	parent.children++
	more := t.details()
	more.explored.id = prefix + strconv.Itoa(parent.children)
	h.explorer.TaskBegins(explore.Task{ID: more.explored.id, Name: more.name, Site: t.site.String(), Cancel: func(cause error) {
		t.scope.cancel(context.Canceled, cause)
	}})
}

// tellWait tells the explorer, if there is one, that the task is about to wait.
func (t *task) tellWait() {
	if e := t.runner.explorer; e != nil {
		e.TaskWaits(t.more.explored.id, t.wanted(), explore.Place())
	}
}

// tellEnd tells the explorer, if there is one, that the task has ended.
func (t *task) tellEnd() {
	if e := t.runner.explorer; e != nil {
		e.TaskEnds(t.more.explored.id, t.more.explored.failed || !t.returned)
	}
}

// LoopOwner implements [loop.Owned].
func (t *task) LoopOwner() string {
	if t.more == nil {
		return ""
	}
	return t.more.explored.id
}

// LoopOwner implements [loop.Owned].
func (y *yielding) LoopOwner() string { return (*task)(y).LoopOwner() }

// LoopOwner implements [loop.Owned].
func (s *sleeping) LoopOwner() string { return (*task)(s).LoopOwner() }

// A mainTurn lets the main function of a loop that explores look at its condition.
type mainTurn runner

func (m *mainTurn) RunInLoop() { m.turn = true }

// LoopOwner implements [loop.Owned].
func (m *mainTurn) LoopOwner() string { return explore.Main }

// lookAgain returns a Runnable that makes the main function look at its condition.
func (h *runner) lookAgain() loop.Runnable {
	if h.explorer != nil {
		return (*mainTurn)(h)
	}
	return nothing{}
}

// inTurn returns a condition that holds only when the main function has its turn.
func (h *runner) inTurn(until func() bool) func() bool {
	h.turn = false
	return func() bool {
		if !h.turn {
			return false
		}
		h.turn = until()
		return h.turn
	}
}

// sleepInTurn is a sleep of the main function of a loop that explores. It is one step.
func (h *runner) sleepInTurn(ctx context.Context, g *greenlet.Greenlet, d time.Duration) error {
	if h.inCallback() {
		return misplaced(ErrInCallback, "Sleep", "by a callback: spawn a task that waits, or use the future's OnDone")
	}
	if err := h.checkLock("Sleep"); err != nil {
		return err
	}
	end := h.loop.Now().Add(max(d, 0))
	over := func() bool { return !h.loop.Now().Before(end) }
	timer := h.loop.ScheduleLater(d, (*mainTurn)(h))
	defer timer.Stop()
	what := "a sleep"
	if d <= 0 {
		what = "its next turn"
	}
	h.explorer.TaskWaits(explore.Main, what, explore.Place())
	if loop.Tracing() {
		h.trace(loop.TaskWaits, what)
		defer h.trace(loop.TaskResumes, "")
	}
	h.watch.over(ctx, &h.scope, &h.mainWaiter, h)
	h.driver = g
	defer h.drove()
	err := h.loop.Drive(h.inTurn(func() bool { return over() || ctx.Err() != nil || h.stray != nil }))
	switch {
	case err != nil:
		return err
	case h.stray != nil:
		err, h.stray = h.stray, nil
		return err
	case over():
		return nil
	}
	return loop.ContextError(ctx)
}
