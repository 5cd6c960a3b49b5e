package dbconform

import (
	"context"
	"errors"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var errNoLonger = errors.New("no longer wanted")

var cancelling = []test{
	{"a context that has ended runs nothing", func(c *run) {
		table := c.items(1)
		ctx, cancel := context.WithCancelCause(c.ctx)
		cancel(errNoLonger)
		conn := c.conn(c.engine())
		for _, q := range []db.Querier{c.engine(), conn} {
			_, err := q.Exec(ctx, "delete from "+table)
			require.ErrorIs(c, err, context.Canceled)
			require.ErrorIs(c, err, errNoLonger)
			_, err = q.Query(ctx, "select * from "+table)
			require.ErrorIs(c, err, errNoLonger)
		}
		c.close(conn)
		_, err := c.engine().Connect(ctx)
		require.ErrorIs(c, err, errNoLonger)
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"a running statement of the engine's is stopped", func(c *run) {
		c.stops(func(ctx context.Context) error {
			_, err := c.engine().Query(ctx, c.SlowQuery)
			return err
		})
	}},
	{"a running statement of a connection is stopped", func(c *run) {
		c.needs("SlowQuery")
		conn := c.conn(c.engine())
		c.stops(func(ctx context.Context) error {
			_, err := conn.Query(ctx, c.SlowQuery)
			return err
		})
		_, err := conn.Exec(c.ctx, "select 1")
		if c.can("CancelKeepsConn") {
			require.NoError(c, err)
		} else if err != nil {
			c.is(err, db.ErrDisconnected)
		}
		c.close(conn)
	}},
	{"a running statement of a transaction is stopped", func(c *run) {
		c.needs("SlowQuery")
		table := c.items(0)
		var tx *db.Tx
		c.stops(func(ctx context.Context) (err error) {
			tx, err = c.engine().BeginTx(c.ctx)
			require.NoError(c, err)
			c.insert(tx, table, 1)
			_, err = tx.Query(ctx, c.SlowQuery)
			return err
		})
		require.NoError(c, tx.Rollback(c.ctx))
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"a deadline is a timeout", func(c *run) {
		c.needs("SlowQuery")
		ctx, cancel := context.WithTimeout(c.ctx, 20*time.Millisecond)
		defer cancel()
		_, err := c.engine().Query(ctx, c.SlowQuery)
		c.is(err, db.ErrTimeout)
		require.ErrorIs(c, err, context.DeadlineExceeded)
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"the deadline's cause is kept", func(c *run) {
		c.needs("SlowQuery")
		ctx, cancel := context.WithTimeoutCause(c.ctx, 20*time.Millisecond, errNoLonger)
		defer cancel()
		_, err := c.engine().Query(ctx, c.SlowQuery)
		require.ErrorIs(c, err, errNoLonger)
		require.ErrorIs(c, err, context.DeadlineExceeded)
	}},
	{"after many cancels all is as before", func(c *run) {
		c.needs("SlowQuery")
		table := c.items(5)
		for i := range 5 {
			ctx, cancel := context.WithTimeout(c.ctx, time.Duration(i)*3*time.Millisecond)
			_, err := c.engine().Query(ctx, c.SlowQuery)
			require.ErrorIs(c, err, context.DeadlineExceeded)
			cancel()
			require.Equal(c, 5, c.count(c.engine(), table))
		}
	}},
	{"a write that was stopped is done as a whole or not at all", func(c *run) {
		table := c.items(0)
		for i := range 4 {
			ctx, cancel := context.WithTimeout(c.ctx, time.Duration(i)*time.Millisecond)
			_, err := db.ExecMany(ctx, c.engine(), "insert into "+table+" (id, value) values (:id, :value)", itemsTo(1000))
			cancel()
			n := c.count(c.engine(), table)
			if err == nil {
				require.Equal(c, 1000, n)
				c.exec(c.engine(), "delete from "+table)
			} else {
				require.ErrorIs(c, err, context.DeadlineExceeded)
				require.Contains(c, []int{0, 1000}, n)
				c.exec(c.engine(), "delete from "+table)
			}
		}
	}},
	{"a commit with a context that has ended rolls back", func(c *run) {
		table := c.items(0)
		ctx, cancel := context.WithCancelCause(c.ctx)
		tx, err := c.engine().BeginTx(ctx)
		require.NoError(c, err)
		c.insert(tx, table, 1)
		cancel(errNoLonger)
		require.ErrorIs(c, tx.Commit(ctx), errNoLonger)
		require.Zero(c, c.count(c.engine(), table))
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"a rollback isn't cancelled", func(c *run) {
		table := c.items(0)
		ctx, cancel := context.WithCancel(c.ctx)
		tx, err := c.engine().BeginTx(ctx)
		require.NoError(c, err)
		c.insert(tx, table, 1)
		cancel()
		require.NoError(c, tx.Rollback(ctx))
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"Begin rolls back when its context ends", func(c *run) {
		table := c.items(0)
		ctx, cancel := context.WithCancelCause(c.ctx)
		err := c.engine().InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 1)
			cancel(errNoLonger)
			_, err := tx.Exec(ctx, "select 1")
			return err
		})
		require.ErrorIs(c, err, errNoLonger)
		require.Zero(c, c.count(c.engine(), table))
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"a caller that waits for a connection can be cancelled", func(c *run) {
		e := c.engine(db.PoolSize(1), db.MaxOverflow(0))
		conn := c.conn(e)
		ctx, cancel := context.WithCancelCause(c.ctx)
		wait := c.start(ctx, func(ctx context.Context) error {
			other, err := e.Connect(ctx)
			if err == nil {
				_ = other.Close()
			}
			return err
		})
		c.until("it waits", func() bool { return e.Stats().Waiting == 1 })
		cancel(errNoLonger)
		require.ErrorIs(c, wait(), errNoLonger)
		require.Zero(c, e.Stats().Waiting)
		c.close(conn)
		c.exec(e, "select 1")
	}},
	{"a caller that waits for a slow statement can be cancelled", func(c *run) {
		c.needs("SlowQuery")
		e := c.engine(db.PoolSize(1), db.MaxOverflow(0))
		slow, stop := context.WithCancel(c.ctx)
		conn := c.conn(e)
		waitSlow := c.start(slow, func(ctx context.Context) error {
			_, err := conn.Query(ctx, c.SlowQuery)
			return err
		})
		ctx, cancel := context.WithTimeoutCause(c.ctx, 20*time.Millisecond, errNoLonger)
		defer cancel()
		_, err := e.Connect(ctx)
		require.ErrorIs(c, err, errNoLonger)
		stop()
		require.ErrorIs(c, waitSlow(), context.Canceled)
		c.close(conn)
		c.exec(e, "select 1")
	}},
}

// stops runs fn, which runs the slow query, and ends fn's context after the query has begun.
func (c *run) stops(fn func(ctx context.Context) error) {
	c.Helper()
	c.needs("SlowQuery")
	ctx, cancel := context.WithCancelCause(c.ctx)
	began := newSignal()
	wait := c.start(ctx, func(ctx context.Context) error {
		began.give()
		return fn(ctx)
	})
	require.NoError(c, began.wait(c.ctx))
	timer := time.AfterFunc(30*time.Millisecond, func() { cancel(errNoLonger) })
	defer timer.Stop()
	started := time.Now()
	err := wait()
	require.ErrorIs(c, err, context.Canceled)
	require.ErrorIs(c, err, errNoLonger)
	require.Less(c, time.Since(started), 30*time.Second)
}
