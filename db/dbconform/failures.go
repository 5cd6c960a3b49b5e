package dbconform

import (
	"context"
	"errors"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

var failures = []test{
	{"unique", func(c *run) {
		table := c.table("id integer primary key", "code varchar(20)", "constraint dbconform_code unique (code)")
		c.exec(c.engine(), "insert into "+table+" values (1, 'a')")
		e := c.fails(db.ErrUnique, "insert into "+table+" values (2, 'a')")
		require.ErrorIs(c, e, db.ErrConstraint)
		c.names(e, "dbconform_code")
		e = c.fails(db.ErrUnique, "insert into "+table+" values (1, 'b')")
		require.NotErrorIs(c, e, db.ErrForeignKey)
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"foreign key", func(c *run) {
		parents := c.table("id integer primary key")
		children := c.table("id integer primary key", "parent integer", "constraint dbconform_parent foreign key (parent) references "+parents+" (id)")
		c.exec(c.engine(), "insert into "+parents+" values (1)")
		c.exec(c.engine(), "insert into "+children+" values (1, 1)")
		e := c.fails(db.ErrForeignKey, "insert into "+children+" values (2, 7)")
		require.ErrorIs(c, e, db.ErrConstraint)
		c.fails(db.ErrForeignKey, "delete from "+parents)
		require.Equal(c, 1, c.count(c.engine(), parents))
	}},
	{"not null", func(c *run) {
		table := c.items(1)
		e := c.fails(db.ErrNotNull, "insert into "+table+" (id, value) values (2, null)")
		require.ErrorIs(c, e, db.ErrConstraint)
		if c.can("ColumnNames") {
			require.Equal(c, "value", e.Column)
		}
		c.fails(db.ErrNotNull, "update "+table+" set value = :v", named("v", nil))
	}},
	{"check", func(c *run) {
		table := c.table("n integer", "constraint dbconform_small check (n < 10)")
		e := c.fails(db.ErrCheck, "insert into "+table+" values (10)")
		require.ErrorIs(c, e, db.ErrConstraint)
		c.names(e, "dbconform_small")
	}},
	{"syntax", func(c *run) {
		c.fails(db.ErrSyntax, "selec 1")
		c.fails(db.ErrSyntax, "select from where")
	}},
	{"undefined table", func(c *run) {
		for _, text := range []string{"select * from dbconform_nothing", "insert into dbconform_nothing values (1)", "drop table dbconform_nothing"} {
			require.ErrorIs(c, c.fails(db.ErrUndefinedTable, text), db.ErrUndefined)
		}
	}},
	{"undefined column", func(c *run) {
		table := c.items(1)
		require.ErrorIs(c, c.fails(db.ErrUndefinedColumn, "select nosuch from "+table), db.ErrUndefined)
		c.fails(db.ErrUndefinedColumn, "insert into "+table+" (nosuch) values (1)")
		c.fails(db.ErrUndefinedColumn, "update "+table+" set nosuch = 1")
	}},
	{"undefined function", func(c *run) {
		c.fails(db.ErrUndefined, "select dbconform_nosuch(1)")
	}},
	{"no write where only reading is allowed", func(c *run) {
		table := c.items(1)
		err := c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "delete from "+table)
			return err
		}, db.ReadOnly())
		c.is(err, db.ErrReadOnly)
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"an error has the statement and its parameters", func(c *run) {
		table := c.items(1)
		query := "insert into " + table + " (id, value) values (:id, :value)"
		e := c.fails(db.ErrUnique, query, itemOf(1))
		require.Equal(c, query, e.Statement)
		require.Len(c, e.Params, 2)
		require.Equal(c, "id", e.Params[0].Name)
		require.EqualValues(c, 1, e.Params[0].Value)
		require.Equal(c, c.engine().Dialect().Name(), e.Dialect)
		require.Equal(c, "exec", e.Op)
		require.NotEmpty(c, e.Code, "the database's own code")
		require.Error(c, e.Err)
		require.ErrorContains(c, e, query)
		require.Equal(c, 1, strings.Count(e.Error(), query), "the statement is told once")
		require.ErrorContains(c, e, "[id int64, value string]", "names and types, no values")
		require.NotContains(c, e.Error(), "value 1")
	}},
	{"parameters can be shown", func(c *run) {
		e := c.engine(db.ShowParameters())
		table := c.items(1)
		value := "value 1"
		insert := "insert into " + table + " (id, value) values (:id, :value)"
		args := []any{named("id", 1), named("value", &value)}
		_, err := e.Exec(c.ctx, insert, args...)
		require.ErrorContains(c, c.is(err, db.ErrUnique), `[id=1, value="value 1"]`, "and not where it is in memory")
	}},
	{"parameters can be shown on one connection", func(c *run) {
		table := c.items(1)
		conn := c.conn(c.engine(), db.ShowParameters())
		defer c.close(conn)
		_, err := conn.Exec(c.ctx, "insert into "+table+" (id, value) values (:id, :value)", itemOf(1))
		require.ErrorContains(c, c.is(err, db.ErrUnique), `[id=1, value="value 1"]`)
	}},
	{"parameters can be hidden", func(c *run) {
		e := c.engine(db.HideParameters())
		table := c.items(0)
		c.insert(e, table, 1)
		_, err := e.Exec(c.ctx, "insert into "+table+" (id, value) values (1, :value)", named("value", "tell nobody"))
		require.Nil(c, c.is(err, db.ErrUnique).Params)
		require.NotContains(c, err.Error(), "tell nobody")
	}},
	{"parameters can be hidden on one connection", func(c *run) {
		conn := c.conn(c.engine(), db.HideParameters())
		defer c.close(conn)
		_, err := conn.Exec(c.ctx, "select * from dbconform_nothing where v = :v", named("v", "tell nobody"))
		require.Nil(c, c.is(err, db.ErrUndefinedTable).Params)
		require.NotContains(c, err.Error(), "tell nobody")
	}},
	{"an error outside of a transaction leaves nothing behind", func(c *run) {
		table := c.items(1)
		conn := c.conn(c.engine())
		defer c.close(conn)
		for range 3 {
			_, err := conn.Exec(c.ctx, "insert into "+table+" values (1, 'x')")
			c.is(err, db.ErrUnique)
			require.Equal(c, 1, c.count(conn, table))
		}
		require.Zero(c, c.engine().Stats().Discarded)
	}},
	{"the same error from a Conn, a Tx, a query and an Exec", func(c *run) {
		const text = "select * from dbconform_nothing"
		conn := c.conn(c.engine())
		_, err := conn.Query(c.ctx, text)
		c.is(err, db.ErrUndefinedTable)
		_, err = conn.Exec(c.ctx, text)
		c.is(err, db.ErrUndefinedTable)
		c.close(conn)
		err = c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			return tx.QueryRow(ctx, text).Err()
		})
		c.is(err, db.ErrUndefinedTable)
		_, err = db.All[int](c.ctx, c.engine(), text)
		c.is(err, db.ErrUndefinedTable)
	}},
	{"a division by zero is an error, or NULL", func(c *run) {
		table := c.items(1)
		got, err := db.Scalar[*float64](c.ctx, c.engine(), "select 1 / (id - 1) from "+table)
		if err != nil {
			c.is(err, db.ErrData)
		} else {
			require.Nil(c, got)
		}
	}},
	{"an error is one line", func(c *run) {
		e := c.fails(db.ErrUndefinedTable, "select *\n\tfrom dbconform_nothing\n\twhere a = 1")
		require.NotContains(c, e.Error(), "\n")
		require.Contains(c, e.Error(), "select * from dbconform_nothing where a = 1")
	}},
	{"a foreign error has no condition", func(c *run) {
		f := c.engine().Dialect().Fault(errors.New("something else"))
		require.NoError(c, f.Condition)
	}},
	{"an error that says what to do instead", func(c *run) {
		_, err := c.engine().Exec(c.ctx, "commit")
		c.is(err, db.ErrMisuse)
		require.ErrorContains(c, err, "Begin")
	}},
}

// fails runs a statement that must fail with the condition, and returns its error.
func (c *run) fails(condition error, query string, args ...any) *db.Error {
	c.Helper()
	_, err := c.engine().Exec(c.ctx, query, args...)
	return c.is(err, condition)
}

func (c *run) names(e *db.Error, constraint string) {
	c.Helper()
	if c.can("ConstraintNames") {
		require.Equal(c, constraint, e.Constraint)
	}
}
