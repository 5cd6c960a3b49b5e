package db

import (
	"context"
	"database/sql/driver"
	"errors"
)

// A database ends connections that are idle for long, or all of them when it is restarted. That shows
// when a connection is used first after it was checked out. Then a Conn, or a transaction, gets another
// one, and the call is made again there, because nothing is lost with the dead one.

// exchanges is how many connections may turn out to be dead under one call.
const exchanges = 2

// use calls fn, which does something on the session, after what begins the transaction, if it hasn't
// begun. If the connection turns out to be dead, it does both on another one. An error of fn has to be
// examined, see after; used is false if it isn't fn's. The Conn is running.
func (c *Conn) use(ctx context.Context, tx *Tx, fn func() error) (used bool, err error) {
	for attempt := 0; ; attempt++ {
		if tx != nil && !tx.begun() {
			if err := c.bind(ctx, tx.root()); err != nil {
				return false, err
			}
		}
		if again, err := c.exchanged(ctx, tx, attempt, fn()); !again {
			return true, err
		}
	}
}

// exchanged notes that something was done on the Conn's connection. It reports whether that has turned out
// to be dead before anything else was done there, and was exchanged, so that it is to be done again.
func (c *Conn) exchanged(ctx context.Context, tx *Tx, attempt int, err error) (again bool, _ error) {
	fresh := c.fresh
	c.fresh = false
	// ErrBadConn means that nothing reached the database.
	if !fresh || attempt >= exchanges || c.setsUp || !errors.Is(err, driver.ErrBadConn) {
		return false, err
	}
	old := c.c
	old.Bad = true
	c.p.Invalidate()
	root := tx.root()
	if root != nil {
		root.started = false
	}
	c.mu.Lock()
	c.c = nil
	if root != nil && root.owns && c.state == connOpen {
		c.state = connUnbound
	}
	c.mu.Unlock()
	if root != nil && root.owns {
		defer c.unpass()
		c.p.Release(ctx, old)
		return true, nil
	}
	// The place in the pool stays the Conn's: if it had to wait for another one, that could be for a user
	// that waits for the Conn.
	physical, err := c.p.Exchange(ctx, old)
	if err != nil {
		return false, err
	}
	physical.Lent = true
	c.mu.Lock()
	c.c, c.fresh = physical, true
	c.mu.Unlock()
	return true, nil
}
