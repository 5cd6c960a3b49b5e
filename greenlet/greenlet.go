package greenlet

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"weak"
)

// A Greenlet is a function with a stack of its own that runs only when it is switched to
// and gives control away only by switching. It is the counterpart of Python's greenlet object.
//
// Any goroutine may call a method unless the method's comment says otherwise. Methods that must be
// called "from the family" belong to the goroutine that runs the current greenlet. If they return
// an error, they return a [FamilyError] to other goroutines: see [Family].
//
// A suspended greenlet that nothing refers to any more is killed: its deferred functions run and
// its goroutine ends. A local variable of its own function keeps a greenlet alive only if the
// function still uses the variable after it is resumed.
//
// A Greenlet must not be copied, and vet reports copies. A copy compares unequal to the original,
// and it doesn't keep a suspended greenlet alive.
type Greenlet struct {
	_ noCopy
	// The user's handle is separate from the greenlet's state, because the greenlet's own stack
	// refers to the state. Only so can the handle become unreachable while the greenlet is
	// suspended.
	*core
}

// noCopy makes vet report copies of the struct that contains it.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// A core is the state of a greenlet.
// Unless it says otherwise, a field belongs to the running goroutine of the family.
type core struct {
	id    uint64
	fam   *Family
	state atomic.Uint32 // a state; any goroutine may read it
	// isRoot never changes.
	isRoot bool
	// watched: the collector will tell the family when the handle becomes unreachable, or the
	// family needn't know.
	watched bool
	// held: the greenlet is part of a held.
	held bool
	// known: code outside the scheduler has got the handle and may keep it, or use it as a parent.
	known bool

	more   *extra    // what few greenlets have, or nil; fixed after New
	parent *Greenlet // nil for a root
	run    func(arg any) (any, error)

	// slot is where the greenlet's goroutine is parked. It means nothing unless the greenlet is
	// suspended.
	slot *slot
	goid uint64 // the number of that goroutine

	// self is the handle of a greenlet that is watched by the collector.
	self weak.Pointer[Greenlet]
}

// extra holds what a greenlet has only on request.
type extra struct {
	name     string
	created  uintptr // the program counter of the call of New, if recorded
	profiled bool
}

func (c *core) extra() *extra {
	if c.more == nil {
		c.more = new(extra)
	}
	return c.more
}

type state uint32

// The life of a greenlet. Suspended and running aren't states of their own: of a family's active
// greenlets one runs, and that is Family.current.
const (
	unstarted state = iota
	active
	dead
)

func (c *core) is(s state) bool { return state(c.state.Load()) == s }
func (c *core) become(s state)  { c.state.Store(uint32(s)) }

var lastID atomic.Uint64

// An Option configures a greenlet that [New] makes.
type Option func(*core)

// Name names the greenlet. Errors and dumps show the name.
func Name(name string) Option { return func(c *core) { c.extra().name = name } }

// Parent sets the greenlet's first parent, and thereby its family. Without this option, or if p is
// nil, the parent is the current greenlet.
func Parent(p *Greenlet) Option {
	return func(c *core) {
		if p != nil {
			c.parent, c.fam = p, p.fam
		}
	}
}

// New returns a greenlet that calls run when it is first switched to, with that Switch's argument.
// New doesn't start the greenlet. The greenlet's parent, which gets what run returns, is the
// current greenlet unless [Parent] says otherwise. New panics if run is nil.
//
// The first use of greenlets in a goroutine makes that goroutine the root of a new [Family]. New is
// the counterpart of Python's greenlet.greenlet().
func New(run func(arg any) (any, error), opts ...Option) *Greenlet {
	if run == nil {
		panic("greenlet: New called with a nil function")
	}
	g := &Greenlet{core: &core{id: lastID.Add(1), run: run}}
	for _, o := range opts {
		o(g.core)
	}
	if g.fam == nil {
		g.parent = Current()
		g.fam = g.parent.fam
	}
	if recordCreation.Load() {
		g.extra().created = callerOfNew()
	}
	return g
}

// Current returns the greenlet that the calling goroutine runs. It never returns nil: in a
// goroutine that has no greenlets yet, it makes a new family and returns its root. Any goroutine
// may call it.
func Current() *Greenlet {
	if o := owners.find(quickGoid()); o != nil && o.fam != nil && !o.fam.attention.Load() {
		g := o.fam.current
		g.known = true
		return g
	}
	return currentSlowly()
}

func currentSlowly() *Greenlet {
	id := goid()
	if o := owners.find(id); o != nil {
		if f := o.family(); f != nil {
			if m, ok := f.killUnreachable(); !ok {
				m.openHere(f)
			}
			f.current.known = true
			return f.current
		}
	}
	return newFamily(id).current
}

// Lookup is like [Current], but returns nil where Current would make a family. Current also marks
// the greenlet as known to other code, so that no scheduler reuses it, and Lookup doesn't: its
// result may stand for another job later, see [Scheduler.Reusable]. Any goroutine may call it.
func Lookup() *Greenlet {
	if o := owners.find(goid()); o != nil {
		if f := o.family(); f != nil {
			return f.current
		}
	}
	return nil
}

// Switch suspends the current greenlet and runs g, which may be any greenlet of the family. It
// returns when another greenlet gives control back, with what that greenlet sent: the argument of a
// Switch, the error of a Throw, or the result of a child's function. It is the counterpart of
// Python's greenlet.switch.
//
//   - If g hasn't started, its function is called with arg.
//   - If g is suspended, its pending Switch returns (arg, nil).
//   - If g is the current greenlet, Switch returns (arg, nil) at once.
//   - If g is dead, its nearest living ancestor gets arg.
//
// When g's function returns (v, nil), the pending Switch of g's parent at that time returns (v,
// nil). When it returns (_, err), the parent's Switch returns (nil, err), or (err, nil) if err is
// or wraps [ErrExit]. A panic is raised again in the parent as a [*PanicError], and a
// runtime.Goexit continues in the parent.
//
// Switch must be called from the family. If it can't switch at all, it returns a [FamilyError],
// [ErrClosed] or [ErrThreadLock].
func (g *Greenlet) Switch(arg any) (any, error) {
	f := g.fam
	if f.running.Load() != ticket() || f.current.core == g.core || f.attention.Load() {
		return g.switchSlowly(arg)
	}
	if !g.is(active) {
		if g.is(dead) || f.closed.Load() {
			return g.switchSlowly(arg)
		}
		f.start(g)
	}
	// What follows repeats exchange and arrive for the ordinary case, in one small frame. The
	// processor mispredicts each return that follows a switch, so each frame between here and the
	// switch costs time. And a suspended greenlet has to fit into the smallest stack.
	me := f.current.core
	if !me.watched {
		f.watchLater()
	}
	s := g.slot
	me.slot = s
	f.msg.value = arg
	f.current = g
	f.switches++
	if s.inNext {
		s.inNext = false
		s.yield(struct{}{})
	} else {
		s.inNext = true
		s.next()
	}
	if f.current.core != me || f.special {
		return f.arriveSlowly(me)
	}
	arg = f.msg.value
	f.msg.value = nil
	f.running.Store(me.goid)
	return arg, nil
}

// switchSlowly is Switch for all cases that aren't ordinary.
func (g *Greenlet) switchSlowly(arg any) (any, error) {
	f := g.fam
	if f.running.Load() != goid() {
		return nil, f.refuse("switch to", g.String())
	}
	if m, ok := f.killUnreachable(); !ok {
		return m.open(f.current)
	}
	return f.send(g, message{value: arg})
}

// Throw is like [Greenlet.Switch], but g's pending Switch returns (nil, err). A nil err means
// [ErrExit]. It is the counterpart of Python's greenlet.throw.
//
// If g hasn't started, it dies without running, and its parent gets the error. If g is the current
// greenlet, Throw returns (nil, err). If g is dead, its nearest living ancestor gets the error. An
// ErrExit that passes through a dead greenlet arrives as a value.
func (g *Greenlet) Throw(err error) (any, error) {
	f := g.fam
	if f.running.Load() != goid() {
		return nil, f.refuse("throw into", g.String())
	}
	if m, ok := f.killUnreachable(); !ok {
		return m.open(f.current)
	}
	if err == nil {
		err = ErrExit
	}
	m := message{err: err}
	if g.is(dead) {
		m.exit()
	}
	return f.send(g, m)
}

// Kill ends g by unwinding its stack, so that its deferred functions run. Unlike the error of a
// Throw, g's function can't ignore it. Control then returns to Kill's caller, whatever g's parent
// is. A value that g returns is lost. Kill returns an error that g ends with, and raises a panic
// that g ends with. A deferred function that recovers can still make g return ordinarily, or switch
// elsewhere. In the second case g lives on, and Kill returns [ErrSurvived] when control comes back.
// If g ends before that, its end still gives control to Kill's caller.
//
// Several greenlets can kill g at once, if another one calls Kill while g is suspended in a
// deferred function. When g ends, control goes to the last caller. Before its Kill returns, the
// Kills of the other callers return, one after another. Each of these callers runs until its
// function returns a value, which is lost, or until it switches back. Ancestors of the last caller
// are left out, because they get control when it ends.
//
// Killing a greenlet that hasn't started keeps it from ever running. Killing a dead greenlet does
// nothing. Killing the current greenlet unwinds it at once, so Kill doesn't return. For a root Kill
// returns [ErrRoot]. Kill must be called from the family.
func (g *Greenlet) Kill() error {
	f := g.fam
	if f.running.Load() != goid() {
		return f.refuse("kill", g.String())
	}
	if g.isRoot {
		return fmt.Errorf("%w: kill %s", ErrRoot, g)
	}
	if g.core == f.current.core {
		panic(killed)
	}
	return f.kill(g)
}

// Parent returns the greenlet that gets what g's function returns, or nil for a root. It must be
// called from the family.
func (g *Greenlet) Parent() *Greenlet { return g.parent }

// SetParent makes p the parent of g, whatever state g is in. It returns [ErrRoot] if g is a root,
// [ErrCycle] if g is p or an ancestor of p, and a [FamilyError] if p belongs to another family. It
// must be called from the family.
func (g *Greenlet) SetParent(p *Greenlet) error {
	f := g.fam
	if f.running.Load() != goid() {
		return f.refuse("set the parent of", g.String())
	}
	switch {
	case g.isRoot:
		return fmt.Errorf("%w: set the parent of %s", ErrRoot, g)
	case p == nil:
		return fmt.Errorf("greenlet: cannot set the parent of %s to nil: only a root has no parent", g)
	case p.fam != f:
		return &FamilyError{Op: "set the parent of " + g.String() + " to", Greenlet: p.String(), Family: p.fam.String(), Caller: f.String()}
	}
	for a := p; a != nil; a = a.parent {
		if a.core == g.core {
			return fmt.Errorf("%w: %s is %s or one of its ancestors", ErrCycle, g, p)
		}
	}
	g.parent = p
	f.running.Store(f.current.goid)
	return nil
}

// Dead reports whether g has ended.
func (g *Greenlet) Dead() bool { return g.is(dead) }

// Started reports whether g has been switched to or thrown into, even if it has ended since.
func (g *Greenlet) Started() bool { return !g.is(unstarted) }

// ID returns the greenlet's number. No other greenlet of the program has or gets it. Any goroutine
// may call it.
func (g *Greenlet) ID() uint64 { return g.id }

// Active reports whether g has started and not ended, so that it runs or is suspended.
func (g *Greenlet) Active() bool { return g.is(active) }

// Family returns the family that g belongs to.
func (g *Greenlet) Family() *Family { return g.fam }

// String names g for errors and dumps: "greenlet 7 (producer)".
func (c *core) String() string {
	switch {
	case c.isRoot:
		return fmt.Sprintf("root greenlet %d", c.id)
	case c.more != nil && c.more.name != "":
		return fmt.Sprintf("greenlet %d (%s)", c.id, c.more.name)
	}
	return fmt.Sprintf("greenlet %d", c.id)
}

// A message travels with a switch and says what the receiver's Switch does.
type message struct {
	kind  messageKind
	value any
	err   error
}

type messageKind uint8

const (
	result   messageKind = iota // Switch returns value and err
	kill                        // Switch panics with killed
	panicked                    // Switch panics with err, a *PanicError
	goexit                      // Switch calls runtime.Goexit
)

// killed unwinds the stack of a greenlet that is being killed.
var killed = new(unwinding)

type unwinding struct{ _ byte } // not empty, so that its address is its own

func (*unwinding) Error() string {
	return "greenlet: this greenlet is being killed: let the panic pass"
}

// IsKill reports whether a recovered value is the panic by which [Greenlet.Kill] unwinds a
// greenlet. Code that recovers from every panic should raise this one again.
func IsKill(recovered any) bool { return recovered == killed }

// carriesValue reports whether the message starts an unstarted greenlet. All others kill it.
func (m message) carriesValue() bool { return m.kind == result && m.err == nil }

// exit turns an ErrExit into a value.
func (m *message) exit() {
	if m.kind == result && m.err != nil && errors.Is(m.err, ErrExit) {
		m.value, m.err = m.err, nil
	}
}

// open does what the message says in the greenlet that received it, which is the current greenlet.
func (m message) open(current *Greenlet) (any, error) {
	switch m.kind {
	case kill:
		panic(killed)
	case panicked:
		panic(m.err.(*PanicError).arrivesIn(current))
	case goexit:
		runtime.Goexit()
	}
	return m.value, m.err
}

// whileClosing returns an error for a panic or a Goexit that can't continue anywhere.
func (m message) whileClosing(f *Family) error {
	if m.kind == goexit {
		return fmt.Errorf("greenlet: while closing %s: a greenlet called runtime.Goexit", f)
	}
	return fmt.Errorf("greenlet: while closing %s: %w", f, m.err)
}

// openHere is open where no Switch could return an error.
func (m message) openHere(f *Family) {
	if _, err := m.open(f.current); err != nil {
		report(fmt.Errorf("greenlet: an error arrived in %s while it was in Current or New, which can't return it: %w", f.current, err))
	}
}
