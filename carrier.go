package repaint

import "github.com/seed1239206e/repaint/greenlet"

// A carrier is a greenlet that runs one task after the other: to begin a task costs a switch then,
// and not a new greenlet. It is idle between two tasks, suspended in carry.

// maxIdle is how many carriers a runner keeps for later tasks. The others end with their tasks.
const maxIdle = 256

// carrier returns a greenlet for a task.
func (h *runner) carrier(parent *greenlet.Greenlet) *greenlet.Greenlet {
	if n := len(h.idle) - 1; n >= 0 {
		g := h.idle[n]
		h.idle[n] = nil
		h.idle = h.idle[:n]
		h.legacy = h.family.Scheduler().OwnLegacy()
		return g
	}
	return h.family.Scheduler().NewHeld(carry, parent)
}

// keep notes the carrier of an ended task as idle, unless the carrier has to end with its task. It
// has to if other code may know it, if it was killed, or if it is the parent of a task that goes
// on: the error with which that task ends would otherwise arrive in a later task.
//
//go:noinline
func (h *runner) keep(t *task) bool {
	if t.killed || t.parental || h.over || len(h.idle) == maxIdle || !h.family.Scheduler().Reusable(t.greenlet) {
		return false
	}
	h.idle = append(h.idle, t.greenlet)
	h.family.Scheduler().ForgetLegacy()
	return true
}

// A job is a task of whatever type.
type job interface {
	// run runs the task to its end. It returns unless the task's function ends by Goexit.
	run() *task
}

// dismiss ends the idle carriers.
func (h *runner) dismiss(me *greenlet.Greenlet) {
	for _, g := range h.idle {
		// Neither fails: an idle carrier has no children, and is of this family.
		_ = g.SetParent(me)
		_, _ = g.Switch(nil)
	}
	h.idle = nil
}
