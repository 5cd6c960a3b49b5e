package db

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/turns"
	"github.com/seed1239206e/repaint/loop"
)

// Driver returns what is under the Engine, for what its driver can do beyond package db: a *pg.DB
// for PostgreSQL, the *sql.DB that OpenDB was given, the driver.Connector of a driver of
// database/sql; nil if the dialect has nothing to show. The Engine goes on using it, and closes
// what it has opened itself.
func (e *Engine) Driver() any {
	if c, ok := e.connector.(backend.Exposer); ok {
		return c.Driver()
	}
	return nil
}

// Raw calls fn with the driver's connection, for what it can do beyond package db. On PostgreSQL
// that is a *pg.Session, and in a transaction a pgx.Tx, which fn must not end; with a driver of
// database/sql it is its driver.Conn, and fn is called where it may block: in a
// loop that is another goroutine, so it can't wait for tasks there.
//
// Until fn returns the Conn can do nothing else. The connection must not be kept. Since
// what fn leaves behind in it can't be known, it isn't given to another caller after the Conn.
// Raw returns fn's error as it is.
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
		return c.after(ctx, tx, true, err, err) // it is fn's
	case used:
		err = c.after(ctx, tx, false, err, c.e.wrap(ctx, "raw", nil, err))
	}
	return c.e.fail(ctx, "raw", nil, err)
}

// lend calls fn with the driver's connection, after it has set lent. The Conn is running.
func (c *Conn) lend(ctx context.Context, lent *bool, fn func(ctx context.Context, conn any) error) error {
	s, ok := c.c.Session.(backend.Lender)
	if !ok {
		return fail("raw", ErrUnsupported, "%s does not expose its connection", c.e.dialect.Name())
	}
	c.c.Dirty = true
	return s.Raw(ctx, c.conf.tx.ReadOnly, func(ctx context.Context, conn any) error {
		*lent, c.fresh = true, false // fn isn't called again, whatever its error says
		return fn(ctx, conn)
	})
}
