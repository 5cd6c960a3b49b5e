package greenlet

import (
	"fmt"
	"runtime/debug"
	"strings"
)

// A PanicError carries a panic from the greenlet in which it happened into the greenlet's parent,
// where panic(*PanicError) is raised. If the original value is an error, errors.As and errors.Is see through to it.
type PanicError struct {
	Value    any    // what the greenlet panicked with
	Stack    []byte // the stack of the greenlet at that moment, as debug.Stack gives it
	Greenlet string // which one it was
	// Parents tells how it came there, through which parents the panic has passed:
	// each with the calls in which its pending Switch was. The first one is the greenlet's parent.
	Parents []Traceback
}

// A Traceback is the stack of a greenlet that waited in a Switch.
type Traceback struct {
	Greenlet string
	Stack    []byte // as [Greenlet.Stack] gives it
}

func (e *PanicError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "panic in %s: %v\n\n%s", e.Greenlet, e.Value, e.Stack)
	for _, p := range e.Parents {
		fmt.Fprintf(&b, "\npassed on to its parent, %s, which waited in\n%s", p.Greenlet, p.Stack)
	}
	return b.String()
}

// Unwrap returns the original value if it is an error.
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// carry wraps a panic for its way to the parents. One that is on its way already stays as it is.
func carry(c *core, value any) *PanicError {
	if p, ok := value.(*PanicError); ok {
		return p
	}
	return &PanicError{Value: value, Stack: debug.Stack(), Greenlet: c.String()}
}

// arrivesIn notes that the panic goes on in g, the calling greenlet.
func (e *PanicError) arrivesIn(g *Greenlet) *PanicError {
	e.Parents = append(e.Parents, Traceback{g.String(), ownFrames(debug.Stack())})
	return e
}
