package dbconform

import (
	"context"
	"errors"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var concurrency = []test{
	{"hundreds insert and select at once", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.together(300, func(ctx context.Context, i int) error {
			if _, err := c.engine().Exec(ctx, "insert into "+table+" (id, value) values (:id, :value)", itemOf(i)); err != nil {
				return err
			}
			got, err := db.One[item](ctx, c.engine(), "select * from "+table+" where id = :id", named("id", i))
			if err == nil && got != itemOf(i) {
				err = fmt.Errorf("row %d is %+v", i, got)
			}
			return err
		}))
		require.Equal(c, 300, c.count(c.engine(), table))
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"each caller gets its own rows and errors", func(c *run) {
		table := c.items(50)
		require.NoError(c, c.together(200, func(ctx context.Context, i int) error {
			switch i % 4 {
			case 0:
				_, err := c.engine().Exec(ctx, "insert into "+table+" values (1, 'x')")
				return unless(errors.Is(err, db.ErrUnique), i, err)
			case 1:
				_, err := c.engine().Query(ctx, fmt.Sprintf("select nosuch_%d from %s", i, table))
				return unless(errors.Is(err, db.ErrUndefinedColumn), i, err)
			case 2:
				rows, err := db.All[int](ctx, c.engine(), "select id from "+table+" where id <= :n", named("n", i%50+1))
				return unless(err == nil && len(rows) == i%50+1, i, fmt.Errorf("%d rows, %w", len(rows), err))
			}
			v, err := db.Scalar[string](ctx, c.engine(), "select value from "+table+" where id = :id", named("id", i%50+1))
			return unless(err == nil && v == itemOf(i%50+1).Value, i, err)
		}))
	}},
	{"transactions at once lose nothing", func(c *run) {
		table := c.items(1)
		c.exec(c.engine(), "update "+table+" set value = ''")
		require.NoError(c, c.together(40, func(ctx context.Context, i int) error {
			return c.engine().InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				if _, err := tx.Exec(ctx, "update "+table+" set id = id + 1"); err != nil {
					return err
				}
				if i%4 == 3 {
					return tx.Rollback(ctx)
				}
				return nil
			})
		}))
		c.finds(table, "id > 0", []int{31})
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"more tasks than connections, each with one of its own", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.together(60, func(ctx context.Context, i int) error {
			conn, err := c.engine().Connect(ctx)
			if err != nil {
				return err
			}
			defer conn.Close()
			_, err = conn.Exec(ctx, "insert into "+table+" (id, value) values (:id, :value)", itemOf(i))
			return err
		}))
		require.Equal(c, 60, c.count(c.engine(), table))
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"some are cancelled, the others don't notice", func(c *run) {
		table := c.items(50)
		require.NoError(c, c.together(120, func(ctx context.Context, i int) error {
			if i%3 == 0 {
				ctx, cancel := context.WithCancel(ctx)
				stop := c.start(ctx, func(context.Context) error { cancel(); return nil })
				_, err := db.All[item](ctx, c.engine(), "select * from "+table)
				if e := stop(); err == nil {
					err = e
				}
				return unless(err == nil || errors.Is(err, context.Canceled), i, err)
			}
			rows, err := db.All[item](ctx, c.engine(), "select * from "+table)
			return unless(err == nil && len(rows) == 50, i, err)
		}))
		require.Zero(c, c.engine().Stats().InUse)
	}},
	{"the red face gives futures", func(c *run) {
		if !c.inLoop {
			c.Skip("the red face is for loops")
		}
		table := c.items(0)
		red := c.engine().Async()
		insert := red.Exec(c.ctx, "insert into "+table+" (id, value) values (:id, :value)", itemOf(1))
		result, err := await(c.ctx, insert)
		require.NoError(c, err)
		require.EqualValues(c, 1, result.RowsAffected())
		rows, err := await(c.ctx, red.Query(c.ctx, "select * from "+table))
		require.NoError(c, err)
		require.True(c, rows.Next())
		n, err := await(c.ctx, db.RunSync(c.ctx, red, func(ctx context.Context, conn *db.Conn) (int, error) {
			return db.Scalar[int](ctx, conn, "select count(*) from "+table)
		}))
		require.NoError(c, err)
		require.Equal(c, 1, n)
		_, err = await(c.ctx, red.Exec(c.ctx, "select * from dbconform_nothing"))
		c.is(err, db.ErrUndefinedTable)
	}},
}

func unless(ok bool, i int, err error) error {
	if ok {
		return nil
	}
	return fmt.Errorf("caller %d: %w", i, err)
}
