package dbconform

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var isolation = []test{
	{"a level that there isn't is refused", func(c *run) {
		conn := c.conn(c.engine())
		defer c.close(conn)
		nothing := func(context.Context, *db.Tx) error { return nil }
		for _, level := range []db.IsolationLevel{sql.LevelLinearizable, sql.LevelWriteCommitted, 99, -1} {
			c.is(c.engine().InTx(c.ctx, nothing, db.Isolation(level)), db.ErrUnsupported)
			_, err := c.engine().BeginTx(c.ctx, db.Isolation(level))
			c.is(err, db.ErrUnsupported)
			c.is(conn.InTx(c.ctx, nothing, db.Isolation(level)), db.ErrUnsupported)
			_, err = c.engine().Connect(c.ctx, db.Isolation(level))
			c.is(err, db.ErrUnsupported)
			_, err = c.Open(c.T, c.ctx, db.Isolation(level))
			require.ErrorIs(c, err, db.ErrUnsupported)
		}
		for _, level := range []db.IsolationLevel{db.DefaultIsolation, db.ReadUncommitted, db.ReadCommitted, db.RepeatableRead, sql.LevelSnapshot, db.Serializable} {
			require.NoError(c, conn.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error { return tx.QueryRow(ctx, "select 1").Err() }, db.Isolation(level)))
		}
	}},
	{"every level can be asked for", func(c *run) {
		table := c.items(3)
		for _, level := range []db.IsolationLevel{db.DefaultIsolation, db.ReadUncommitted, db.ReadCommitted, db.RepeatableRead, db.Serializable} {
			require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
				require.Equal(c, 3, c.count(tx, table))
				c.exec(tx, "update "+table+" set value = 'x' where id = 1")
				return nil
			}, db.Isolation(level)), "%v", level)
		}
	}},
	{"a level with reading only", func(c *run) {
		table := c.items(3)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			require.Equal(c, 3, c.count(tx, table))
			return nil
		}, db.Isolation(db.RepeatableRead), db.ReadOnly()))
	}},
	{"for an engine and for a connection", func(c *run) {
		c.engine(db.Isolation(db.Serializable))
		table := c.items(3)
		reads := func(q db.Querier) {
			require.NoError(c, q.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
				require.Equal(c, 3, c.count(tx, table))
				return nil
			}))
		}
		reads(c.engine())
		conn := c.conn(c.engine(), db.Isolation(db.RepeatableRead))
		defer c.close(conn)
		reads(conn)
	}},
	{"a repeatable read repeats", func(c *run) {
		c.unless("OneConn")
		c.needs("ParallelWrites")
		table := c.items(3)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			require.Equal(c, 3, c.count(tx, table))
			c.insert(c.engine(), table, 4)
			require.Equal(c, 3, c.count(tx, table))
			return nil
		}, db.Isolation(db.RepeatableRead)))
		require.Equal(c, 4, c.count(c.engine(), table))
	}},
	{"what is committed is seen at once at read committed", func(c *run) {
		c.unless("OneConn")
		c.needs("ParallelWrites")
		table := c.items(3)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			require.Equal(c, 3, c.count(tx, table))
			c.insert(c.engine(), table, 4)
			require.Equal(c, 4, c.count(tx, table))
			return nil
		}, db.Isolation(db.ReadCommitted)))
	}},
	{"two that read and write across don't both succeed unseen", func(c *run) {
		c.needs("Serialization")
		c.needs("ParallelWrites")
		table := c.items(2)
		conflicts := c.crossing(table, db.Isolation(db.Serializable))
		require.NotEmpty(c, conflicts)
		for _, err := range conflicts {
			c.is(err, db.ErrConflict)
		}
	}},
	{"Retry makes an end of conflicts", func(c *run) {
		table := c.items(1)
		c.exec(c.engine(), "update "+table+" set value = '0'")
		var tries atomic.Int64
		require.NoError(c, c.together(4, func(ctx context.Context, i int) error {
			return db.RetryPolicy{Attempts: 100}.InTx(ctx, c.engine(), func(ctx context.Context, tx *db.Tx) error {
				tries.Add(1)
				n, err := db.Scalar[int](ctx, tx, "select value from "+table)
				if err != nil {
					return err
				}
				_, err = tx.Exec(ctx, "update "+table+" set value = :v", named("v", string(rune('0'+n+1))))
				return err
			}, db.Isolation(db.Serializable))
		}))
		got, err := db.Scalar[string](c.ctx, c.engine(), "select value from "+table)
		require.NoError(c, err)
		require.Equal(c, "4", got)
		require.GreaterOrEqual(c, tries.Load(), int64(4))
	}},
	{"a deadlock ends one of the two", func(c *run) {
		c.needs("Deadlocks")
		table := c.items(2)
		both := [2]signal{newSignal(), newSignal()}
		update := func(ctx context.Context, tx *db.Tx, id int) error {
			_, err := tx.Exec(ctx, "update "+table+" set value = 'x' where id = :id", named("id", id))
			return err
		}
		var errs [2]error
		require.NoError(c, c.together(2, func(ctx context.Context, i int) error {
			errs[i] = c.engine().InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				err := update(ctx, tx, i+1)
				both[i].give()
				if err == nil {
					err = both[1-i].wait(ctx)
				}
				if err == nil {
					err = update(ctx, tx, 2-i)
				}
				return err
			})
			return nil
		}))
		err := errors.Join(errs[:]...)
		require.ErrorIs(c, err, db.ErrDeadlock)
		require.ErrorIs(c, err, db.ErrConflict)
		require.True(c, errs[0] == nil || errs[1] == nil, "%v", err)
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"Retry ends a deadlock", func(c *run) {
		c.needs("Deadlocks")
		table := c.items(2)
		both := [2]signal{newSignal(), newSignal()}
		require.NoError(c, c.together(2, func(ctx context.Context, i int) error {
			return db.Retry(ctx, c.engine(), func(ctx context.Context, tx *db.Tx) error {
				for k, id := range []int{i + 1, 2 - i} {
					if _, err := tx.Exec(ctx, "update "+table+" set value = 'x' where id = :id", named("id", id)); err != nil {
						return err
					}
					if k == 0 {
						both[i].give()
						if err := both[1-i].wait(ctx); err != nil {
							return err
						}
					}
				}
				return nil
			})
		}))
		c.finds(table, "value = 'x'", []int{1, 2})
	}},
	{"a part of a transaction can't be retried", func(c *run) {
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.is(db.Retry(ctx, tx, func(context.Context, *db.Tx) error { return nil }), db.ErrMisuse)
			return nil
		}))
	}},
}

// crossing runs two transactions, each of which reads the row that the other writes. It returns
// their errors.
func (c *run) crossing(table string, opts ...db.TxOption) []error {
	both := [2]signal{newSignal(), newSignal()}
	var errs [2]error
	_ = c.together(2, func(ctx context.Context, i int) error {
		errs[i] = c.engine().InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := db.Scalar[string](ctx, tx, "select value from "+table+" where id = :id", named("id", 2-i))
			both[i].give()
			if err == nil {
				err = both[1-i].wait(ctx)
			}
			if err == nil {
				_, err = tx.Exec(ctx, "update "+table+" set value = 'x' where id = :id", named("id", i+1))
			}
			return err
		}, opts...)
		return nil
	})
	var failed []error
	for _, err := range errs {
		if err != nil {
			failed = append(failed, err)
		}
	}
	return failed
}
