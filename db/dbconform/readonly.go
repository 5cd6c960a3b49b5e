package dbconform

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// unseen is a query that writes but doesn't look like it.
type unseen struct {
	c            *run
	table, query string
}

func writesUnseen(c *run) unseen {
	c.needs("Writer")
	table := c.items(0)
	function := table + "_w"
	c.exec(c.engine(), c.Writer(function, table))
	c.unlock = append(c.unlock, func(ctx context.Context) {
		if _, err := c.engine().Exec(ctx, "drop function "+function); err != nil && !c.Failed() {
			c.Errorf("dropping the case's function: %v", err)
		}
	})
	return unseen{c, table, "select " + function + "()"}
}

// refused checks that the query writes in none of the ways to run it.
func (u unseen) refused(ctx context.Context, q db.Querier) {
	c := u.c
	c.Helper()
	calls := []func() error{
		func() error { _, err := q.Query(ctx, u.query); return err },
		func() error { return q.QueryRow(ctx, u.query).Scan(new(int)) },
		func() error { _, err := q.Exec(ctx, u.query); return err },
		func() error { _, err := db.All[int](ctx, q, u.query+" where :a = 1", named("a", 1)); return err },
		func() error {
			_, err := db.QueryMany[int](ctx, q, u.query+" where :a = 1", []map[string]any{{"a": 1}, {"a": 1}})
			return err
		},
		func() error {
			return q.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { _, err := tx.Exec(ctx, u.query); return err })
		},
		func() error {
			return q.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { _, err := tx.Query(ctx, u.query); return err })
			})
		},
	}
	if c.can("Stream") {
		calls = append(calls, func() error {
			rows, err := q.(streamer).Stream(ctx, u.query)
			if err != nil {
				return err
			}
			for rows.Next() {
			}
			return rows.Err()
		})
	}
	for i, call := range calls {
		if tx, ok := q.(*db.Tx); ok { // after an error the transaction may be useless
			call := call
			outer := q
			require.ErrorIs(c, tx.InTx(ctx, func(_ context.Context, inner *db.Tx) error {
				q = inner
				defer func() { q = outer }()
				return call()
			}), db.ErrReadOnly, i)
			continue
		}
		require.ErrorIs(c, call(), db.ErrReadOnly, i)
	}
}

// none checks that nothing has been written.
func (u unseen) none(q db.Querier) {
	u.c.Helper()
	require.Zero(u.c, u.c.count(q, u.table))
}

// written checks that the query writes once through q, and undoes that.
func (u unseen) written(ctx context.Context, q db.Querier) {
	u.c.Helper()
	_, err := q.Query(ctx, u.query)
	require.NoError(u.c, err)
	require.Equal(u.c, 1, u.c.count(q, u.table))
	u.c.exec(q, "delete from "+u.table)
}

var readOnly = []test{
	{"an Engine that only reads calls no function that writes", func(c *run) {
		u := writesUnseen(c)
		e := c.another(db.ReadOnly(), db.PoolSize(1), db.MaxOverflow(0))
		for range 2 {
			u.refused(c.ctx, e)
			conn := c.conn(e)
			u.refused(c.ctx, conn)
			u.none(conn)
			c.close(conn)
			u.none(e)
			// A caller that may write does so on the same connection.
			require.NoError(c, e.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error { u.written(ctx, tx); return nil }, db.ReadWrite()))
			conn = c.conn(e, db.ReadWrite())
			u.written(c.ctx, conn)
			require.NoError(c, conn.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error { u.refused(ctx, tx); return nil }, db.ReadOnly()))
			u.written(c.ctx, conn)
			c.close(conn)
		}
	}},
	{"a Conn that only reads calls no function that writes", func(c *run) {
		u := writesUnseen(c)
		e := c.another(db.PoolSize(1), db.MaxOverflow(0))
		for range 2 {
			conn := c.conn(e, db.ReadOnly())
			u.refused(c.ctx, conn)
			u.none(conn)
			require.NoError(c, conn.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error { u.written(ctx, tx); return nil }, db.ReadWrite()))
			u.refused(c.ctx, conn)
			c.close(conn)
			u.written(c.ctx, e)
			conn = c.conn(e)
			u.written(c.ctx, conn)
			c.close(conn)
			conn = c.conn(e, db.ReadOnly(), db.AutoBegin())
			_, err := conn.Query(c.ctx, u.query)
			c.is(err, db.ErrReadOnly)
			c.close(conn)
			u.none(e)
		}
	}},
	{"a transaction that only reads calls no function that writes", func(c *run) {
		u := writesUnseen(c)
		e := c.engine()
		require.NoError(c, e.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error { u.refused(ctx, tx); return nil }, db.ReadOnly()))
		u.none(e)
		u.written(c.ctx, e)
	}},
	{"a Reader calls no function that writes, and its Engine does", func(c *run) {
		u := writesUnseen(c)
		e := c.another(db.PoolSize(1), db.MaxOverflow(0))
		for range 2 {
			u.refused(c.ctx, e.Reader())
			require.ErrorIs(c, e.Reader().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, u.query)
				return err
			}, db.ReadWrite()), db.ErrReadOnly)
			_, err := e.Reader().Exec(c.ctx, "delete from "+u.table)
			c.is(err, db.ErrReadOnly)
			u.none(e.Reader())
			u.written(c.ctx, e)
		}
	}},
	{"nothing that is said on it makes a Conn that only reads write", func(c *run) {
		u := writesUnseen(c)
		e := c.another(db.ReadOnly(), db.PoolSize(1), db.MaxOverflow(0))
		for _, text := range []string{
			"set transaction read write", "set session characteristics as transaction read write", "set default_transaction_read_only = off",
			"select set_config('default_transaction_read_only', 'off', false)", "select set_config('transaction_read_only', 'off', false)",
			"reset all", "discard all", "reset default_transaction_read_only", "set local transaction_read_only = off",
			"set session transaction read write", "set @@session.transaction_read_only = 0", "set @@session.tx_read_only = 0", "set tx_read_only = off",
			"start transaction read write", "begin", "commit",
			fmt.Sprintf("set transaction read write; %s", u.query),
		} {
			for _, say := range []func(q db.Querier) error{
				func(q db.Querier) error {
					if q != db.Querier(e) {
						return nil
					}
					_, err := e.Reader().Exec(c.ctx, text)
					return err
				},
				func(q db.Querier) error { _, err := q.Exec(c.ctx, text); return err },
				func(q db.Querier) error { _, err := q.Query(c.ctx, text); return err },
			} {
				_ = say(e) // most databases refuse most of these
				_, err := e.Query(c.ctx, u.query)
				require.ErrorIs(c, err, db.ErrReadOnly, text)
				conn := c.conn(e)
				_ = say(conn)
				_, err = conn.Query(c.ctx, u.query)
				require.ErrorIs(c, err, db.ErrReadOnly, text)
				c.close(conn)
				require.Error(c, e.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
					_ = say(tx)
					_, err := tx.Query(ctx, u.query)
					return err
				}), text)
			}
		}
		u.none(e)
	}},
	{"reading goes on as it does elsewhere", func(c *run) {
		table := c.items(3)
		conn := c.conn(c.engine(), db.ReadOnly())
		read := func(q db.Querier) {
			require.Equal(c, 3, c.count(q, table))
			for range 2 { // the second time from the caches
				got, err := db.One[item](c.ctx, q, "select id, value from "+table+" where id = :id", named("id", 2))
				require.NoError(c, err)
				require.Equal(c, itemOf(2), got)
				_, err = q.Exec(c.ctx, "select value from "+table)
				require.NoError(c, err)
				if c.can("Stream") {
					rows, err := q.(streamer).Stream(c.ctx, "select id, value from "+table+" order by id")
					require.NoError(c, err)
					n := 0
					for got, err := range db.Each[item](rows) {
						require.NoError(c, err)
						n++
						require.Equal(c, itemOf(n), got)
					}
					require.Equal(c, 3, n)
				}
			}
			_, err := q.Query(c.ctx, "select nosuch from "+table)
			c.is(err, db.ErrUndefinedColumn)
		}
		read(conn)
		read(conn)
		require.Error(c, conn.InTx(c.ctx, func(_ context.Context, tx *db.Tx) error { read(tx); return errOwn }))
		c.close(conn)
		read(c.engine().Reader())
		c.insert(c.engine(), table, 4)
	}},
}
