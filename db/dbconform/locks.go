package dbconform

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// In these cases a transaction of the case's engine holds a lock, and an impatient engine meets it.

var locks = []test{
	{"a lock that isn't free in time", func(c *run) {
		c.needs("Impatient")
		table, holder, other := c.locked()
		_, err := other.Exec(c.ctx, "update "+table+" set value = 'theirs' where id = 1")
		require.NotErrorIs(c, c.lockTimeout(err), db.ErrTimeout, "no deadline of the caller's has passed")
		require.NotErrorIs(c, err, db.ErrConflict, "nothing would be different if it ran again")
		require.ErrorContains(c, err, "theirs")
		require.NoError(c, holder.Commit(c.ctx))
		c.exec(other, "update "+table+" set value = 'theirs' where id = 1")
		c.finds(table, "value = 'theirs'", []int{1})
	}},
	{"in a transaction, which can be rolled back and run again", func(c *run) {
		c.needs("Impatient")
		table, holder, other := c.locked()
		tx, err := other.BeginTx(c.ctx)
		require.NoError(c, err)
		_, err = tx.Exec(c.ctx, "update "+table+" set value = 'theirs' where id = 1")
		c.lockTimeout(err)
		_, err = db.Scalar[int](c.ctx, tx, "select count(*) from "+table)
		if c.can("ErrorFailsTx") || !c.can("ParallelWrites") {
			require.ErrorIs(c, err, db.ErrTxFailed)
			require.ErrorIs(c, err, db.ErrLockTimeout, "it says why")
		} else {
			require.NoError(c, err, "only the statement is lost")
		}
		require.NoError(c, tx.Rollback(c.ctx))
		require.NoError(c, holder.Rollback(c.ctx))
		require.NoError(c, other.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "update "+table+" set value = 'theirs' where id = 1")
			return err
		}))
		c.finds(table, "value = 'theirs'", []int{1})
	}},
	{"in a savepoint, after which the transaction goes on", func(c *run) {
		c.needs("Impatient")
		c.needs("ParallelWrites") // otherwise the transaction couldn't begin
		table, holder, other := c.locked()
		require.NoError(c, other.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "update "+table+" set value = 'before' where id = 2")
			require.NoError(c, err)
			err = tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "update "+table+" set value = 'theirs' where id = 1")
				return err
			})
			c.lockTimeout(err)
			_, err = tx.Exec(ctx, "update "+table+" set value = 'after' where id = 3")
			return err
		}))
		require.NoError(c, holder.Rollback(c.ctx))
		c.finds(table, "value in ('before', 'theirs', 'after')", []int{2, 3})
	}},
	{"among many rows", func(c *run) {
		c.needs("Impatient")
		table, holder, other := c.locked()
		_, err := db.ExecMany(c.ctx, other, "update "+table+" set value = 'theirs' where id = :id", []map[string]any{{"id": 3}, {"id": 2}, {"id": 1}})
		c.lockTimeout(err)
		require.NoError(c, holder.Rollback(c.ctx))
		c.finds(table, "value = 'theirs'", nil)
	}},
	{"readers of what is committed don't wait", func(c *run) {
		c.needs("Impatient")
		table, holder, other := c.locked()
		got, err := db.Scalar[string](c.ctx, other, "select value from "+table+" where id = 1")
		require.NoError(c, err)
		require.Equal(c, "value 1", got)
		require.NoError(c, holder.Rollback(c.ctx))
	}},
	{"Retry doesn't wait again", func(c *run) {
		c.needs("Impatient")
		table, holder, other := c.locked()
		runs := 0
		err := db.Retry(c.ctx, other, func(ctx context.Context, tx *db.Tx) error {
			runs++
			_, err := tx.Exec(ctx, "update "+table+" set value = 'theirs' where id = 1")
			return err
		})
		c.lockTimeout(err)
		require.Equal(c, 1, runs)
		require.NoError(c, holder.Rollback(c.ctx))
	}},
}

// locked makes a table of three items. A transaction has changed the first one. locked also opens
// an impatient engine.
func (c *run) locked() (table string, holder *db.Tx, impatient *db.Engine) {
	c.Helper()
	table = c.items(3)
	holder, err := c.engine().BeginTx(c.ctx)
	require.NoError(c, err)
	c.exec(holder, "update "+table+" set value = 'mine' where id = 1")
	c.unlock = append(c.unlock, func(ctx context.Context) { _ = holder.Rollback(ctx) }) // in case the case fails before it rolls back
	impatient, err = c.Impatient(testing.TB(c.T), c.ctx, c.engine())
	require.NoError(c, err)
	c.opened = append(c.opened, impatient)
	return table, holder, impatient
}

func (c *run) lockTimeout(err error) error {
	c.Helper()
	e := c.is(err, db.ErrLockTimeout)
	require.ErrorIs(c, err, db.ErrBusy)
	require.NotEmpty(c, e.Code, "the database's own code")
	return err
}
