package db

import (
	"context"
	"errors"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/telling"
	"github.com/seed1239206e/repaint/db/internal/turns"
)

// Close rolls back an open transaction and gives the connection back to the pool. A second Close does
// nothing. Close has no context; [TeardownTimeout] limits how long it waits. While another task's
// call runs on the Conn, Close returns [ErrInUse], and the connection goes back when that call ends.
func (c *Conn) Close() error { return c.close(context.Background()) }

// close is Close with the context of the ending that it is part of.
func (c *Conn) close(ctx context.Context) error {
	c.mu.Lock()
	if c.state >= connClosing {
		c.mu.Unlock()
		return nil
	}
	c.state = connClosing
	if c.running != "" {
		err := c.inUse("close")
		c.mu.Unlock()
		return err
	}
	c.running, c.place = "close", place{}
	c.mu.Unlock()
	c.finish(ctx)
	return nil
}

// finish rolls back what is open and gives the connection back. The Conn is
// running: no other call touches it.
func (c *Conn) finish(ctx context.Context) {
	killed := true
	defer func() {
		if killed {
			c.lose(turns.NoPass)
		}
	}()
	lost := false
	if c.tx != nil && c.c != nil {
		var done context.CancelFunc
		ctx, done = backend.Ending(ctx, c.e.cleanup)
		defer done()
		lost = c.c.Session.Rollback(ctx) != nil
	}
	killed = false
	physical, held := c.leave(connClosed, errConnClosed)
	defer c.e.turns.Gate.Leave(held)
	if physical != nil && !c.setsUp {
		physical.Bad = physical.Bad || lost
		c.p.Release(ctx, physical)
	}
}

// takeBack ends the life of a Conn of Events.Connect. It fails if the function has left a call or a
// transaction open there: then no other caller can have the connection.
func (c *Conn) takeBack() error {
	c.mu.Lock()
	running, tx := c.running, c.tx
	if running != "" {
		c.state = connClosing
		err := misuse("connect", "Events.Connect returned while its Conn is in use: %s, called at %s", telling.Short(running, 100), c.place)
		c.mu.Unlock()
		return err
	}
	c.mu.Unlock()
	c.leave(connClosed, errConnClosed)
	if tx != nil {
		return misuse("connect", "Events.Connect returned with an open transaction")
	}
	return nil
}

// lose gives up a connection on which a call may still be running.
func (c *Conn) lose(held turns.Pass) {
	physical, mine := c.leave(connGivenUp, errCallLeft)
	leave := func() {
		c.e.turns.Gate.Leave(held)
		c.e.turns.Gate.Leave(mine)
	}
	switch {
	case physical == nil:
		leave()
	case c.setsUp:
		physical.Bad = true
		leave()
	default:
		c.p.Abandon(physical, leave)
	}
}

// leave ends the Conn's life, and that of its transaction, and returns what it had.
func (c *Conn) leave(end connState, why error) (*turns.Conn, turns.Pass) {
	c.gone.Stop()
	c.e.leaks.forget(c.leak)
	c.mu.Lock()
	defer c.mu.Unlock()
	physical, held := c.c, c.held
	c.tx.close(why)
	c.c, c.tx, c.held, c.running, c.state = nil, nil, turns.NoPass, "", end
	return physical, held
}

// These are the reasons for which a transaction ends with its connection.
var (
	errConnClosed = errors.New("its connection was closed")
	errCallLeft   = errors.New("a panic, runtime.Goexit or a kill has left a call in the middle")
)

// collected gives back what a Conn had that the garbage collector has found. It runs in a goroutine
// of the runtime.
func (e *Engine) collected(p *turns.Pool, out *checkout) {
	e.leaks.collected(out.leak, e.conf.onLeak)
	if out.c == nil {
		e.turns.Gate.Leave(out.held)
		return
	}
	e.turns.Abandon(p, out.c, out.held)
}
