package db

import (
	"context"
	"database/sql/driver"
	"errors"
)

// A database ends connections that are idle for long, and all of them when it restarts. That shows at
// the first use after a checkout. Then the Conn or the transaction gets another connection and repeats
// the call there, because nothing was lost with the dead one.

// exchanges is how many dead connections one call may replace.
const exchanges = 2

// use begins the transaction if it hasn't begun, and calls fn, which does something on the session.
// If the connection turns out to be dead, it repeats both on another one. used reports whether the
// error is fn's, which the caller has to examine, see after. The Conn is running.
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

// exchanged notes that something was done on the Conn's connection, with the error err. It reports
// whether the connection was found dead at its first use and was exchanged: then the caller repeats
// what it did.
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
	// The Conn keeps its place in the pool. If it had to wait for another one, it might wait for a
	// caller that waits for the Conn.
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
