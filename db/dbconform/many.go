package dbconform

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var many = []test{
	{"many rows in one call", func(c *run) {
		const n = 2500
		table := c.items(0)
		result, err := db.ExecMany(c.ctx, c.engine(), "insert into "+table+" (id, value) values (:id, :value)", itemsTo(n))
		require.NoError(c, err)
		require.EqualValues(c, n, result.RowsAffected())
		require.Equal(c, n, c.count(c.engine(), table))
	}},
	{"no rows are fine", func(c *run) {
		table := c.items(0)
		result, err := db.ExecMany(c.ctx, c.engine(), "insert into "+table+" (id, value) values (:id, :value)", []item(nil))
		require.NoError(c, err)
		require.Zero(c, result.RowsAffected())
	}},
	{"all or nothing", func(c *run) {
		table := c.items(1)
		rows := append(itemsTo(2000)[1:], itemOf(1))
		_, err := db.ExecMany(c.ctx, c.engine(), "insert into "+table+" (id, value) values (:id, :value)", rows)
		c.is(err, db.ErrUnique)
		require.ErrorContains(c, err, "row")
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"as a part of a transaction", func(c *run) {
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.insert(tx, table, 1)
			_, err := db.ExecMany(ctx, tx, "insert into "+table+" (id, value) values (:id, :value)", itemsTo(10))
			c.is(err, db.ErrUnique)
			_, err = db.ExecMany(ctx, tx, "insert into "+table+" (id, value) values (:id, :value)", itemsTo(10)[1:])
			return err
		}))
		require.Equal(c, 10, c.count(c.engine(), table))
	}},
	{"on a connection", func(c *run) {
		table := c.items(0)
		conn := c.conn(c.engine())
		defer c.close(conn)
		_, err := db.ExecMany(c.ctx, conn, "insert into "+table+" (id, value) values (:id, :value)", itemsTo(10))
		require.NoError(c, err)
		require.Equal(c, 10, c.count(conn, table))
	}},
	{"RETURNING in the order of the rows", func(c *run) {
		table := c.table("id "+c.Key, "value varchar(100)")
		const n = 1500
		rows := itemsTo(n)
		got, err := db.QueryMany[item](c.ctx, c.engine(), "insert into "+table+" (value) values (:value) returning id, value", rows)
		if c.unsupported("Returning", err) {
			return
		}
		require.Len(c, got, n)
		for i, it := range got {
			require.Equal(c, rows[i].Value, it.Value, "row %d", i)
		}
	}},
	{"updates, row by row", func(c *run) {
		const n = 600
		table := c.items(n)
		rows := itemsTo(n)
		for i := range rows {
			rows[i].Value = "new " + rows[i].Value
		}
		result, err := db.ExecMany(c.ctx, c.engine(), "update "+table+" set value = :value where id = :id", rows)
		require.NoError(c, err)
		require.EqualValues(c, n, result.RowsAffected())
		got, err := db.All[item](c.ctx, c.engine(), "select * from "+table+" order by id")
		require.NoError(c, err)
		require.Equal(c, rows, got)
	}},
	{"an error among updates names the row and undoes the others", func(c *run) {
		table := c.items(20)
		rows := itemsTo(20)
		for i := range rows {
			rows[i].Value = "new"
		}
		type change struct {
			ID    int64
			Value any
		}
		var changes []change
		for _, r := range rows {
			changes = append(changes, change{r.ID, r.Value})
		}
		changes[13].Value = nil
		_, err := db.ExecMany(c.ctx, c.engine(), "update "+table+" set value = :value where id = :id", changes)
		e := c.is(err, db.ErrNotNull)
		require.ErrorContains(c, err, "row 13")
		require.EqualValues(c, 14, e.Params[1].Value)
		c.finds(table, "value = 'new'", nil)
	}},
	{"a query for each row", func(c *run) {
		table := c.items(30)
		rows := []map[string]any{{"id": 7}, {"id": 3}, {"id": 7}, {"id": 30}}
		got, err := db.QueryMany[string](c.ctx, c.engine(), "select value from "+table+" where id = :id", rows)
		require.NoError(c, err)
		require.Equal(c, []string{"value 7", "value 3", "value 7", "value 30"}, got)
	}},
	{"each row must have one result", func(c *run) {
		table := c.items(3)
		_, err := db.QueryMany[string](c.ctx, c.engine(), "select value from "+table+" where id = :id", []map[string]any{{"id": 1}, {"id": 4}})
		c.is(err, db.ErrNoRows)
		_, err = db.QueryMany[string](c.ctx, c.engine(), "select value from "+table+" where id >= :id", []map[string]any{{"id": 3}, {"id": 2}})
		c.is(err, db.ErrMultipleRows)
	}},
	{"rows of all kinds of arguments", func(c *run) {
		table := c.items(0)
		insert := "insert into " + table + " (id, value) values (:id, :value)"
		_, err := db.ExecMany(c.ctx, c.engine(), insert, []map[string]any{{"id": 1, "value": "a"}})
		require.NoError(c, err)
		_, err = db.ExecMany(c.ctx, c.engine(), insert, [][]any{{named("id", 2), named("value", "b")}})
		require.NoError(c, err)
		own := itemOf(3)
		_, err = db.ExecMany(c.ctx, c.engine(), insert, []*item{&own})
		require.NoError(c, err)
		_, err = db.ExecMany(c.ctx, c.engine(), insert, []map[string]any{{"id": 4}})
		c.is(err, db.ErrParameter)
		c.finds(table, "id > 0", []int{1, 2, 3})
	}},
	{"the rest of the statement stays", func(c *run) {
		table := c.items(0)
		_, err := db.ExecMany(c.ctx, c.engine(), "INSERT INTO "+table+" (id, value) VALUES /* one */ (:id + 100, ':value' ) -- and nothing else", []map[string]any{{"id": 1}, {"id": 2}})
		require.NoError(c, err)
		c.finds(table, "value = ':value'", []int{101, 102})
	}},
}

// itemsTo returns the items 1 to n.
func itemsTo(n int) []item {
	rows := make([]item, n)
	for i := range rows {
		rows[i] = itemOf(i + 1)
	}
	return rows
}
