package pg

import (
	"errors"

	"github.com/seed1239206e/repaint/loop"
)

// A callbackError reports that a function of the application, called by the driver, panicked or
// called runtime.Goexit. errors.As finds the *loop.PanicError in it, with its stack.
type callbackError struct {
	name   string
	err    error // a *loop.PanicError, or loop.ErrGoexit
	server error // the server's error for the statement; nil if it was executed
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

// errUnwound is the error that a tracer gets for a call that didn't return.
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

// blame gives the panic of a hook to the segment that is being answered: that segment's caller has
// caused the call, and the connection is sound. If nothing is being answered, blame returns the
// error, which then ends the connection. Only the reader calls it.
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

// addFailure keeps the server's error for a segment whose hook has panicked.
func (g *segment) addFailure() {
	if e, ok := g.err.(*callbackError); ok {
		g.err = &callbackError{e.name, e.err, g.failure}
	}
}

// unsent returns the place in the connection's output from which on nothing has been sent. The
// caller must hold the mutex.
func (c *conn) unsent() uint64 {
	if c.writing {
		return c.queued - uint64(len(c.out))
	}
	return c.written
}
