package dbconform

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// silence are the cases about a network that swallows all messages of the open connections, while
// new ones work.
var silence = []test{
	{"a statement returns by its deadline", func(c *run) {
		c.swallows(func(e *db.Engine, table string, swallow func()) {
			swallow()
			require.Error(c, c.tryInsert(c.soon(), e, table, 2))
		})
	}},
	{"Begin returns by its deadline, and what it takes to roll back", func(c *run) {
		c.swallows(func(e *db.Engine, table string, swallow func()) {
			require.Error(c, e.InTx(c.soon(), func(ctx context.Context, tx *db.Tx) error {
				c.insert(tx, table, 2)
				swallow()
				return c.tryInsert(ctx, tx, table, 3)
			}))
		})
	}},
	{"a rollback without a deadline is limited", func(c *run) {
		c.swallows(func(e *db.Engine, table string, swallow func()) {
			tx := c.begun(e, table)
			swallow()
			c.is(tx.Rollback(c.ctx), db.ErrDisconnected)
		})
	}},
	{"a commit whose deadline has passed is limited, and its outcome unknown", func(c *run) {
		c.swallows(func(e *db.Engine, table string, swallow func()) {
			tx := c.begun(e, table)
			swallow()
			c.unknown(tx.Commit(c.soon()), context.DeadlineExceeded)
		})
	}},
	{"a savepoint's end is limited, and that of what is around it", func(c *run) {
		c.swallows(func(e *db.Engine, table string, swallow func()) {
			require.Error(c, e.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
				c.insert(tx, table, 2)
				return tx.InTx(ctx, func(context.Context, *db.Tx) error {
					swallow()
					return errOfTheCase
				})
			}))
		})
	}},
	{"a Conn that is closed in a transaction goes in time", func(c *run) {
		c.swallows(func(e *db.Engine, table string, swallow func()) {
			conn := c.conn(e)
			tx, err := conn.BeginTx(c.ctx)
			require.NoError(c, err)
			c.insert(tx, table, 2)
			swallow()
			c.close(conn)
		})
	}},
	{"a Conn that is given back goes in time", func(c *run) {
		c.swallows(func(e *db.Engine, table string, swallow func()) {
			conn := c.conn(e)
			c.insert(conn, table, 2)
			swallow()
			c.close(conn)
		})
	}},
	{"a stream that is left early goes in time", func(c *run) {
		c.needs("Stream")
		c.swallows(func(e *db.Engine, table string, swallow func()) {
			c.exec(e, "delete from "+table)
			_, err := db.ExecMany(c.ctx, e, "insert into "+table+" (id, value) values (:id, :value)", itemsTo(2000))
			require.NoError(c, err)
			rows, err := e.Stream(c.ctx, "select a.id from "+table+" a, "+table+" b")
			require.NoError(c, err)
			require.True(c, rows.Next())
			swallow()
			_ = rows.Close()
			c.exec(c.engine(), "delete from "+table+" where id > 1")
		})
	}},
	{"a connection that is asked whether it is well is replaced", func(c *run) {
		c.swallows(func(e *db.Engine, table string, swallow func()) {
			swallow()
			conn, err := e.Connect(c.ctx)
			require.NoError(c, err)
			c.insert(conn, table, 2)
			c.close(conn)
		}, db.PrePing(0))
	}},
	{"Close is limited", func(c *run) {
		c.needs("Network")
		table := c.items(0)
		e, network := c.network(db.TeardownTimeout(teardown))
		tx := c.begun(e, table)
		c.close(c.conn(e))
		network.Swallow()
		began := time.Now()
		c.is(e.Close(c.soon()), db.ErrTimeout) // the transaction is in use
		c.is(tx.Rollback(c.ctx), db.ErrDisconnected)
		require.Less(c, time.Since(began), forEver)
		require.Zero(c, e.Stats().Open)
		network.Cut()
	}},
}

const (
	teardown = 200 * time.Millisecond
	// forEver is longer than any call takes on a slow machine.
	forEver = 20 * time.Second
)

// swallows runs fn with an engine of one connection, and a table of one row. After fn has called
// swallow, every call of fn must end in time. Then the engine must work again.
func (c *run) swallows(fn func(e *db.Engine, table string, swallow func()), opts ...db.Option) {
	c.Helper()
	c.needs("Network")
	table := c.items(1)
	e, network := c.network(append(opts, db.TeardownTimeout(teardown), db.PoolSize(1), db.MaxOverflow(0))...)
	for id := range 3 { // so that the statement is prepared
		c.exec(e, "insert into "+table+" (id, value) values (:id, :value)", itemOf(-id-1))
	}
	began := time.Time{}
	fn(e, table, func() {
		network.Swallow()
		began = time.Now()
	})
	require.Less(c, time.Since(began), forEver)
	c.until("the engine works", func() bool {
		ctx, cancel := context.WithTimeout(c.ctx, time.Second)
		defer cancel()
		return c.tryInsert(ctx, e, table, 1000) == nil
	})
	require.Zero(c, e.Stats().InUse)
}

// begun begins a transaction that has inserted a row.
func (c *run) begun(e *db.Engine, table string) *db.Tx {
	c.Helper()
	tx, err := e.BeginTx(c.ctx)
	require.NoError(c, err)
	c.insert(tx, table, 2)
	return tx
}

// soon returns a context with a near deadline.
func (c *run) soon() context.Context {
	ctx, cancel := context.WithTimeout(c.ctx, 50*time.Millisecond)
	c.Cleanup(cancel)
	return ctx
}
