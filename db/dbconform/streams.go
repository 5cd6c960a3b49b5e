package dbconform

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var streams = []test{
	{"a stream has all rows", func(c *run) {
		const n = 3000
		table := c.items(n)
		rows, err := c.engine().Stream(c.ctx, "select * from "+table+" order by id")
		if c.unsupported("Stream", err) {
			return
		}
		next := 1
		for it, err := range db.Each[item](rows) {
			require.NoError(c, err)
			require.Equal(c, itemOf(next), it)
			next++
		}
		require.Equal(c, n+1, next)
		require.Zero(c, c.engine().Stats().InUse, "its connection is back")
	}},
	{"a stream with parameters", func(c *run) {
		table := c.items(200)
		rows := c.stream("select id from "+table+" where id > :low order by id", named("low", 50))
		if rows == nil {
			return
		}
		n := 50
		for rows.Next() {
			n++
			id, err := db.Get[int](rows, "id")
			require.NoError(c, err)
			require.Equal(c, n, id)
		}
		require.NoError(c, rows.Err())
		require.Equal(c, 200, n)
	}},
	{"a stream without rows", func(c *run) {
		if rows := c.stream("select * from " + c.items(0)); rows != nil {
			require.Equal(c, []string{"id", "value"}, rows.Columns())
			require.False(c, rows.Next())
			require.NoError(c, rows.Err())
		}
	}},
	{"a stream that is closed early gives its connection back", func(c *run) {
		table := c.items(2000)
		c.engine()
		for range 3 {
			rows := c.stream("select * from " + table)
			if rows == nil {
				return
			}
			require.True(c, rows.Next())
			require.NoError(c, rows.Close())
			require.Zero(c, c.engine().Stats().InUse)
		}
		require.Equal(c, 2000, c.count(c.engine(), table))
	}},
	{"a Conn does nothing else while it streams", func(c *run) {
		c.needs("Stream")
		table := c.items(1000)
		conn := c.conn(c.engine())
		defer c.close(conn)
		rows, err := conn.Stream(c.ctx, "select * from "+table)
		require.NoError(c, err)
		require.True(c, rows.Next())
		_, err = conn.Exec(c.ctx, "select 1")
		c.is(err, db.ErrInUse)
		require.NoError(c, rows.Close())
		require.Equal(c, 1000, c.count(conn, table))
	}},
	{"a stream in a transaction sees what it did", func(c *run) {
		c.needs("Stream")
		table := c.items(100)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 101)
			rows, err := tx.Stream(ctx, "select * from "+table)
			require.NoError(c, err)
			n := 0
			for rows.Next() {
				n++
			}
			require.Equal(c, 101, n)
			require.NoError(c, rows.Err())
			c.insert(tx, table, 102)
			return nil
		}))
		require.Equal(c, 102, c.count(c.engine(), table))
	}},
	{"a stream is ended before its transaction", func(c *run) {
		c.needs("Stream")
		table := c.items(1000)
		tx, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		rows, err := tx.Stream(c.ctx, "select * from "+table)
		require.NoError(c, err)
		require.True(c, rows.Next())
		c.is(tx.Commit(c.ctx), db.ErrInUse)
		require.NoError(c, rows.Close())
		require.NoError(c, tx.Commit(c.ctx))
	}},
	{"a stream's query may be wrong", func(c *run) {
		_, err := c.engine().Stream(c.ctx, "select * from dbconform_nothing")
		if c.can("Stream") {
			c.is(err, db.ErrUndefinedTable)
		} else {
			c.is(err, db.ErrUnsupported)
		}
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"a stream ends with its context", func(c *run) {
		table := c.items(3000)
		ctx, cancel := context.WithCancel(c.ctx)
		rows, err := c.engine().Stream(ctx, "select * from "+table)
		if c.unsupported("Stream", err) {
			cancel()
			return
		}
		require.True(c, rows.Next())
		cancel()
		for rows.Next() {
		}
		require.ErrorIs(c, rows.Err(), context.Canceled)
		require.NoError(c, rows.Close())
		require.Zero(c, c.engine().Stats().InUse)
		require.Equal(c, 3000, c.count(c.engine(), table))
	}},
}

// stream begins a stream. If the database has no streams, it checks the error and returns nil.
func (c *run) stream(query string, args ...any) *db.Rows {
	c.Helper()
	rows, err := c.engine().Stream(c.ctx, query, args...)
	if c.unsupported("Stream", err) {
		return nil
	}
	return rows
}
