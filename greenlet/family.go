package greenlet

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"weak"
)

// A Family is a goroutine, its root greenlet and all the greenlets that descend from it:
// the counterpart of a thread and its greenlets in Python.
// Each greenlet has a goroutine of its own underneath, but only one of them runs at a time,
// and only that one can switch: all other goroutines are refused with a [FamilyError].
//
// A family begins with the first use of greenlets in a goroutine, or with [Enter].
// In the first case it ends when nothing refers to it any more, in the second with [Family.Close].
type Family struct {
	id   uint64
	goid uint64 // of the root
	// running is the number of the goroutine that has control.
	// Each goroutine sets it when it gets control. All others see a number that isn't theirs.
	running atomic.Uint64

	// The fields from here to pending belong to the running goroutine.

	// current is the greenlet that has control. It is set before control is transferred:
	// a goroutine that wakes up and isn't meant passes control on. As it is a handle, nothing
	// that runs is ever unreachable.
	current *Greenlet
	msg     message // what current is to receive
	// special says that the next goroutine to get control has to do more than to take a value from msg.
	special bool
	toWatch *Greenlet // has just been suspended for the first time
	// detour, if there, is where the next goroutine that wakes up and isn't meant goes,
	// instead of to current.
	detour *slot

	root     *owner
	pool     *pool
	self     weak.Pointer[Family] // made when needed
	started  core                 // sentinel of the list of started greenlets that have not ended
	count    int                  // length of the list
	entered  bool
	closed   bool
	switches uint64

	value any

	// pending says that unreachable has entries.
	pending     atomic.Bool
	mu          sync.Mutex // held for moments, never across a switch
	unreachable []*core    // suspended greenlets to kill, put there by the collector
}

var (
	lastFamily atomic.Uint64
	families   atomic.Int64
)

// Enter returns the family of the calling goroutine.
// If there is none it makes one, of which the goroutine is the root, and reports that it is new:
// then the caller must close it before the goroutine ends.
func Enter() (f *Family, isNew bool) {
	id := goid()
	if o := owners.find(id); o != nil {
		if f := o.family(); f != nil {
			return f, false
		}
		owners.remove(o)
	}
	return enter(id), true
}

func enter(id uint64) *Family {
	f := &Family{id: lastFamily.Add(1), goid: id, entered: true, pool: new(pool)}
	c := &core{id: lastID.Add(1), fam: f, goid: id, watched: true, isRoot: true}
	c.become(active)
	f.current = &Greenlet{c}
	f.started.next, f.started.prev = &f.started, &f.started
	f.running.Store(id)
	f.root = &owner{id: id, fam: f}
	owners.add(f.root)
	families.Add(1)
	return f
}

// newFamily makes a family that lasts as long as somebody refers to it.
func newFamily(id uint64) *Family {
	if o := owners.find(id); o != nil {
		owners.remove(o) // the rest of a family that was collected
	}
	f := enter(id)
	f.entered = false
	f.root.lazy = f.lazy()
	f.root.fam = nil
	// Nothing that is given to the clean-up may lead to the family.
	runtime.AddCleanup(f, func(p *pool) { p.retire(nil) }, f.pool)
	runtime.AddCleanup(f, func(o *owner) {
		owners.remove(o)
		families.Add(-1)
	}, f.root)
	return f
}

// Close kills the greenlets of the family that are still suspended, the one that started last first,
// and ends all their goroutines. It must be called by the root greenlet; it gives [ErrRoot] or a [FamilyError] elsewhere.
// Afterwards the family's greenlets give [ErrClosed]. It returns [ErrSurvived] if one of them
// recovered from being killed and didn't end: its goroutine stays behind.
// Closing a closed family does nothing.
func (f *Family) Close() error {
	if f.running.Load() != goid() {
		return f.refuse("close", "the family")
	}
	if f.closed {
		return nil
	}
	root := f.current.core
	if !root.isRoot {
		return fmt.Errorf("%w: only the root may close %s, not %s", ErrRoot, f, f.current)
	}
	f.closed = true // nothing new starts
	var survived error
	for c := f.started.prev; c != &f.started; c = f.started.prev {
		if err := f.killQuietly(c); err != nil {
			report(fmt.Errorf("greenlet: while closing %s: %w", f, err))
		}
		if !c.is(dead) {
			survived = fmt.Errorf("%w: %s, while closing %s", ErrSurvived, c, f)
			f.unlink(c)
		}
	}
	f.pool.retire(root)
	root.become(dead)
	owners.remove(f.root)
	f.root.fam = nil
	if f.entered {
		families.Add(-1)
	}
	return survived
}

// Len returns the number of greenlets that have started and not ended, not counting the root.
// It must be called from the family.
func (f *Family) Len() int { return f.count }

// Switches returns how often control was transferred between greenlets of the family.
// It must be called from the family.
func (f *Family) Switches() uint64 { return f.switches }

// Value returns what [Family.SetValue] has set. It must be called from the family.
func (f *Family) Value() any { return f.value }

// SetValue keeps one value with the family: it is meant for the scheduler that drives the family's greenlets,
// which finds itself again by it from any of them. It must be called from the family.
func (f *Family) SetValue(v any) { f.value = v }

// String names the family for errors: "family 3 (root in goroutine 17)".
func (f *Family) String() string {
	return fmt.Sprintf("family %d (root in goroutine %d)", f.id, f.goid)
}

// send delivers the message to g, or to whom it falls to if g can't take it,
// and does what the message says that is sent back to the current greenlet.
func (f *Family) send(g *Greenlet, m message) (any, error) {
	return f.exchange(g, m).open()
}

func (f *Family) exchange(g *Greenlet, m message) message {
	if f.closed && (g.is(unstarted) || f.root.fam == nil) {
		return message{err: fmt.Errorf("%w: no switch to %s of %s", ErrClosed, g, f)}
	}
	f.msg = m
	to := f.receiver(g)
	me := f.current.core
	if to.core == me {
		return f.receive()
	}
	if !me.watched {
		f.watchLater()
	}
	if !to.is(active) {
		f.start(to)
	}
	s := to.slot
	me.slot = s
	f.switchTo(to)
	s.flip()
	f.wake(me)
	return f.receive()
}

// receiver finds who gets the family's message if it is addressed to g: g, or the nearest ancestor that can take it.
// There always is one, because a root lives as long as anything can switch.
func (f *Family) receiver(g *Greenlet) *Greenlet {
	for !g.is(active) {
		if g.is(unstarted) {
			if f.msg.carriesValue() && !f.closed {
				return g
			}
			g.run = nil
			g.become(dead)
			if f.msg.kind == kill {
				f.msg = message{err: ErrExit}
			}
			f.msg.exit()
		}
		g = g.parent
	}
	return g
}

// switchTo makes an active greenlet the current one, with the family's message for it.
// What comes next must be a flip of its slot, or the end of the goroutine.
func (f *Family) switchTo(to *Greenlet) {
	f.current = to
	f.switches++
	f.special = f.special || !f.msg.carriesValue()
}

// wake is what a goroutine does first when it wakes up: it parks again until it's the current greenlet's,
// takes control, and does what has been left for it to do.
func (f *Family) wake(me *core) {
	for f.current.core != me {
		s := f.hop()
		me.slot = s
		s.flip()
	}
	f.running.Store(me.goid)
	f.takeOver()
}

// takeOver does what the goroutine that had control before has left to do.
func (f *Family) takeOver() {
	f.special = false
	if g := f.toWatch; g != nil {
		f.toWatch = nil
		watch(g)
	}
}

// arrive is the end of a Switch that isn't ordinary.
func (f *Family) arrive(me *core) (any, error) {
	f.wake(me)
	return f.receive().open()
}

func (f *Family) receive() message {
	m := f.msg
	f.msg = message{}
	return m
}

// hop tells a goroutine that woke up without being meant where to park instead.
// This happens when a goroutine ends: it wakes whoever is parked in its slot.
func (f *Family) hop() *slot {
	if s := f.detour; s != nil {
		f.detour = nil
		return s
	}
	return f.current.slot
}

// kill unwinds g and comes back here. It returns the error that g ended with, or panics as g did.
func (f *Family) kill(g *Greenlet) error {
	_, err := f.killing(g).open()
	return err
}

func (f *Family) killing(g *Greenlet) message {
	if !g.is(active) {
		g.run = nil
		g.become(dead)
		return message{}
	}
	here, parent := f.current, g.parent
	g.parent = here
	m := f.exchange(g, message{kind: kill})
	if g.parent.core == here.core {
		g.parent = parent
	}
	if m.kind == result && m.err == nil && !g.is(dead) {
		m.err = fmt.Errorf("%w: %s", ErrSurvived, g)
	}
	return m
}

// killQuietly kills on nobody's behalf: what the greenlet ended with is an error, whatever it was.
// It makes a new handle, so that a deferred function of the greenlet can save it from death.
func (f *Family) killQuietly(c *core) error {
	c.watched = false
	switch m := f.killing(&Greenlet{c}); m.kind {
	case goexit:
		return fmt.Errorf("%s called runtime.Goexit while it was being killed", c)
	default:
		return m.err
	}
}

// watchLater has the current greenlet, which is about to be suspended, watched. It is done by the one that
// gets control, because it needs more stack than a suspended greenlet should have.
func (f *Family) watchLater() {
	f.current.watched = true
	f.toWatch = f.current
	f.special = true
}

// watch has the collector tell the family when the handle of a suspended greenlet becomes unreachable.
func watch(g *Greenlet) {
	runtime.AddCleanup(g, func(c *core) {
		if c.is(dead) {
			return
		}
		f := c.fam
		f.mu.Lock()
		f.unreachable = append(f.unreachable, c)
		f.mu.Unlock()
		f.pending.Store(true)
	}, g.core)
}

// killUnreachable does what the collector asked for.
func (f *Family) killUnreachable() {
	if !f.pending.Load() {
		return
	}
	f.mu.Lock()
	cores := f.unreachable
	f.unreachable = nil
	f.pending.Store(false)
	f.mu.Unlock()
	for _, c := range cores {
		if c.is(dead) {
			continue
		}
		if err := f.killQuietly(c); err != nil {
			report(fmt.Errorf("greenlet: while killing %s, which had become unreachable: %w", c, err))
		}
	}
}

func (f *Family) link(c *core) {
	c.prev, c.next = f.started.prev, &f.started
	c.prev.next, c.next.prev = c, c
	if f.count++; f.count == 1 {
		f.root.fam = f
	}
}

func (f *Family) unlink(c *core) {
	if c.next == nil {
		return // it was written off by Close
	}
	c.prev.next, c.next.prev = c.next, c.prev
	c.prev, c.next = nil, nil
	if f.count--; f.count == 0 && !f.entered {
		f.root.fam = nil
	}
}

// lazy returns a reference that doesn't keep the family alive.
func (f *Family) lazy() weak.Pointer[Family] {
	if f.self == (weak.Pointer[Family]{}) {
		f.self = weak.Make(f)
	}
	return f.self
}

// refuse explains why the calling goroutine can't do this.
func (f *Family) refuse(op, what string) error {
	id := goid()
	caller := fmt.Sprintf("goroutine %d, which has no greenlets", id)
	if o := owners.find(id); o != nil {
		if own := o.family(); own != nil {
			caller = own.String()
		}
	}
	return &FamilyError{Op: op, Greenlet: what, Family: f.String(), Caller: caller}
}

var reporter atomic.Pointer[func(error)]

// SetReporter sets who is told of errors that have no caller to go to: a greenlet that was killed because
// it was unreachable, or when its family was closed, and that failed or went on.
// Without one they are written to the standard error stream. It returns the one before, nil at first.
func SetReporter(report func(error)) (old func(error)) {
	var p *func(error)
	if report != nil {
		p = &report
	}
	if o := reporter.Swap(p); o != nil {
		old = *o
	}
	return old
}

func report(err error) {
	if r := reporter.Load(); r != nil {
		(*r)(err)
		return
	}
	fmt.Fprintln(os.Stderr, err)
}

// A Census counts what greenlets take up in the whole program.
type Census struct {
	// Families is the number of families. One that has become unreachable counts until the collector has found it.
	Families int
	// Goroutines is the number of goroutines that run greenlets or wait for the next one to run.
	// Roots' goroutines don't count, being there without greenlets, too.
	Goroutines int
}

// Count takes a census. It is meant for leak checks and monitoring.
func Count() Census {
	return Census{Families: int(families.Load()), Goroutines: int(workers.Load())}
}
