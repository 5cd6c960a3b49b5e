package greenlet

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// A PanicError carries a panic from the greenlet in which it happened to that greenlet's parent,
// which panics with it. If the original value is an error, errors.Is and errors.As find it.
//
// A PanicError never changes, so it can be kept and raised again, even in several families at once.
// Each further parent gets a copy.
type PanicError struct {
	Value    any    // the value that the greenlet panicked with
	Stack    []byte // the greenlet's stack at that moment, in the form of debug.Stack
	Greenlet string // the greenlet that panicked
	// Parents lists the parents that the panic passed through, each with the stack of its pending
	// Switch. The first is the greenlet's parent. If the PanicError was kept and raised again in a
	// greenlet that it hadn't reached, the list begins there.
	Parents []Traceback

	at uint64 // the greenlet that it reached last, or 0
}

// A Traceback is the stack of a greenlet that a panic passed through while it waited in a Switch.
type Traceback struct {
	Greenlet string
	Stack    []byte // in the form of [Greenlet.Stack]
	// Again says that the greenlet didn't wait in a Switch, but raised a kept panic again.
	Again bool
}

// Error has the panic's value and its stack.
func (e *PanicError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "panic in %s: %v\n\n%s", e.Greenlet, e.Value, e.Stack)
	for _, p := range e.Parents {
		if p.Again {
			fmt.Fprintf(&b, "\nraised again in %s\n%s", p.Greenlet, p.Stack)
			continue
		}
		fmt.Fprintf(&b, "\npassed on to its parent, %s, which waited in\n%s", p.Greenlet, p.Stack)
	}
	return b.String()
}

// Unwrap returns the original value if it is an error, or else nil.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// carry wraps a panic of the greenlet for its way to the parents. A panic that is already on its
// way stays as it is.
func carry(c *core, value any) *PanicError {
	p, ok := value.(*PanicError)
	switch {
	case !ok:
		return &PanicError{Value: value, Stack: debug.Stack(), Greenlet: c.String()}
	case p.at == c.id || p.at == 0:
		return p
	}
	again := *p
	again.Parents = []Traceback{{Greenlet: c.String(), Stack: ownFrames(debug.Stack()), Again: true}}
	return &again
}

// arrivesIn returns a copy that records that the panic has reached g, the calling greenlet.
func (e *PanicError) arrivesIn(g *Greenlet) *PanicError {
	here := *e
	here.Parents = append(slices.Clip(e.Parents), Traceback{Greenlet: g.String(), Stack: ownFrames(debug.Stack())})
	here.at = g.id
	return &here
}
