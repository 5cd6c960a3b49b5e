package greenlet

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
)

// A PanicError carries a panic from the greenlet in which it happened into the greenlet's parent,
// where panic(*PanicError) is raised. If the original value is an error, errors.As and errors.Is
// see through to it.
//
// A PanicError never changes, so it can be kept, and raised again, also in several families at
// once. What the next parent gets is a copy.
type PanicError struct {
	Value    any    // what the greenlet panicked with
	Stack    []byte // the stack of the greenlet at that moment, as debug.Stack gives it
	Greenlet string // which one it was
	// Parents tells how it came there, through which parents the panic has passed: each with the
	// calls in which its pending Switch was. The first one is the greenlet's parent. If the
	// PanicError was kept and raised again in a greenlet to which it hasn't come, the way begins
	// there.
	Parents []Traceback

	at uint64 // the greenlet in which it has arrived last, or 0
}

// A Traceback is the stack of a greenlet that waited in a Switch.
type Traceback struct {
	Greenlet string
	Stack    []byte // as [Greenlet.Stack] gives it
	// Again says that the greenlet didn't wait, but raised a panic again that had been kept.
	Again bool
}

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

// Unwrap returns the original value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// carry wraps a panic of the greenlet for its way to the parents. One that is on its way already
// stays as it is.
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

// arrivesIn notes that the panic goes on in g, the calling greenlet.
func (e *PanicError) arrivesIn(g *Greenlet) *PanicError {
	here := *e
	here.Parents = append(slices.Clip(e.Parents), Traceback{Greenlet: g.String(), Stack: ownFrames(debug.Stack())})
	here.at = g.id
	return &here
}
