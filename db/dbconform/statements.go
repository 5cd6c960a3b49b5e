package dbconform

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// commented are statements with comments around them.
var commented = []string{
	"%s", " \n%s\t", "%s;", "%s ; ", "/* a */%s/* b */", "-- it's\n%s -- b", "/*+ hint */ %s", "/* a */ %s /*traceparent='00-ab-01'*/", "%s; -- b",
	"/* ; */ %s; /* b */ -- ;",
}

var statements = []test{
	{"an insert says how many rows it made", func(c *run) {
		table := c.items(0)
		result := c.exec(c.engine(), "insert into "+table+" (id, value) values (1, 'a'), (2, 'b'), (3, 'c')")
		require.EqualValues(c, 3, result.RowsAffected())
		require.Equal(c, 3, c.count(c.engine(), table))
	}},
	{"a statement works with anything around it", func(c *run) {
		table := c.items(3)
		c.everywhere(func(q db.Querier) {
			for _, around := range commented {
				n, err := db.Scalar[int](c.ctx, q, fmt.Sprintf(around, "select count(*) from "+table+" where id > :n"), named("n", 1))
				require.NoError(c, err, around)
				require.Equal(c, 2, n)
				result, err := q.Exec(c.ctx, fmt.Sprintf(around, "update "+table+" set value = value where id in (:ids)"), named("ids", []int{1, 2, 3}))
				require.NoError(c, err, around)
				require.EqualValues(c, 3, result.RowsAffected())
			}
		})
	}},
	{"the server gets a statement as it is written", func(c *run) {
		c.needs("OwnText")
		c.everywhere(func(q db.Querier) {
			for _, around := range commented {
				text := fmt.Sprintf(around, c.OwnText)
				for range 2 { // the second time from the caches
					got, err := db.Scalar[string](c.ctx, q, text)
					require.NoError(c, err)
					require.Equal(c, trimmed(text), trimmed(got))
				}
				if !c.can("Stream") {
					continue
				}
				rows, err := q.(streamer).Stream(c.ctx, text)
				require.NoError(c, err)
				for got, err := range db.Each[string](rows) {
					require.NoError(c, err)
					require.Equal(c, trimmed(text), trimmed(got))
				}
			}
		})
	}},
	{"an update says how many rows it found", func(c *run) {
		table := c.items(5)
		result := c.exec(c.engine(), "update "+table+" set value = 'x' where id > 2")
		require.EqualValues(c, 3, result.RowsAffected())
		result = c.exec(c.engine(), "update "+table+" set value = 'x' where id > 2")
		require.EqualValues(c, 3, result.RowsAffected(), "also if it changes nothing about them")
		result = c.exec(c.engine(), "update "+table+" set value = 'x' where id > 5")
		require.Zero(c, result.RowsAffected())
	}},
	{"a delete says how many rows it removed", func(c *run) {
		table := c.items(5)
		require.EqualValues(c, 2, c.exec(c.engine(), "delete from "+table+" where id < 3").RowsAffected())
		require.EqualValues(c, 3, c.exec(c.engine(), "delete from "+table).RowsAffected())
		require.Zero(c, c.exec(c.engine(), "delete from "+table).RowsAffected())
	}},
	{"what changes no rows affects none", func(c *run) {
		c.items(3)
		require.Zero(c, c.exec(c.engine(), "create table if not exists "+c.tables[0]+" (id integer)").RowsAffected())
	}},
	{"Exec of a query drops its rows", func(c *run) {
		table := c.items(5)
		c.exec(c.engine(), "select * from "+table)
		require.Equal(c, 5, c.count(c.engine(), table))
	}},
	{"a query needs no table", func(c *run) {
		n, err := db.Scalar[int](c.ctx, c.engine(), "select 40 + 2")
		require.NoError(c, err)
		require.Equal(c, 42, n)
	}},
	{"the database's last id", func(c *run) {
		table := c.table("id "+c.Key, "value varchar(100)")
		for range 3 {
			result := c.exec(c.engine(), "insert into "+table+" (value) values ('x')")
			id, err := result.LastInsertID()
			if !c.can("LastInsertID") {
				c.is(err, db.ErrMisuse)
				require.ErrorContains(c, err, "returning")
				continue
			}
			require.NoError(c, err)
			newest, err := db.Scalar[int64](c.ctx, c.engine(), "select max(id) from "+table)
			require.NoError(c, err)
			require.Equal(c, newest, id)
		}
	}},
	{"only what inserts has a last id", func(c *run) {
		table := c.items(3)
		for _, text := range []string{"update " + table + " set value = 'x'", "delete from " + table} {
			_, err := c.exec(c.engine(), text).LastInsertID()
			c.is(err, db.ErrMisuse)
		}
	}},
	{"insert returning", func(c *run) {
		table := c.table("id "+c.Key, "value varchar(100)")
		got, err := db.One[item](c.ctx, c.engine(), "insert into "+table+" (value) values (:v) returning id, value", named("v", "x"))
		if c.unsupported("Returning", err) {
			return
		}
		require.Positive(c, got.ID)
		require.Equal(c, "x", got.Value)
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"update returning", func(c *run) {
		table := c.items(5)
		got, err := db.All[item](c.ctx, c.engine(), "update "+table+" set value = 'x' where id > 3 returning id, value")
		if c.unsupported("UpdateReturning", err) {
			return
		}
		require.ElementsMatch(c, []item{{4, "x"}, {5, "x"}}, got)
	}},
	{"delete returning", func(c *run) {
		table := c.items(3)
		got, err := db.All[int](c.ctx, c.engine(), "delete from "+table+" where id < 3 returning id")
		if c.unsupported("Returning", err) {
			return
		}
		require.ElementsMatch(c, []int{1, 2}, got)
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"Exec counts what a RETURNING changes", func(c *run) {
		c.needs("Returning")
		table := c.items(3)
		require.EqualValues(c, 2, c.exec(c.engine(), "delete from "+table+" where id < 3 returning id").RowsAffected())
	}},
	{"a write is complete though only its first row is read", func(c *run) {
		c.needs("Returning")
		table := c.items(100)
		_, err := db.First[int](c.ctx, c.engine(), "delete from "+table+" returning id")
		require.NoError(c, err)
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"a script runs all its statements", func(c *run) {
		table := c.items(0)
		c.exec(c.engine(), "insert into "+table+" values (1, 'a;b'); -- one; more\ninsert into "+table+" values (2, 'c'); delete from "+table+" where id = 1;")
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"a script is no transaction", func(c *run) {
		table := c.items(0)
		_, err := c.engine().Exec(c.ctx, "insert into "+table+" values (1, 'a'); insert into "+table+" values (1, 'b'); insert into "+table+" values (2, 'c')")
		c.is(err, db.ErrUnique)
		require.Equal(c, 1, c.count(c.engine(), table), "what comes before the failure stays, what comes after isn't done")
	}},
	{"a script takes no parameters", func(c *run) {
		_, err := c.engine().Exec(c.ctx, "select :a; select 2", named("a", 1))
		c.is(err, db.ErrSyntax)
	}},
	{"a script can't be queried", func(c *run) {
		_, err := c.engine().Query(c.ctx, "select 1; select 2")
		c.is(err, db.ErrMisuse)
	}},
	{"an empty statement is an error", func(c *run) {
		for _, text := range []string{"", " \n", ";", "-- nothing\n", "/* nothing */ ;"} {
			_, err := c.engine().Exec(c.ctx, text)
			c.is(err, db.ErrSyntax)
		}
	}},
	{"comments and semicolons around a statement are fine", func(c *run) {
		for _, text := range []string{"-- before\nselect 1", "/* before */ select 1 /* after */", "select 1;", " \n\tselect 1 ; -- after"} {
			n, err := db.Scalar[int](c.ctx, c.engine(), text)
			require.NoError(c, err, text)
			require.Equal(c, 1, n)
		}
	}},
	{"transactions aren't begun and ended by statements", func(c *run) {
		conn := c.conn(c.engine())
		defer c.close(conn)
		for _, text := range []string{"begin", "BEGIN", "/* x */ commit", "rollback", "savepoint a", "release savepoint a"} {
			for _, q := range []db.Querier{c.engine(), conn} {
				_, err := q.Exec(c.ctx, text)
				c.is(err, db.ErrMisuse)
			}
		}
	}},
	{"a statement has no zero bytes", func(c *run) {
		_, err := c.engine().Exec(c.ctx, "select 1\x00")
		c.is(err, db.ErrSyntax)
	}},
	{"a long statement", func(c *run) {
		text := strings.Repeat("x", 200_000)
		got, err := db.Scalar[string](c.ctx, c.engine(), "select '"+text+"'")
		require.NoError(c, err)
		require.Equal(c, trimmed(text), trimmed(got))
	}},
	{"the same statement many times", func(c *run) {
		table := c.items(10)
		for i := range 100 {
			v, err := db.Scalar[string](c.ctx, c.engine(), "select value from "+table+" where id = :id", named("id", i%10+1))
			require.NoError(c, err)
			require.Equal(c, itemOf(i%10+1).Value, v)
		}
	}},
	{"more different statements than are kept", func(c *run) {
		c.engine(db.StatementCache(4))
		for round := range 3 {
			for i := range 20 {
				n, err := db.Scalar[int](c.ctx, c.engine(), fmt.Sprintf("select %d + :n", i), named("n", round))
				require.NoError(c, err)
				require.Equal(c, i+round, n)
			}
		}
	}},
	{"a statement that was prepared sees the new columns", func(c *run) {
		table := c.items(1)
		conn := c.conn(c.engine())
		defer c.close(conn)
		shared := db.Querier(c.engine())
		if c.can("OneConn") {
			shared = conn
		}
		for _, q := range []db.Querier{shared, conn, shared} {
			for range 3 {
				_, err := q.Query(c.ctx, "select * from "+table)
				require.NoError(c, err)
			}
		}
		c.exec(shared, "alter table "+table+" add column more integer default 7")
		rows, err := shared.Query(c.ctx, "select * from "+table)
		require.NoError(c, err)
		require.Equal(c, []string{"id", "value", "more"}, rows.Columns())
		rows, err = conn.Query(c.ctx, "select * from "+table)
		require.NoError(c, err)
		require.Equal(c, []string{"id", "value", "more"}, rows.Columns())
		if !c.can("Stream") {
			return
		}
		c.exec(shared, "alter table "+table+" add column again integer default 8")
		rows, err = conn.Stream(c.ctx, "select * from "+table)
		require.NoError(c, err)
		require.True(c, rows.Next(), "%v", rows.Err())
		require.Equal(c, []string{"id", "value", "more", "again"}, rows.Columns())
		var again int
		require.NoError(c, rows.Scan(new(int), new(string), new(int), &again))
		require.Equal(c, 8, again)
		require.NoError(c, rows.Close())
	}},
	{"a function that takes a Querier runs alone, on a connection and in a transaction", func(c *run) {
		table := c.items(0)
		blue := func(ctx context.Context, q db.Querier, id int) error {
			if _, err := q.Exec(ctx, "insert into "+table+" (id, value) values (:id, :value)", itemOf(id)); err != nil {
				return err
			}
			got, err := db.One[item](ctx, q, "select * from "+table+" where id = :id", named("id", id))
			if err == nil && got != itemOf(id) {
				err = fmt.Errorf("%+v", got)
			}
			return err
		}
		require.NoError(c, blue(c.ctx, c.engine(), 1))
		conn := c.conn(c.engine())
		require.NoError(c, blue(c.ctx, conn, 2))
		require.NoError(c, conn.InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error { return blue(ctx, tx, 3) }))
		c.close(conn)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return blue(ctx, tx, 4) })
		}))
		require.Equal(c, 4, c.count(c.engine(), table))
	}},
}

// unsupported checks that err is nil if the Subject has the part, and db.ErrUnsupported if it lacks
// it. In the latter case it returns true: the case has nothing more to do.
func (c *run) unsupported(part string, err error) bool {
	c.Helper()
	if c.can(part) {
		require.NoError(c, err)
		return false
	}
	c.is(err, db.ErrUnsupported)
	return true
}

// everywhere calls fn with everything that can run a statement.
func (c *run) everywhere(fn func(q db.Querier)) {
	fn(c.engine())
	conn := c.conn(c.engine())
	fn(conn)
	require.NoError(c, conn.InTx(c.ctx, func(_ context.Context, tx *db.Tx) error {
		fn(tx)
		return nil
	}))
	c.close(conn)
}

// trimmed returns a text without the characters that servers themselves cut off.
func trimmed(text string) string { return strings.Trim(text, " \n\t;") }

// streamer is implemented by Engine, Conn and Tx.
type streamer interface {
	Stream(ctx context.Context, query string, args ...any) (*db.Rows, error)
}
