package dbconform

import (
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var pooling = []test{
	{"a connection is used again", func(c *run) {
		e := c.engine()
		before := e.Stats().Connects
		for range 5 {
			conn := c.conn(e)
			c.exec(conn, "select 1")
			c.close(conn)
		}
		require.LessOrEqual(c, e.Stats().Connects, before+1)
		require.Zero(c, e.Stats().InUse)
	}},
	{"waiters get what comes back, in the order of arrival", func(c *run) {
		e := c.engine(db.PoolSize(1), db.MaxOverflow(0))
		conn := c.conn(e)
		var order []int
		var waits []func() error
		for i := range 4 {
			waits = append(waits, c.start(c.ctx, func(ctx context.Context) error {
				other, err := e.Connect(ctx)
				if err != nil {
					return err
				}
				order = append(order, i) // the caller has the only connection
				return other.Close()
			}))
			c.until("it waits", func() bool { return e.Stats().Waiting == i+1 })
		}
		c.close(conn)
		for _, wait := range waits {
			require.NoError(c, wait())
		}
		require.Equal(c, []int{0, 1, 2, 3}, order)
	}},
	{"no more connections than allowed", func(c *run) {
		e := c.engine(db.PoolSize(2), db.MaxOverflow(1), db.PoolTimeout(time.Millisecond))
		var conns []*db.Conn
		for {
			conn, err := e.Connect(c.ctx)
			if err != nil {
				c.is(err, db.ErrPoolTimeout)
				require.ErrorIs(c, err, db.ErrTimeout)
				break
			}
			conns = append(conns, conn)
			require.LessOrEqual(c, len(conns), 3)
		}
		if !c.can("OneConn") {
			require.Len(c, conns, 3)
		}
		require.Positive(c, e.Stats().Timeouts)
		for _, conn := range conns {
			c.exec(conn, "select 1")
			c.close(conn)
		}
		require.LessOrEqual(c, e.Stats().Idle, 3)
	}},
	{"what a connection was told isn't passed on", func(c *run) {
		c.needs("Settings")
		e := c.engine(db.PoolSize(1), db.MaxOverflow(0))
		show := func(q db.Querier) string {
			v, err := db.Scalar[string](c.ctx, q, c.ShowSettings)
			require.NoError(c, err)
			return v
		}
		conn := c.conn(e)
		before := show(conn)
		c.exec(conn, c.Settings)
		require.NotEqual(c, before, show(conn))
		c.close(conn)
		conn = c.conn(e)
		require.Equal(c, before, show(conn))
		c.close(conn)
		_, err := e.Exec(c.ctx, c.Settings)
		c.is(err, db.ErrMisuse) // the statement would have no effect
		require.ErrorContains(c, err, "use a Conn")
		if c.can("Stream") {
			_, err := e.Stream(c.ctx, c.Settings)
			c.is(err, db.ErrMisuse)
			require.ErrorContains(c, err, "use a Conn")
		}
		require.Equal(c, before, show(e))
	}},
	{"a temporary table is its connection's", func(c *run) {
		e := c.engine(db.PoolSize(1), db.MaxOverflow(0))
		conn := c.conn(e)
		c.exec(conn, "create temporary table dbconform_temp (id integer)")
		c.exec(conn, "insert into dbconform_temp values (1)")
		require.Equal(c, 1, c.count(conn, "dbconform_temp"))
		c.close(conn)
		conn = c.conn(e)
		_, err := conn.Query(c.ctx, "select * from dbconform_temp")
		c.is(err, db.ErrUndefinedTable)
		c.close(conn)
	}},
	{"a Conn that is invalidated is replaced", func(c *run) {
		e := c.engine()
		conn := c.conn(e)
		conn.Invalidate()
		c.exec(conn, "select 1")
		before := e.Stats().Connects
		c.close(conn)
		conn = c.conn(e)
		c.exec(conn, "select 1")
		c.close(conn)
		require.Greater(c, e.Stats().Connects, before)
	}},
	{"after Invalidate all are replaced", func(c *run) {
		e := c.engine()
		conn := c.conn(e)
		c.close(conn)
		before := e.Stats().Connects
		e.Invalidate()
		conn = c.conn(e)
		c.exec(conn, "select 1")
		c.close(conn)
		require.Greater(c, e.Stats().Connects, before)
	}},
	{"a connection of a certain age is replaced", func(c *run) {
		e := c.engine(db.MaxLifetime(time.Nanosecond))
		before := e.Stats().Connects
		for range 3 {
			conn := c.conn(e)
			c.exec(conn, "select 1")
			c.close(conn)
		}
		require.GreaterOrEqual(c, e.Stats().Connects, before+2)
	}},
	{"a connection is replaced at the end of its lifetime, used or not", func(c *run) {
		e := c.engine(db.MaxLifetime(20*time.Millisecond), db.MaxLifetimeJitter(time.Millisecond))
		c.close(c.conn(e))
		c.until("it is closed", func() bool { return e.Stats().LifetimeClosed > 0 && e.Stats().Idle == 0 })
		c.exec(e, "select 1")
	}},
	{"idle connections are closed", func(c *run) {
		e := c.engine(db.MaxIdleTime(20 * time.Millisecond))
		c.close(c.conn(e))
		c.until("they are closed", func() bool { return e.Stats().IdleClosed > 0 && e.Stats().Open == 0 })
		c.exec(e, "select 1")
	}},
	{"there are warm connections, and idle ones", func(c *run) {
		e := c.engine(db.PoolSize(3), db.MaxOverflow(0), db.MinConns(2), db.MinIdleConns(1), db.HealthCheck(20*time.Millisecond))
		if !c.can("OneConn") {
			c.until("two are open", func() bool { return e.Stats().Idle >= 2 })
			one, two := c.conn(e), c.conn(e)
			c.until("one more is idle", func() bool { return e.Stats().Idle >= 1 })
			c.close(one)
			c.close(two)
		}
		c.exec(e, "select 1")
	}},
	{"a health check leaves what is well", func(c *run) {
		e := c.engine(db.HealthCheck(10*time.Millisecond), db.MaxIdleTime(time.Hour))
		c.close(c.conn(e))
		before := e.Stats()
		for range 3 {
			conn := c.conn(e)
			c.exec(conn, "select 1")
			c.close(conn)
		}
		require.Zero(c, e.Stats().Discarded)
		require.LessOrEqual(c, e.Stats().Connects, before.Connects+1)
	}},
	{"after Reset all are replaced", func(c *run) {
		e := c.engine()
		used := c.conn(e)
		c.exec(used, "select 1")
		before := e.Stats().Connects
		e.Reset()
		c.exec(used, "select 1") // the connection goes on
		c.close(used)
		conn := c.conn(e)
		c.exec(conn, "select 1")
		c.close(conn)
		require.Greater(c, e.Stats().Connects, before)
	}},
	{"a caller that waits in vain is told what is in use", func(c *run) {
		e := c.engine(db.PoolSize(1), db.MaxOverflow(0), db.PoolTimeout(time.Millisecond))
		conn := c.conn(e)
		_, err := e.Connect(c.ctx)
		c.is(err, db.ErrPoolTimeout)
		require.ErrorContains(c, err, "1 of 1 (pool_size=1 and max_overflow=0)")
		require.ErrorContains(c, err, ".go:") // the place where it was taken
		c.close(conn)
	}},
	{"who gives up while it waits is told what is in use", func(c *run) {
		e := c.engine(db.PoolSize(1), db.MaxOverflow(0))
		conn := c.conn(e)
		ctx, cancel := context.WithCancel(c.ctx)
		wait := c.start(ctx, func(ctx context.Context) error {
			other, err := e.Connect(ctx)
			if err == nil {
				return other.Close()
			}
			return err
		})
		c.until("it waits", func() bool { return e.Stats().Waiting == 1 })
		cancel()
		err := wait()
		require.ErrorIs(c, err, context.Canceled)
		require.ErrorContains(c, err, "1 of 1 (pool_size=1 and max_overflow=0)")
		c.close(conn)
	}},
	{"a ping finds a connection well", func(c *run) {
		e := c.engine(db.PrePing(0))
		for range 3 {
			conn := c.conn(e)
			c.exec(conn, "select 1")
			c.close(conn)
		}
		require.Zero(c, e.Stats().Discarded)
	}},
	{"a ping replaces what was cut, and no caller notices", func(c *run) {
		c.needs("Cut")
		e := c.engine(db.PrePing(0), db.PoolSize(1), db.MaxOverflow(0))
		conn := c.conn(e)
		c.Cut(c.T, c.ctx, conn)
		c.close(conn)
		for range 2 {
			conn = c.conn(e)
			c.exec(conn, "select 1")
			c.close(conn)
		}
	}},
	{"a connection that was cut is an error that says so, and is replaced", func(c *run) {
		c.needs("Cut")
		e := c.engine()
		conn := c.conn(e)
		c.Cut(c.T, c.ctx, conn)
		_, err := conn.Exec(c.ctx, "select 1")
		c.is(err, db.ErrDisconnected)
		_, err = conn.Exec(c.ctx, "select 1")
		c.is(err, db.ErrDisconnected)
		c.close(conn)
		conn = c.conn(e)
		c.exec(conn, "select 1")
		c.close(conn)
	}},
	{"a transaction whose connection was cut is over", func(c *run) {
		c.needs("Cut")
		table := c.items(0)
		e := c.engine()
		conn := c.conn(e)
		tx, err := conn.BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(tx, table, 1)
		c.Cut(c.T, c.ctx, tx)
		_, err = tx.Exec(c.ctx, "select 1")
		c.is(err, db.ErrDisconnected)
		_, err = tx.Exec(c.ctx, "select 1")
		require.Error(c, err)
		require.Error(c, tx.Commit(c.ctx))
		c.close(conn)
		require.Zero(c, c.count(e, table))
	}},
	{"a Conn that is forgotten is given back", func(c *run) {
		e := c.engine(db.PoolSize(1), db.MaxOverflow(0))
		c.forget(e)
		c.collect(func() bool { return e.Stats().Leaked == 1 && e.Stats().InUse == 0 })
		conn := c.conn(e)
		c.exec(conn, "select 1")
		c.close(conn)
	}},
	{"statistics", func(c *run) {
		e := c.engine()
		conn := c.conn(e)
		s := e.Stats()
		require.Equal(c, 1, s.InUse)
		require.Positive(c, s.Acquired)
		require.Positive(c, s.Connects)
		require.Equal(c, s.Open, s.Idle+s.InUse)
		require.LessOrEqual(c, s.Open, s.MaxOpen)
		c.close(conn)
		require.Zero(c, e.Stats().InUse, fmt.Sprintf("%+v", e.Stats()))
	}},
}

//go:noinline
func (c *run) forget(e *db.Engine) {
	_, err := e.Connect(c.ctx)
	require.NoError(c, err)
}
