package coop

import (
	"strconv"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// An Option is an option of the functions that make tools.
type Option func(*identity)

// Named gives a tool a name, which the dump of a deadlock shows.
func Named(name string) Option { return func(i *identity) { i.name = name } }

// Unbound makes a tool that doesn't belong to the loop in which it is made, as if it had been made
// outside: for tools that other goroutines or loops release, set, or fill. A wait for it isn't part
// of any deadlock.
func Unbound() Option { return func(i *identity) { i.home = nil } }

// An identity is what a tool is, apart from what it does. It doesn't change once the tool is in
// use.
type identity struct {
	home *loop.Loop // the one in which alone the tool is used; nil if that may be anywhere
	name string
}

func newIdentity(opts []Option) identity {
	i := identity{home: repaint.CurrentLoop()}
	for _, o := range opts {
		o(&i)
	}
	return i
}

// describe completes what a dump says of a wait for the tool.
func (i *identity) describe(what string) string {
	if i.name == "" {
		return what
	}
	return what + " named " + strconv.Quote(i.name)
}
