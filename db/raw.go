package db

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/loop"
)

// Driver returns what the Engine uses, for features that only the driver has: a *pg.DB for PostgreSQL,
// the *sql.DB that OpenDB was given, or the driver.Connector of a database/sql driver. It returns nil
// if the dialect exposes nothing. The Engine goes on using it, and closes what it has opened itself.
func (e *Engine) Driver() any {
	if c, ok := e.connector.(backend.Exposer); ok {
		return c.Driver()
	}
	return nil
}

// Raw calls fn with the driver's connection, for features that only the driver has, as
// (*sql.Conn).Raw does. On PostgreSQL that is a *pg.Session, or in a transaction a pgx.Tx, which fn
// must not end. With a database/sql driver it is the driver.Conn, and fn runs where it may
// block: for a task that is another goroutine, in which fn can't wait for tasks.
//
// Until fn returns, the Conn can do nothing else. fn must not keep the connection. What fn leaves
// there can't be known, so no other caller gets the connection after the Conn is closed. Raw returns
// fn's error as it is, and [ErrUnsupported] if the dialect doesn't expose its connections.
func (c *Conn) Raw(ctx context.Context, fn func(ctx context.Context, conn any) error) error {
	return c.raw(ctx, nil, fn)
}

// Raw is [Conn.Raw] in the transaction.
func (tx *Tx) Raw(ctx context.Context, fn func(ctx context.Context, conn any) error) error {
	return tx.conn.raw(ctx, tx, fn)
}

func (c *Conn) raw(ctx context.Context, tx *Tx, fn func(ctx context.Context, conn any) error) error {
	tx, err := c.auto(ctx, tx)
	if err != nil {
		return err
	}
	if err := c.start(tx, "raw", "Raw"); err != nil {
		return c.e.fail(ctx, "raw", nil, err)
	}
	held, killed := turns.NoPass, true
	defer func() {
		c.end(ctx, killed, held)
	}()
	err = loop.ContextError(ctx)
	switch {
	case err != nil:
	case tx == nil && !c.free:
		held, err = c.e.turns.Gate.Enter(ctx, true, true, "Raw")
	}
	used, lent := false, false
	if err == nil {
		used, err = c.use(ctx, tx, func() error { return c.lend(ctx, &lent, fn) })
	}
	killed = false
	switch {
	case err == nil:
		return nil
	case lent:
		return c.after(ctx, tx, true, err, err) // fn's error
	case used:
		err = c.after(ctx, tx, false, err, c.e.wrap(ctx, "raw", nil, err))
	}
	return c.e.fail(ctx, "raw", nil, err)
}

// lend sets lent and calls fn with the driver's connection. The Conn is running.
func (c *Conn) lend(ctx context.Context, lent *bool, fn func(ctx context.Context, conn any) error) error {
	s, ok := c.c.Session.(backend.Lender)
	if !ok {
		return fail("raw", ErrUnsupported, "%s doesn't expose its connection", c.e.dialect.Name())
	}
	c.c.Dirty = true
	return s.Raw(ctx, c.conf.tx.ReadOnly, func(ctx context.Context, conn any) error {
		*lent, c.fresh = true, false // fn must not be called twice, whatever its error says
		return fn(ctx, conn)
	})
}
