package greenlet

import (
	"fmt"
	"slices"
)

// kill unwinds g. It returns the error that g ended with, or panics as g did.
func (f *Family) kill(g *Greenlet) error {
	m, how := f.killing(g)
	if how == elsewhere && m.carriesValue() && !g.is(dead) {
		return survived(g.core)
	}
	_, err := m.open(f.current)
	return err
}

func survived(c *core) error { return fmt.Errorf("%w: %s", ErrSurvived, c) }

// An ending says how a kill turned out.
type ending uint8

const (
	// refused: no switch has taken place, and the message says why.
	refused ending = iota
	// ended: the message is what the victim ended with.
	ended
	// elsewhere: the message isn't from the victim's end, which is still to come or went to
	// another killer.
	elsewhere
)

// killing unwinds g. It returns the message with which control comes back to the current greenlet.
func (f *Family) killing(g *Greenlet) (message, ending) {
	if !g.is(active) {
		g.run = nil
		g.become(dead)
		return message{}, ended
	}
	if err := f.obstacle(g); err != nil {
		return message{err: err}, refused
	}
	m, arrived := f.await(g, false, message{kind: kill})
	if !arrived {
		return m, elsewhere
	}
	if other, ok := f.resumeKillers(g.core); !ok {
		if m.err != nil {
			report(fmt.Errorf("greenlet: while killing %s: %w", g, m.err))
		}
		return other, elsewhere
	}
	return m, ended
}

// killQuietly kills a greenlet that no caller asked to kill. It returns whatever the greenlet ended
// with as an error. If ok is false, m isn't from the kill and the caller must open it.
func (f *Family) killQuietly(c *core) (m message, ok bool, err error) {
	m, how := f.killing(c.handle())
	switch {
	case how == elsewhere && !m.carriesValue():
		return m, false, nil
	case how == elsewhere && !c.is(dead):
		return message{}, true, survived(c)
	case m.kind == goexit:
		return message{}, true, fmt.Errorf("%s called runtime.Goexit while it was being killed", c)
	}
	return message{}, true, m.err
}

// An underway entry makes the victim's end give control to the killer instead of the victim's
// parent. The killer doesn't become the parent meanwhile: it may be a descendant of the victim, and
// the tree would have a cycle.
type underway struct {
	victim *core
	killer *Greenlet
	// loan: the victim isn't being killed, see resumeKillers. Only a value that it returns goes to
	// the killer.
	loan    bool
	arrived bool // the victim's end has given control back to the killer
	stuck   bool // the killer can't be resumed in the present state of thread locking
}

// await sends a message to the victim, whose end will give control back to the current greenlet. It
// returns the message with which control comes back, and reports whether that came from the
// victim's end.
func (f *Family) await(victim *Greenlet, loan bool, m message) (back message, arrived bool) {
	me := f.current
	f.kills = append(f.kills, underway{victim: victim.core, killer: me, loan: loan})
	back = f.exchange(victim, m)
	for i, u := range slices.Backward(f.kills) {
		if u.victim == victim.core && u.killer.core == me.core {
			f.kills = slices.Delete(f.kills, i, i+1)
			return back, u.arrived
		}
	}
	panic("greenlet: the entry of a kill is missing")
}

// heir returns the greenlet that gets the result of an ended one: the last one that awaits its end,
// with the entry that says so, or the parent.
func (f *Family) heir(c *core) (*Greenlet, *underway) {
	for i := len(f.kills) - 1; i >= 0; i-- {
		if u := &f.kills[i]; u.victim == c && (!u.loan || f.msg.carriesValue()) {
			return u.killer, u
		}
	}
	return c.parent, nil
}

// resumeKillers resumes the other greenlets that await the victim's end. The last one that awaited
// it makes the call, after the victim has ended. It lends control to the others, one after another.
// A loan ends when the borrower returns a value, or when something else gives control back. A
// borrower's error, panic or Goexit goes to its parent as usual. An ancestor isn't lent control,
// because it gets control when its descendants end.
//
// If ok is false, m has arrived from elsewhere and the current greenlet must open it.
func (f *Family) resumeKillers(victim *core) (m message, ok bool) {
	for {
		u := f.otherKiller(victim)
		if u == nil {
			return message{}, true
		}
		other := u.killer
		if err := f.obstacle(other); err != nil {
			u.stuck = true
			report(fmt.Errorf("greenlet: %s has ended, but %s, which was killing it, can't go on: %w", victim, other, err))
			continue
		}
		m, arrived := f.await(other, true, message{})
		if !m.carriesValue() {
			return m, false
		}
		if arrived {
			if m, ok = f.resumeKillers(other.core); !ok {
				return m, false
			}
		}
	}
}

// otherKiller returns the first entry whose killer awaits the victim's end and can be lent control.
func (f *Family) otherKiller(victim *core) *underway {
	if f.closed.Load() {
		return nil // all will be killed
	}
	for i := range f.kills {
		if u := &f.kills[i]; u.victim == victim && !u.stuck && !f.descendsFrom(u.killer.core) {
			return u
		}
	}
	return nil
}

// descendsFrom reports whether a is the current greenlet or one of its ancestors.
func (f *Family) descendsFrom(a *core) bool {
	for g := f.current; g != nil; g = g.parent {
		if g.core == a {
			return true
		}
	}
	return false
}
