package coop

import (
	"strconv"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// An Option configures a tool that one of the New functions makes.
type Option func(*identity)

// Named gives a tool a name. The dump of a deadlock shows it.
func Named(name string) Option { return func(i *identity) { i.name = name } }

// Unbound makes a tool that doesn't belong to the loop in which it is made, as if it had been made
// outside. It is for tools that other goroutines or loops release, set or fill. A wait for such a
// tool isn't part of any deadlock.
func Unbound() Option { return func(i *identity) { i.home = nil } }

// An identity is a tool's name and home. It doesn't change once the tool is in use.
type identity struct {
	home *loop.Loop // the loop that alone serves the tool; nil if every goroutine may
	name string
}

func newIdentity(opts []Option) identity {
	i := identity{home: repaint.CurrentLoop()}
	for _, o := range opts {
		o(&i)
	}
	return i
}

// describe completes the text that a dump shows for a wait for the tool.
func (i *identity) describe(what string) string {
	if i.name == "" {
		return what
	}
	return what + " named " + strconv.Quote(i.name)
}
