package pg

import (
	"errors"

	"github.com/seed1239206e/repaint/loop"
)

// A callbackError says that a function of the application panicked, or called runtime.Goexit, where
// the driver had called it. errors.As finds the *loop.PanicError, with its stack.
type callbackError struct {
	name   string
	err    error // a *loop.PanicError, or loop.ErrGoexit
	server error // what the server says of the statement meanwhile; nil if it was executed
}

func (e *callbackError) Error() string {
	text := e.name + ": " + e.err.Error()
	if e.server != nil {
		text = e.server.Error() + "; and " + text
	}
	return text
}

func (e *callbackError) Unwrap() []error {
	if e.server != nil {
		return []error{e.server, e.err}
	}
	return []error{e.err}
}

// errUnwound is what a tracer is told of a call that didn't return.
var errUnwound = errors.New("pg: the call was left by a panic, by runtime.Goexit, or because its greenlet was killed")

// callHook calls a function of the application in the goroutine that reads the connection. That
// goroutine may be another caller's, so a panic becomes an error. Only the reader calls it.
func (c *conn) callHook(name string, fn func()) error {
	returned := false
	defer func() {
		if !returned { // Goexit ends this goroutine, and with it the role
			c.lost(&callbackError{name: name, err: loop.ErrGoexit})
		}
	}()
	p := loop.NewPromise[struct{}](nil)
	p.Complete(func() (struct{}, error) { fn(); return struct{}{}, nil })
	returned = true
	if _, err := p.Future().Result(); err != nil {
		return &callbackError{name: name, err: err}
	}
	return nil
}

// blame gives the panic of a hook to the segment that is being answered: its caller has caused it,
// and the connection is sound. If nothing is being answered, the error is the connection's. Only
// the reader calls it.
func (c *conn) blame(err error) error {
	if err == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	g := c.sent.first()
	if g == nil || g.start >= c.unsent() {
		return err
	}
	if g.err == nil {
		g.err = err
	}
	return nil
}

// addFailure keeps what the server says of a segment of which a hook has panicked.
func (g *segment) addFailure() {
	if e, ok := g.err.(*callbackError); ok {
		g.err = &callbackError{e.name, e.err, g.failure}
	}
}

// unsent returns where in all that was put the bytes begin that have certainly not been sent. It
// needs the mutex.
func (c *conn) unsent() uint64 {
	if c.writing {
		return c.queued - uint64(len(c.out))
	}
	return c.written
}
