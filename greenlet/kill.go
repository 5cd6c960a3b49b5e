package greenlet

import (
	"fmt"
	"slices"
)

// kill unwinds g and comes back here. It returns the error that g ended with, or panics as g did.
func (f *Family) kill(g *Greenlet) error {
	m, how := f.killing(g)
	if how == elsewhere && m.carriesValue() && !g.is(dead) {
		return survived(g.core)
	}
	_, err := m.open(f.current)
	return err
}

func survived(c *core) error { return fmt.Errorf("%w: %s", ErrSurvived, c) }

// An ending says what became of a kill.
type ending uint8

const (
	refused   ending = iota // no switch has taken place, and the message says why
	ended                   // the message is what the victim ended with
	elsewhere               // the message is not from the victim's end, which may lie ahead or have gone to another killer
)

// killing unwinds g, and returns the message with which control comes back to the current greenlet.
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

// killQuietly kills a greenlet at nobody's request: it returns what the greenlet ended with as an
// error, whatever it was. If ok is false then something has arrived that isn't from the kill. The
// caller must open that message.
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

// An underway entry makes the end of the victim give control to the killer instead of the victim's
// parent. The killer doesn't become the parent for that time, because it may be a descendant of the
// victim, and the tree would have a cycle.
type underway struct {
	victim *core
	killer *Greenlet
	// loan: the victim isn't being killed, see resumeKillers. Only a value that it returns goes to
	// the killer.
	loan    bool
	arrived bool // the victim has ended, and that is what gave control back to the killer
	stuck   bool // the killer can't be resumed in the present state of thread locking
}

// await sends a message to the victim, and has the victim's end give control back to the current
// greenlet. It returns the message with which control comes back, and whether that is from the
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

// heir returns who gets what an ended greenlet leaves: the last one that awaits its end, with the
// entry that says so, or the parent.
func (f *Family) heir(c *core) (*Greenlet, *underway) {
	for i := len(f.kills) - 1; i >= 0; i-- {
		if u := &f.kills[i]; u.victim == c && (!u.loan || f.msg.carriesValue()) {
			return u.killer, u
		}
	}
	return c.parent, nil
}

// resumeKillers is called by the last one that awaited the victim's end, which has come. It resumes
// the others. As there is only one control, it lends it to them, one after the other: a loan ends
// when the borrower returns a value, or when something else gives control back. The error, panic or
// Goexit of a borrower goes to its parent, as ever. An ancestor isn't lent control, because it gets
// it when its descendants have ended.
//
// If ok is false then something has arrived that the current greenlet must attend to.
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

// otherKiller returns the first entry of one that awaits the victim's end and can be lent control.
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
