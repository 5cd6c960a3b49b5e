package greenlet

import (
	"fmt"
	"slices"
)

// kill unwinds g and comes back here. It returns the error that g ended with, or panics as g did.
func (f *Family) kill(g *Greenlet) error {
	_, err := f.killing(g).open(f.current)
	return err
}

func (f *Family) killing(g *Greenlet) message {
	if !g.is(active) {
		g.run = nil
		g.become(dead)
		return message{}
	}
	f.kills = append(f.kills, underway{g.core, f.current})
	m := f.exchange(g, message{kind: kill})
	f.kills = slices.DeleteFunc(f.kills, func(u underway) bool { return u.victim == g.core })
	if m.kind == result && m.err == nil && !g.is(dead) {
		m.err = fmt.Errorf("%w: %s", ErrSurvived, g)
	}
	return m
}

// An underway kill makes its victim's end go to the killer instead of the parent. It isn't the parent for that time,
// because the killer may be a descendant of the victim, and the tree would have a cycle.
type underway struct {
	victim *core
	killer *Greenlet
}

// heir returns who gets what an ended greenlet leaves: its parent, or whoever is killing it.
func (f *Family) heir(c *core) *Greenlet {
	for _, u := range slices.Backward(f.kills) { // the last one, if it is killed again while it is unwound
		if u.victim == c {
			return u.killer
		}
	}
	return c.parent
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
