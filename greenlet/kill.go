package greenlet

import "fmt"

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
