package dbconform

import (
	"database/sql"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var results = []test{
	{"rows one by one", func(c *run) {
		rows := c.query(c.items(3))
		require.Equal(c, []string{"id", "value"}, rows.Columns())
		var got []item
		for rows.Next() {
			var it item
			require.NoError(c, rows.Scan(&it.ID, &it.Value))
			got = append(got, it)
		}
		require.NoError(c, rows.Err())
		require.NoError(c, rows.Close())
		require.Equal(c, []item{itemOf(1), itemOf(2), itemOf(3)}, got)
	}},
	{"a result without rows has columns", func(c *run) {
		rows := c.query(c.items(0))
		require.Equal(c, []string{"id", "value"}, rows.Columns())
		require.False(c, rows.Next())
		require.NoError(c, rows.Err())
	}},
	{"Scan takes as many variables as there are columns", func(c *run) {
		rows := c.query(c.items(1))
		require.True(c, rows.Next())
		var id int
		c.is(rows.Scan(&id), db.ErrScan)
	}},
	{"Scan comes after Next", func(c *run) {
		rows := c.query(c.items(1))
		var it item
		c.is(rows.Scan(&it.ID, &it.Value), db.ErrMisuse)
		require.True(c, rows.Next())
		require.False(c, rows.Next())
		c.is(rows.Scan(&it.ID, &it.Value), db.ErrClosed)
	}},
	{"closed rows are at their end", func(c *run) {
		rows := c.query(c.items(3))
		require.True(c, rows.Next())
		require.NoError(c, rows.Close())
		require.NoError(c, rows.Close())
		require.False(c, rows.Next())
	}},
	{"rows are complete: they need neither connection nor engine", func(c *run) {
		table := c.items(100)
		conn := c.conn(c.engine())
		rows, err := conn.Query(c.ctx, "select id from "+table)
		require.NoError(c, err)
		c.close(conn)
		c.exec(c.engine(), "delete from "+table)
		n := 0
		for rows.Next() {
			n++
		}
		require.Equal(c, 100, n)
	}},
	{"QueryRow", func(c *run) {
		table := c.items(3)
		var value string
		require.NoError(c, c.engine().QueryRow(c.ctx, "select value from "+table+" order by id").Scan(&value))
		require.Equal(c, "value 1", value)
	}},
	{"QueryRow without a row", func(c *run) {
		var value string
		row := c.engine().QueryRow(c.ctx, "select value from "+c.items(0))
		require.NoError(c, row.Err())
		err := row.Scan(&value)
		c.is(err, db.ErrNoRows)
		require.ErrorIs(c, err, sql.ErrNoRows)
	}},
	{"QueryRow has the query's error", func(c *run) {
		row := c.engine().QueryRow(c.ctx, "select * from dbconform_nothing")
		c.is(row.Err(), db.ErrUndefinedTable)
		c.is(row.Scan(), db.ErrUndefinedTable)
	}},
	{"All as structs", func(c *run) {
		got, err := db.All[item](c.ctx, c.engine(), "select value, id from "+c.items(3)+" order by id")
		require.NoError(c, err)
		require.Equal(c, []item{itemOf(1), itemOf(2), itemOf(3)}, got)
	}},
	{"All as pointers to structs", func(c *run) {
		got, err := db.All[*item](c.ctx, c.engine(), "select * from "+c.items(2)+" order by id")
		require.NoError(c, err)
		require.Equal(c, itemOf(2), *got[1])
	}},
	{"All as the values of a column", func(c *run) {
		got, err := db.All[string](c.ctx, c.engine(), "select value from "+c.items(2)+" order by id")
		require.NoError(c, err)
		require.Equal(c, []string{"value 1", "value 2"}, got)
	}},
	{"All of nothing", func(c *run) {
		got, err := db.All[item](c.ctx, c.engine(), "select * from "+c.items(0))
		require.NoError(c, err)
		require.NotNil(c, got)
		require.Empty(c, got)
	}},
	{"a column without a field is an error", func(c *run) {
		_, err := db.All[struct{ ID int }](c.ctx, c.engine(), "select * from "+c.items(1))
		c.is(err, db.ErrScan)
		require.ErrorContains(c, err, `"value"`)
	}},
	{"two columns for one field are an error", func(c *run) {
		_, err := db.All[item](c.ctx, c.engine(), "select id, id as id, value from "+c.items(1))
		c.is(err, db.ErrScan)
	}},
	{"fields by tag, by name in any case, and embedded", func(c *run) {
		type base struct{ ItemID int }
		type row struct {
			base
			Text string `db:"value"`
		}
		got, err := db.One[row](c.ctx, c.engine(), "select id as item_id, value from "+c.items(1))
		require.NoError(c, err)
		require.Equal(c, row{base{1}, "value 1"}, got)
	}},
	{"One", func(c *run) {
		table := c.items(2)
		got, err := db.One[item](c.ctx, c.engine(), "select * from "+table+" where id = 2")
		require.NoError(c, err)
		require.Equal(c, itemOf(2), got)
		_, err = db.One[item](c.ctx, c.engine(), "select * from "+table)
		c.is(err, db.ErrMultipleRows)
		_, err = db.One[item](c.ctx, c.engine(), "select * from "+table+" where id = 3")
		c.is(err, db.ErrNoRows)
		require.ErrorIs(c, err, sql.ErrNoRows)
	}},
	{"First", func(c *run) {
		table := c.items(3)
		got, err := db.First[item](c.ctx, c.engine(), "select * from "+table+" order by id desc")
		require.NoError(c, err)
		require.Equal(c, itemOf(3), got)
		_, err = db.First[item](c.ctx, c.engine(), "select * from "+table+" where id = 4")
		c.is(err, db.ErrNoRows)
	}},
	{"Scalar", func(c *run) {
		table := c.items(3)
		got, err := db.Scalar[string](c.ctx, c.engine(), "select value from "+table+" where id = 2")
		require.NoError(c, err)
		require.Equal(c, "value 2", got)
		_, err = db.Scalar[int](c.ctx, c.engine(), "select id from "+table)
		c.is(err, db.ErrMultipleRows)
		_, err = db.Scalar[int](c.ctx, c.engine(), "select id from "+table+" where id = 4")
		c.is(err, db.ErrNoRows)
		_, err = db.Scalar[int](c.ctx, c.engine(), "select id, value from "+table+" where id = 1")
		c.is(err, db.ErrScan)
	}},
	{"Map and Values", func(c *run) {
		rows := c.query(c.items(1))
		require.True(c, rows.Next())
		values, err := rows.Values()
		require.NoError(c, err)
		require.Equal(c, []any{int64(1), "value 1"}, values)
		m, err := rows.Map()
		require.NoError(c, err)
		require.Equal(c, map[string]any{"id": int64(1), "value": "value 1"}, m)
	}},
	{"Get", func(c *run) {
		rows := c.query(c.items(1))
		require.True(c, rows.Next())
		id, err := db.Get[int8](rows, "id")
		require.NoError(c, err)
		require.EqualValues(c, 1, id)
		_, err = db.Get[int](rows, "nosuch")
		c.is(err, db.ErrScan)
		require.ErrorContains(c, err, "nosuch")
		_, err = db.Get[int](rows, "value")
		c.is(err, db.ErrScan)
	}},
	{"ScanStruct", func(c *run) {
		rows := c.query(c.items(1))
		require.True(c, rows.Next())
		var got item
		require.NoError(c, rows.ScanStruct(&got))
		require.Equal(c, itemOf(1), got)
		c.is(rows.ScanStruct(got), db.ErrScan)
	}},
	{"Each", func(c *run) {
		var got []item
		for it, err := range db.Each[item](c.query(c.items(3))) {
			require.NoError(c, err)
			got = append(got, it)
		}
		require.Equal(c, []item{itemOf(1), itemOf(2), itemOf(3)}, got)
	}},
	{"Each ends early", func(c *run) {
		rows := c.query(c.items(3))
		for _, err := range db.Each[item](rows) {
			require.NoError(c, err)
			break
		}
		require.False(c, rows.Next(), "it closes the rows")
	}},
	{"Each ends with the row that doesn't fit", func(c *run) {
		table := c.table("id integer", "value varchar(100)")
		c.exec(c.engine(), "insert into "+table+" values (1, 'a'), (2, null), (3, 'c')")
		n := 0
		var last error
		for _, err := range db.Each[item](c.query(table)) {
			n++
			last = err
		}
		require.Equal(c, 2, n)
		c.is(last, db.ErrScan)
	}},
	{"Partitions", func(c *run) {
		var sizes []int
		for part, err := range db.Partitions[item](c.query(c.items(7)), 3) {
			require.NoError(c, err)
			sizes = append(sizes, len(part))
		}
		require.Equal(c, []int{3, 3, 1}, sizes)
		for _, err := range db.Partitions[item](c.query(c.tables[0]), 0) {
			c.is(err, db.ErrMisuse)
		}
	}},
	{"NULL needs a variable for it", func(c *run) {
		table := c.table("id integer", "value varchar(100)")
		c.exec(c.engine(), "insert into "+table+" values (1, null)")
		_, err := db.Scalar[string](c.ctx, c.engine(), "select value from "+table)
		c.is(err, db.ErrScan)
		require.ErrorContains(c, err, "NULL")
		_, err = db.Scalar[int](c.ctx, c.engine(), "select value from "+table)
		c.is(err, db.ErrScan)
	}},
	{"what doesn't fit a variable is an error", func(c *run) {
		table := c.table("id integer", "value varchar(100)")
		c.exec(c.engine(), "insert into "+table+" values (300, 'x')")
		_, err := db.Scalar[int8](c.ctx, c.engine(), "select id from "+table)
		c.is(err, db.ErrScan)
		_, err = db.Scalar[uint8](c.ctx, c.engine(), "select -id from "+table)
		c.is(err, db.ErrScan)
		_, err = db.Scalar[int](c.ctx, c.engine(), "select value from "+table)
		c.is(err, db.ErrScan)
		require.ErrorContains(c, err, "value")
	}},
	{"a large result", func(c *run) {
		const n = 5000
		got, err := db.All[item](c.ctx, c.engine(), "select * from "+c.items(n)+" order by id")
		require.NoError(c, err)
		require.Len(c, got, n)
		require.Equal(c, itemOf(n), got[n-1])
	}},
}

// query selects all rows of a table.
func (c *run) query(table string) *db.Rows {
	c.Helper()
	rows, err := c.engine().Query(c.ctx, "select * from "+table+" order by id")
	require.NoError(c, err)
	return rows
}
