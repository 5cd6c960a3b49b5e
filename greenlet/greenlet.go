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
// All methods may be called from any goroutine unless they say otherwise. Those that say
// "from the family" return a [FamilyError] elsewhere: see [Family].
//
// A suspended greenlet that nothing refers to any more is killed: its deferred functions run
// and its goroutine ends. A local variable of its own function doesn't keep a Greenlet from that;
// a variable that is still used when the function is resumed does.
//
// A Greenlet must not be copied, and vet reports it: a copy is another Greenlet for all
// comparisons, and doesn't keep the greenlet from being killed while it is suspended.
type Greenlet struct {
	_ noCopy
	// The user's handle is apart from the greenlet's state, because the greenlet's own stack refers
	// to the state: only so can the handle become unreachable while the greenlet is suspended.
	*core
}

// noCopy makes vet report copies of what contains it.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// A core is the state of a greenlet.
// Unless it says otherwise, a field belongs to the running goroutine of the family.
type core struct {
	id    uint64
	fam   *Family
	state atomic.Uint32 // a state; may be read by all
	// isRoot never changes.
	isRoot bool
	// watched says that the collector will tell when the handle becomes unreachable,
	// or that nobody needs to be told.
	watched bool
	// held says that the greenlet is part of a held.
	held bool
	// known says that a handle has been given to somebody who may keep it, or use it as a parent.
	known bool

	more   *extra    // what few greenlets have, or nil; doesn't change after New
	parent *Greenlet // nil for a root
	run    func(arg any) (any, error)

	// slot is where the greenlet's goroutine is parked. It means nothing unless the greenlet is
	// suspended.
	slot *slot
	goid uint64 // the number of that goroutine

	// self is the handle of a greenlet that is watched by the collector.
	self weak.Pointer[Greenlet]
}

// extra is what greenlets are given on request.
type extra struct {
	name     string
	created  uintptr // where New was called, a program counter, if that is recorded
	profiled bool
}

func (c *core) extra() *extra {
	if c.more == nil {
		c.more = new(extra)
	}
	return c.more
}

type state uint32

// The life of a greenlet. Being suspended or running isn't a state of its own:
// of a family's active greenlets one runs, and that is family.current.
const (
	unstarted state = iota
	active
	dead
)

func (c *core) is(s state) bool { return state(c.state.Load()) == s }
func (c *core) become(s state)  { c.state.Store(uint32(s)) }

var lastID atomic.Uint64

// An Option of [New].
type Option func(*core)

// Name gives the greenlet a name, which errors and dumps show.
func Name(name string) Option { return func(c *core) { c.extra().name = name } }

// Parent sets the parent that the greenlet starts out with, and with it the greenlet's family.
// Without it that's the current greenlet.
func Parent(p *Greenlet) Option {
	return func(c *core) {
		if p != nil {
			c.parent, c.fam = p, p.fam
		}
	}
}

// New returns a greenlet that will run the function when it is first switched to,
// with that Switch's argument. It doesn't start it.
// Its parent is the current greenlet unless [Parent] says otherwise:
// the greenlet that gets what the function returns.
//
// The first use of greenlets in a goroutine makes that goroutine the root of a new [Family].
func New(run func(arg any) (any, error), opts ...Option) *Greenlet {
	if run == nil {
		panic("greenlet: New needs a function")
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

// NewHeld is [New] for schedulers, which keep track of their greenlets themselves: the greenlet
// isn't killed when it is suspended and unreachable. That makes it cheaper to create, and to
// suspend for the first time. The parent must not be nil.
func NewHeld(run func(arg any) (any, error), parent *Greenlet) *Greenlet {
	h := new(held)
	h.core.id, h.core.run = lastID.Add(1), run
	h.core.parent, h.core.fam = parent, parent.fam
	h.core.watched, h.core.held = true, true
	h.Greenlet.core = &h.core
	if recordCreation.Load() {
		h.core.extra().created = callerOfNew()
	}
	return &h.Greenlet
}

// A held is one piece of memory, as nobody needs to know when the handle alone has become
// unreachable.
type held struct {
	Greenlet
	core
}

// Current returns the greenlet that the calling goroutine is running, which is never nil:
// in a goroutine that hasn't to do with greenlets yet it's the root of a new family.
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

// Reusable reports whether only the scheduler that made g with [NewHeld] can know it: nobody has
// asked for it by [Current], made a greenlet in it, or traced the family. Then the scheduler can
// have g's function run another job instead of ending, and nobody will take the new one for the
// old: see [Legacy] for what else belongs to that. It must be called by g.
func (g *Greenlet) Reusable() bool { return !g.known && !g.fam.attention.Load() && canForget() }

// Lookup is like [Current], but returns nil where Current would make a family. It is for
// schedulers: with what it returns others must not be able to reach the greenlet, see
// [Greenlet.Reusable].
func Lookup() *Greenlet {
	if o := owners.find(goid()); o != nil {
		if f := o.family(); f != nil {
			return f.current
		}
	}
	return nil
}

// Switch suspends the current greenlet and runs g, which may be any greenlet of the family.
// It returns when somebody switches back to the suspended one, with what was given to it:
// the argument of that Switch, the error of a Throw, or what a child's function returned.
//
//   - If g hasn't started, its function is called with arg.
//   - If g is suspended, its pending Switch returns (arg, nil).
//   - If g is the current greenlet, Switch returns (arg, nil) at once.
//   - If g is dead, its nearest ancestor that isn't gets arg.
//
// When g's function ends with (v, nil), then v goes to the parent that g has at that time;
// with (_, err), the parent's pending Switch returns (nil, err); with [ErrExit], or what wraps it,
// it returns (err, nil). A panic is raised again in the parent as a [*PanicError], and
// a runtime.Goexit goes on in the parent.
//
// Switch must be called from the family. Errors of its own are a [FamilyError] and [ErrClosed];
// no switch has happened then.
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
	// What follows is exchange and arrive once more, for the ordinary case, in one small frame.
	// The processor mispredicts each return that follows a switch, so each frame between here
	// and the switch costs time; and a suspended greenlet has to fit into the smallest stack.
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

// switchSlowly is Switch for all that isn't ordinary.
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

// Throw is like [Greenlet.Switch], but g's pending Switch returns (nil, err).
// A nil err stands for [ErrExit].
//
// A g that hasn't started dies without running, and its parent gets the error. If g is the current
// greenlet, Throw returns (nil, err). If g is dead, its nearest ancestor that isn't gets the error,
// or, if it is ErrExit, gets it as a value.
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

// Kill ends g by unwinding its stack, so that its deferred functions run: unlike the error of a
// Throw, which g's function could overlook, it can't be ignored. Then Kill returns, whatever g's
// parent is. A deferred function that recovers can still make g return ordinarily, or switch
// elsewhere: in the second case g lives on, and Kill returns [ErrSurvived] once control comes back.
// What g returned, as a value, is lost; an error or a panic that g ended with arrives here. If g
// ends before control comes back by other ways, its end still gives control to the Kill.
//
// Several greenlets may be killing the same one: another kills g while g is suspended in a deferred
// function. The end of g goes to the last of them. Before its Kill returns, the Kills of the others
// return, one after the other: each goes on until it returns a value, which is lost, or switches
// back. Ancestors of the last one are left out, because they get control when it has ended.
//
// Killing a greenlet that hasn't started keeps it from ever running. Killing a dead one does
// nothing. Killing the current greenlet unwinds it on the spot, so that Kill doesn't return. A root
// can't be killed: that is [ErrRoot]. Kill must be called from the family.
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

// Parent returns the greenlet that gets what g's function returns, nil for a root.
// It must be called from the family.
func (g *Greenlet) Parent() *Greenlet { return g.parent }

// SetParent makes p the parent of g, in whatever state g is. It must be called from the family.
// Errors are [ErrRoot] if g is a root, [ErrCycle] if g is p or an ancestor of p, and a
// [FamilyError] if p is of another family.
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

// Started reports whether g has been switched to (or thrown into), also if it has ended since.
func (g *Greenlet) Started() bool { return !g.is(unstarted) }

// Active reports whether g has started and not ended: it runs or is suspended.
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

// A message is what travels with a switch, to be turned into what the receiver's Switch does.
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

type unwinding struct{ _ byte } // not empty: the address must be its own

func (*unwinding) Error() string {
	return "greenlet: this greenlet is being killed: let the panic pass"
}

// IsKill reports whether a recovered value is the panic that unwinds a greenlet which is being
// killed. Code that recovers from everything should raise such a value again.
func IsKill(recovered any) bool { return recovered == killed }

// carriesValue says that the message doesn't kill an unstarted greenlet but starts it.
func (m message) carriesValue() bool { return m.kind == result && m.err == nil }

// exit turns the end by ErrExit into a value.
func (m *message) exit() {
	if m.kind == result && m.err != nil && errors.Is(m.err, ErrExit) {
		m.value, m.err = m.err, nil
	}
}

// open does what the message says in the greenlet that received it, which is the current one.
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

// whileClosing tells of a panic or a Goexit that can't go on anywhere.
func (m message) whileClosing(f *Family) error {
	if m.kind == goexit {
		return fmt.Errorf("greenlet: while closing %s: a greenlet called runtime.Goexit", f)
	}
	return fmt.Errorf("greenlet: while closing %s: %w", f, m.err)
}

// openHere is open where there is no Switch that could return an error.
func (m message) openHere(f *Family) {
	if _, err := m.open(f.current); err != nil {
		report(fmt.Errorf("greenlet: an error arrived in %s while it was in Current or New, which can't return it: %w", f.current, err))
	}
}
