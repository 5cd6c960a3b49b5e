package dbconform

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var permissions = []test{
	{"a user that may read can't write", func(c *run) {
		c.needs("Reader")
		table := c.items(2)
		reader := c.reader()
		require.Equal(c, 2, c.count(reader, table))
		for _, text := range []string{
			"insert into " + table + " (id, value) values (3, 'x')",
			"update " + table + " set value = 'x'",
			"delete from " + table,
			"drop table " + table,
			"create table dbconform_forbidden (id integer primary key)",
		} {
			_, err := reader.Exec(c.ctx, text)
			e := c.is(err, db.ErrPermission)
			require.Equal(c, text, e.Statement)
			require.NotEmpty(c, e.Code, "the database's own code")
			for _, other := range []error{db.ErrReadOnly, db.ErrUndefined, db.ErrMisuse, db.ErrDisconnected} {
				require.NotErrorIs(c, err, other)
			}
		}
		c.finds(table, "value like 'value %'", []int{1, 2})
	}},
	{"nor with RETURNING", func(c *run) {
		c.needs("Reader")
		table := c.items(2)
		reader := c.reader()
		for _, k := range []struct {
			text string
			can  bool
		}{
			{"delete from " + table + " returning id", c.can("Returning")},
			{"update " + table + " set value = 'x' returning id", c.can("UpdateReturning")},
		} {
			_, err := db.All[int](c.ctx, reader, k.text)
			if k.can {
				c.is(err, db.ErrPermission)
			} else {
				c.is(err, db.ErrUnsupported)
			}
		}
		c.finds(table, "value like 'value %'", []int{1, 2})
	}},
	{"nor many rows", func(c *run) {
		c.needs("Reader")
		table := c.items(1)
		_, err := db.ExecMany(c.ctx, c.reader(), "insert into "+table+" (id, value) values (:id, :value)", itemsTo(9)[1:])
		c.is(err, db.ErrPermission)
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"in a transaction it is an error as any other", func(c *run) {
		c.needs("Reader")
		table := c.items(2)
		require.NoError(c, c.reader().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			err := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "delete from "+table)
				c.is(err, db.ErrPermission)
				_, again := db.Scalar[int](ctx, tx, "select count(*) from "+table)
				if c.can("ErrorFailsTx") {
					require.ErrorIs(c, again, db.ErrTxFailed)
					require.ErrorIs(c, again, db.ErrPermission, "it says why")
				} else {
					require.NoError(c, again)
				}
				return err
			})
			c.is(err, db.ErrPermission)
			_, err = db.Scalar[int](ctx, tx, "select count(*) from "+table)
			return err
		}))
		require.Equal(c, 2, c.count(c.engine(), table))
	}},
	{"a wrong password", func(c *run) {
		c.needs("Reader")
		const wrong = "not-the-password"
		_, err := c.Reader(testing.TB(c.T), c.ctx, wrong)
		e := c.is(err, db.ErrPermission)
		require.Equal(c, "connect", e.Op)
		require.NotContains(c, err.Error(), wrong)
		require.NotErrorIs(c, err, db.ErrDisconnected)
	}},
}

// reader opens an engine for a user who may only read.
func (c *run) reader() *db.Engine {
	c.Helper()
	e, err := c.Reader(testing.TB(c.T), c.ctx, ReaderPassword)
	require.NoError(c, err)
	c.opened = append(c.opened, e)
	return e
}
