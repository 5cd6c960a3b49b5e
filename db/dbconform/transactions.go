package dbconform

import (
	"context"
	"database/sql"
	"errors"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var errOfTheCase = errors.New("an error of the case")

var transactions = []test{
	{"what is committed lasts", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 1)
			c.insert(tx, table, 2)
			require.Equal(c, 2, c.count(tx, table))
			return nil
		}))
		require.Equal(c, 2, c.count(c.engine(), table))
	}},
	{"an error rolls back and comes out as it is", func(c *run) {
		table := c.items(0)
		err := c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 1)
			return errOfTheCase
		})
		require.True(c, err == errOfTheCase)
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"a panic rolls back and goes on", func(c *run) {
		table := c.items(0)
		require.PanicsWithValue(c, "a panic of the case", func() {
			_ = c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
				c.insert(tx, table, 1)
				panic("a panic of the case")
			})
		})
		require.Zero(c, c.count(c.engine(), table))
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"a transaction by hand", func(c *run) {
		table := c.items(0)
		tx, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(tx, table, 1)
		require.NoError(c, tx.Commit(c.ctx))
		tx, err = c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(tx, table, 2)
		require.NoError(c, tx.Rollback(c.ctx))
		require.Equal(c, 1, c.count(c.engine(), table))
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"a transaction that has ended is of no use", func(c *run) {
		for _, commit := range []bool{true, false} {
			tx, err := c.engine().BeginTx(c.ctx)
			require.NoError(c, err)
			c.exec(tx, "select 1")
			if commit {
				require.NoError(c, tx.Commit(c.ctx))
			} else {
				require.NoError(c, tx.Rollback(c.ctx))
			}
			_, err = tx.Exec(c.ctx, "select 1")
			c.is(err, db.ErrTxDone)
			require.ErrorIs(c, err, sql.ErrTxDone)
			c.is(tx.Commit(c.ctx), db.ErrTxDone)
			c.is(tx.Rollback(c.ctx), db.ErrTxDone)
			_, err = tx.BeginTx(c.ctx)
			c.is(err, db.ErrTxDone)
		}
	}},
	{"a transaction that does nothing needs no connection", func(c *run) {
		tx, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		require.Zero(c, c.engine().Stats().InUse)
		require.NoError(c, tx.Commit(c.ctx))
		tx, err = c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		require.NoError(c, tx.Rollback(c.ctx))
	}},
	{"fn may end the transaction itself", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 1)
			return tx.Rollback(ctx)
		}))
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 2)
			return tx.Commit(ctx)
		}))
		c.finds(table, "id > 0", []int{2})
	}},
	{"transactions follow each other on a Conn", func(c *run) {
		table := c.items(0)
		conn := c.conn(c.engine())
		for i := range 4 {
			err := conn.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
				c.insert(tx, table, i)
				if i%2 == 1 {
					return errOfTheCase
				}
				return nil
			})
			if i%2 == 1 {
				require.ErrorIs(c, err, errOfTheCase)
			} else {
				require.NoError(c, err)
			}
			c.exec(conn, "select 1")
		}
		c.close(conn)
		c.finds(table, "id >= 0", []int{0, 2})
	}},
	{"while a transaction is open only it can be used", func(c *run) {
		table := c.items(1)
		conn := c.conn(c.engine())
		defer c.close(conn)
		tx, err := conn.BeginTx(c.ctx)
		require.NoError(c, err)
		_, err = conn.Exec(c.ctx, "delete from "+table)
		c.is(err, db.ErrMisuse)
		_, err = conn.BeginTx(c.ctx)
		c.is(err, db.ErrMisuse)
		require.NoError(c, tx.Commit(c.ctx))
		require.Equal(c, 1, c.count(conn, table))
	}},
	{"closing a Conn rolls back", func(c *run) {
		table := c.items(0)
		conn := c.conn(c.engine())
		tx, err := conn.BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(tx, table, 1)
		c.close(conn)
		_, err = tx.Exec(c.ctx, "select 1")
		c.is(err, db.ErrTxDone)
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"an error of the database in a transaction", func(c *run) {
		table := c.items(1)
		tx, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(tx, table, 2)
		_, err = tx.Exec(c.ctx, "insert into "+table+" values (1, 'x')")
		c.is(err, db.ErrUnique)
		_, err = tx.Exec(c.ctx, "insert into "+table+" values (3, 'x')")
		if c.can("ErrorFailsTx") {
			c.is(err, db.ErrTxFailed)
			require.ErrorIs(c, err, db.ErrUnique, "the reason is in the chain")
			c.is(tx.Commit(c.ctx), db.ErrTxFailed)
			require.Equal(c, 1, c.count(c.engine(), table))
		} else {
			require.NoError(c, err)
			require.NoError(c, tx.Commit(c.ctx))
			require.Equal(c, 3, c.count(c.engine(), table))
		}
		c.is(tx.Rollback(c.ctx), db.ErrTxDone)
	}},
	{"an error in the first statement of a transaction", func(c *run) {
		table := c.items(1)
		tx, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		_, err = tx.Exec(c.ctx, "select * from dbconform_nothing")
		c.is(err, db.ErrUndefinedTable)
		_, err = tx.Exec(c.ctx, "delete from "+table)
		if c.can("ErrorFailsTx") {
			c.is(err, db.ErrTxFailed)
		} else {
			require.NoError(c, err)
		}
		require.NoError(c, tx.Rollback(c.ctx))
		require.Equal(c, 1, c.count(c.engine(), table))
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"the connection of a failed transaction is as good as before", func(c *run) {
		table := c.items(1)
		e := c.engine()
		for range 3 {
			err := e.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "insert into "+table+" values (1, 'x')")
				return err
			})
			c.is(err, db.ErrUnique)
		}
		c.insert(e, table, 2)
		require.Zero(c, e.Stats().Discarded)
	}},
	{"an argument that can't be sent doesn't fail the transaction", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 1)
			_, err := tx.Exec(ctx, "insert into "+table+" values (:id, 'x')", named("id", func() {}))
			c.is(err, db.ErrParameter)
			_, err = tx.Exec(ctx, "insert into "+table+" values (:id, 'x')", named("ids", 2))
			c.is(err, db.ErrParameter)
			c.insert(tx, table, 3)
			return nil
		}))
		require.Equal(c, 2, c.count(c.engine(), table))
	}},
	{"reading in a read-only transaction", func(c *run) {
		table := c.items(3)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			require.Equal(c, 3, c.count(tx, table))
			_, err := tx.Exec(ctx, "delete from "+table)
			c.is(err, db.ErrReadOnly)
			require.Equal(c, 3, c.count(tx, table), "it goes on")
			return nil
		}, db.ReadOnly()))
	}},
	{"a transaction may write on a connection that may not", func(c *run) {
		table := c.items(1)
		conn := c.conn(c.engine(), db.ReadOnly())
		defer c.close(conn)
		err := conn.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "delete from "+table)
			return err
		})
		c.is(err, db.ErrReadOnly)
		require.NoError(c, conn.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.exec(tx, "delete from "+table)
			return nil
		}, db.ReadWrite()))
		require.Zero(c, c.count(conn, table))
	}},
	{"creating tables in a transaction", func(c *run) {
		table := c.items(1)
		const made = "dbconform_made"
		c.exec(c.engine(), "drop table if exists "+made)
		err := c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 2)
			_, err := tx.Exec(ctx, "create table "+made+" (id integer)")
			if !c.can("DDLInTx") {
				c.is(err, db.ErrMisuse)
				return errOfTheCase
			}
			require.NoError(c, err)
			c.exec(tx, "insert into "+made+" values (1)")
			return errOfTheCase
		})
		require.ErrorIs(c, err, errOfTheCase)
		require.Equal(c, 1, c.count(c.engine(), table))
		c.fails(db.ErrUndefinedTable, "select * from "+made)
	}},
	{"with AutoBegin nothing lasts until Commit", func(c *run) {
		table := c.items(0)
		conn := c.conn(c.engine(), db.AutoBegin())
		c.insert(conn, table, 1)
		require.NoError(c, conn.Commit(c.ctx))
		c.insert(conn, table, 2)
		require.NoError(c, conn.Rollback(c.ctx))
		c.insert(conn, table, 3)
		require.NoError(c, conn.Commit(c.ctx))
		require.NoError(c, conn.Commit(c.ctx), "there is nothing to commit")
		c.insert(conn, table, 4)
		c.close(conn)
		c.finds(table, "id > 0", []int{1, 3})
	}},
	{"with AutoBegin a transaction is a savepoint", func(c *run) {
		table := c.items(0)
		conn := c.conn(c.engine(), db.AutoBegin())
		c.insert(conn, table, 1)
		require.ErrorIs(c, conn.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 2)
			return errOfTheCase
		}), errOfTheCase)
		require.NoError(c, conn.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 3)
			return nil
		}))
		require.NoError(c, conn.Commit(c.ctx))
		c.close(conn)
		c.finds(table, "id > 0", []int{1, 3})
	}},
	{"without AutoBegin there is nothing to commit", func(c *run) {
		conn := c.conn(c.engine())
		defer c.close(conn)
		c.is(conn.Commit(c.ctx), db.ErrMisuse)
		c.is(conn.Rollback(c.ctx), db.ErrMisuse)
	}},
	{"others don't see what isn't committed", func(c *run) {
		c.unless("OneConn")
		c.needs("ParallelWrites")
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 1)
			require.Zero(c, c.count(c.engine(), table))
			return nil
		}))
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"two transactions write at the same time, or one after the other", func(c *run) {
		table := c.items(0)
		first, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(first, table, 1)
		second := func(ctx context.Context) error {
			return c.engine().InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "insert into "+table+" values (2, 'x')")
				return err
			})
		}
		if c.can("ParallelWrites") {
			require.NoError(c, second(c.ctx))
			require.NoError(c, first.Commit(c.ctx))
		} else {
			wait := c.start(c.ctx, second)
			c.until("the second waits", func() bool { return c.engine().Stats().Waiting == 1 })
			require.NoError(c, first.Commit(c.ctx))
			require.NoError(c, wait())
		}
		require.Equal(c, 2, c.count(c.engine(), table))
	}},
	{"one task at a time uses a transaction", func(c *run) {
		c.needs("SlowQuery")
		ctx, cancel := context.WithCancel(c.ctx)
		defer cancel()
		conn := c.conn(c.engine())
		wait := c.start(ctx, func(ctx context.Context) error {
			for {
				// This task's query may be the second one.
				if _, err := conn.Query(ctx, c.SlowQuery); !errors.Is(err, db.ErrInUse) {
					return err
				}
			}
		})
		var err error
		c.until("the other one is at it", func() bool {
			_, err = conn.Exec(c.ctx, "select 1")
			return err != nil
		})
		c.is(err, db.ErrInUse)
		require.ErrorIs(c, err, db.ErrMisuse)
		require.ErrorContains(c, err, "transactions.go:", "it names the places")
		cancel()
		require.ErrorIs(c, wait(), context.Canceled)
		c.close(conn)
	}},
}

var savepoints = []test{
	{"a savepoint that is released is part of the transaction", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 1)
			return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				c.insert(tx, table, 2)
				return nil
			})
		}))
		require.Equal(c, 2, c.count(c.engine(), table))
	}},
	{"a savepoint that fails takes back what is in it", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 1)
			require.ErrorIs(c, tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				c.insert(tx, table, 2)
				return errOfTheCase
			}), errOfTheCase)
			c.insert(tx, table, 3)
			return nil
		}))
		c.finds(table, "id > 0", []int{1, 3})
	}},
	{"an error of the database in a savepoint", func(c *run) {
		table := c.items(1)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 2)
			err := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				c.insert(tx, table, 3)
				_, err := tx.Exec(ctx, "insert into "+table+" values (1, 'x')")
				return err
			})
			c.is(err, db.ErrUnique)
			c.insert(tx, table, 4)
			return nil
		}))
		c.finds(table, "id > 0", []int{1, 2, 4})
	}},
	{"a panic in a savepoint", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			require.PanicsWithValue(c, "a panic of the case", func() {
				_ = tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					c.insert(tx, table, 1)
					panic("a panic of the case")
				})
			})
			c.insert(tx, table, 2)
			return nil
		}))
		c.finds(table, "id > 0", []int{2})
	}},
	{"to any depth", func(c *run) {
		table := c.items(0)
		var nest func(ctx context.Context, q db.Querier, depth int) error
		nest = func(ctx context.Context, q db.Querier, depth int) error {
			return q.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				c.insert(tx, table, depth)
				if depth < 12 {
					if err := nest(ctx, tx, depth+1); depth != 8 && err != nil {
						return err
					}
				}
				if depth == 9 {
					return errOfTheCase
				}
				return nil
			})
		}
		require.NoError(c, nest(c.ctx, c.engine(), 1))
		c.finds(table, "id > 0", []int{1, 2, 3, 4, 5, 6, 7, 8})
	}},
	{"one after the other", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			for i := range 6 {
				err := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					c.insert(tx, table, i)
					if i%3 == 0 {
						return errOfTheCase
					}
					return nil
				})
				if i%3 == 0 {
					require.ErrorIs(c, err, errOfTheCase)
				} else {
					require.NoError(c, err)
				}
			}
			return nil
		}))
		c.finds(table, "id >= 0", []int{1, 2, 4, 5})
	}},
	{"as the first thing in a transaction", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			require.ErrorIs(c, tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				c.insert(tx, table, 1)
				return errOfTheCase
			}), errOfTheCase)
			require.NoError(c, tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return nil }))
			c.insert(tx, table, 2)
			return nil
		}))
		c.finds(table, "id > 0", []int{2})
	}},
	{"only the innermost one can be used", func(c *run) {
		table := c.items(0)
		tx, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		inner, err := tx.BeginTx(c.ctx)
		require.NoError(c, err)
		_, err = tx.Exec(c.ctx, "select 1")
		c.is(err, db.ErrMisuse)
		c.is(tx.Commit(c.ctx), db.ErrMisuse)
		c.insert(inner, table, 1)
		require.NoError(c, inner.Commit(c.ctx))
		_, err = inner.Exec(c.ctx, "select 1")
		c.is(err, db.ErrTxDone)
		c.insert(tx, table, 2)
		require.NoError(c, tx.Commit(c.ctx))
		require.Equal(c, 2, c.count(c.engine(), table))
	}},
	{"rolling back a transaction ends the savepoints in it", func(c *run) {
		table := c.items(0)
		tx, err := c.engine().BeginTx(c.ctx)
		require.NoError(c, err)
		inner, err := tx.BeginTx(c.ctx)
		require.NoError(c, err)
		c.insert(inner, table, 1)
		require.NoError(c, tx.Rollback(c.ctx))
		_, err = inner.Exec(c.ctx, "select 1")
		c.is(err, db.ErrTxDone)
		require.Zero(c, c.count(c.engine(), table))
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"a savepoint is as read-only as its transaction", func(c *run) {
		table := c.items(1)
		err := c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "delete from "+table)
				return err
			}, db.ReadWrite())
		}, db.ReadOnly())
		c.is(err, db.ErrReadOnly)
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
}
