package dbconform

import (
	"context"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/loop"
)

var closing = []test{
	{"a closed engine refuses everything", func(c *run) {
		e := c.another()
		c.exec(e, "select 1")
		require.NoError(c, e.Close(c.ctx))
		_, err := e.Exec(c.ctx, "select 1")
		c.is(err, db.ErrClosed)
		_, err = e.Query(c.ctx, "select 1")
		c.is(err, db.ErrClosed)
		_, err = e.Connect(c.ctx)
		c.is(err, db.ErrClosed)
		c.is(e.InTx(c.ctx, func(context.Context, *db.Tx) error { return nil }), db.ErrClosed)
		_, err = e.Stream(c.ctx, "select 1")
		c.is(err, db.ErrClosed)
		require.Zero(c, e.Stats().Open)
	}},
	{"closing again does nothing", func(c *run) {
		e := c.another()
		require.NoError(c, e.Close(c.ctx))
		require.NoError(c, e.Close(c.ctx))
	}},
	{"a closed connection refuses everything", func(c *run) {
		conn := c.conn(c.engine())
		c.close(conn)
		c.close(conn)
		_, err := conn.Exec(c.ctx, "select 1")
		c.is(err, db.ErrClosed)
		_, err = conn.Query(c.ctx, "select 1")
		c.is(err, db.ErrClosed)
		_, err = conn.BeginTx(c.ctx)
		c.is(err, db.ErrClosed)
	}},
	{"Close waits for the connections in use", func(c *run) {
		e := c.another()
		conn := c.conn(e)
		closed := c.start(c.ctx, e.Close)
		c.until("new callers are refused", func() bool {
			other, err := e.Connect(c.ctx)
			if err == nil {
				c.close(other)
			}
			return err != nil
		})
		c.exec(conn, "select 1")
		c.close(conn)
		require.NoError(c, closed())
		require.Zero(c, e.Stats().Open)
	}},
	{"Close says what is still in use, and that is closed when it comes back", func(c *run) {
		e := c.another()
		conn := c.conn(e)
		ctx, cancel := context.WithTimeout(c.ctx, time.Millisecond)
		defer cancel()
		err := e.Close(ctx)
		c.is(err, db.ErrTimeout)
		require.ErrorContains(c, err, "1 connections")
		c.exec(conn, "select 1")
		c.close(conn)
		require.Zero(c, e.Stats().Open)
	}},
	{"callers that wait for a connection are refused", func(c *run) {
		e := c.another(db.PoolSize(1), db.MaxOverflow(0))
		conn := c.conn(e)
		wait := c.start(c.ctx, func(ctx context.Context) error {
			_, err := e.Connect(ctx)
			return err
		})
		c.until("it waits", func() bool { return e.Stats().Waiting == 1 })
		closed := c.start(c.ctx, e.Close)
		c.is(wait(), db.ErrClosed)
		c.close(conn)
		require.NoError(c, closed())
	}},
	{"Close lets statements end that are under way", func(c *run) {
		e := c.another()
		c.unless("OneConn")
		waits := make([]func() error, 20)
		for i := range waits {
			waits[i] = c.start(c.ctx, func(ctx context.Context) error {
				_, err := e.Exec(ctx, "select 1")
				return err
			})
		}
		closing := e.Close(c.ctx)
		for _, wait := range waits {
			if err := wait(); err != nil {
				c.is(err, db.ErrClosed)
			}
		}
		require.NoError(c, closing)
		require.Zero(c, e.Stats().Open)
	}},
	{"another engine doesn't notice", func(c *run) {
		e, other := c.engine(), c.another()
		c.exec(other, "select 1")
		require.NoError(c, other.Close(c.ctx))
		c.exec(e, "select 1")
	}},
}

// await is repaint.Await under a name that keeps the cases short.
func await[T any](ctx context.Context, f *loop.Future[T]) (T, error) { return repaint.Await(ctx, f) }
