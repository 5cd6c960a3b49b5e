package greenlet

// A Scheduler is the part of a family that only a scheduler of greenlets needs: code that keeps
// track of all its greenlets itself, and runs one job after another in each of them. Package
// repaint is one. Other programs don't need it. [Family.Scheduler] returns it. There is one for
// each family, and its methods must be called from the family.
type Scheduler Family

// Scheduler returns the family's Scheduler. There is one for each family. Any goroutine may call
// it; the methods must be called from the family.
func (f *Family) Scheduler() *Scheduler { return (*Scheduler)(f) }

// SetValue stores one value with the family, in place of the one before, so that the scheduler can
// find itself from any of the family's greenlets.
func (s *Scheduler) SetValue(v any) {
	s.value = v
	s.running.Store(s.current.goid)
}

// Value returns the value that [Scheduler.SetValue] stored last, or nil.
func (s *Scheduler) Value() any { return s.value }

// NewHeld is New for a greenlet that the scheduler keeps track of. The collector doesn't kill it
// when it is suspended and unreachable, so creating it and suspending it for the first time cost
// less. The parent must belong to the family; NewHeld panics if run is nil.
func (s *Scheduler) NewHeld(run func(arg any) (any, error), parent *Greenlet) *Greenlet {
	h := new(held)
	h.core.id, h.core.run = lastID.Add(1), run
	h.core.parent, h.core.fam = parent, (*Family)(s)
	h.core.watched, h.core.held = true, true
	h.Greenlet.core = &h.core
	if recordCreation.Load() {
		h.core.extra().created = callerOfNew()
	}
	return &h.Greenlet
}

// A held keeps the handle and the state in one allocation, because the family needn't know when the
// handle alone becomes unreachable.
type held struct {
	Greenlet
	core
}

// Reusable reports whether only the scheduler that made g with [Scheduler.NewHeld] can know g: g
// hasn't called [Current] or created a greenlet, and no tracer has seen it. If so, g's function can
// run another job instead of ending, and no other code can mistake the new job for the old one. See
// [Legacy] for what else reuse needs. Reusable must be called by g.
func (s *Scheduler) Reusable(g *Greenlet) bool {
	return !g.known && !s.attention.Load() && canForget()
}

// Unhindered reports whether the caller can give control to any of the family's suspended greenlets
// in the ordinary way, so that [Greenlet.Switch] can't fail: nothing traces the family, the
// collector has found nothing to kill, and the caller's goroutine isn't locked to a thread.
func (s *Scheduler) Unhindered() bool { return s.running.Load() == ticket() && !s.attention.Load() }

// OwnLegacy returns what the calling goroutine would pass on to a goroutine that it starts now.
func (s *Scheduler) OwnLegacy() Legacy { return ownLegacy() }

// ForgetLegacy clears what the calling goroutine has inherited or set since it started: its profile
// labels and debug.SetPanicOnFault.
func (s *Scheduler) ForgetLegacy() { forgetLegacy() }
