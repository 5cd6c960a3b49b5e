package dbconform

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
)

// inspector returns the engine's Inspector. If the dialect has none, it ends the case.
func (c *run) inspector() db.Inspector {
	c.Helper()
	i := db.Inspect(c.engine())
	if _, ok := c.engine().Dialect().(backend.Inspector); !ok {
		_, err := i.Schemas(c.ctx)
		require.ErrorIs(c, err, db.ErrUnsupported)
		c.Skip("the dialect is no backend.Inspector")
	}
	return i
}

// described returns the description of a table, which the Inspector must find.
func (c *run) described(name string) *db.Table {
	c.Helper()
	t, err := c.inspector().Table(c.ctx, "", name)
	require.NoError(c, err)
	require.Equal(c, name, t.Name)
	return t
}

var inspecting = []test{
	{"schemas and tables", func(c *run) {
		i, table := c.inspector(), c.items(0)
		schemas, err := i.Schemas(c.ctx)
		require.NoError(c, err)
		own, err := i.DefaultSchema(c.ctx)
		require.NoError(c, err)
		require.Contains(c, schemas, own)
		tables, err := i.Tables(c.ctx, "")
		require.NoError(c, err)
		require.Contains(c, tables, table)
		require.True(c, slices.IsSorted(tables))
		same, err := i.Tables(c.ctx, own)
		require.NoError(c, err)
		require.Equal(c, tables, same)
		_, err = i.Table(c.ctx, "", "dbconform_nothing")
		c.is(err, db.ErrUndefinedTable)
		require.ErrorContains(c, err, "dbconform_nothing")
		_, err = i.Table(c.ctx, "dbconform_nothing", table)
		c.is(err, db.ErrUndefinedTable)
	}},
	{"columns", func(c *run) {
		c.inspector()
		t := c.described(c.table("id "+c.Key, "n "+c.Integer+" default 7 not null", "f "+c.Float, "v varchar(20) default 'a''b'", "m "+c.Moment))
		require.Nil(c, t.Column("nothing"))
		var names []string
		for _, column := range t.Columns {
			names = append(names, column.Name)
			require.Equal(c, column.Name == "id", column.AutoIncrement, column.Name)
			require.Equal(c, column.Name != "id" && column.Name != "n", column.Nullable, column.Name)
			require.Empty(c, column.Generated, column.Name)
			require.NotEmpty(c, column.Type, column.Name)
		}
		require.Equal(c, []string{"id", "n", "f", "v", "m"}, names)
		require.Contains(c, strings.ToLower(t.Column("v").Type), "char")
		require.Contains(c, t.Column("v").Type, "(20)")
		require.Contains(c, t.Column("n").Default, "7")
		require.Contains(c, t.Column("v").Default, "a")
		require.Empty(c, t.Column("f").Default)
		require.Equal(c, []string{"id"}, t.PrimaryKey.Columns)
		require.Empty(c, t.ForeignKeys)
		require.Empty(c, t.Unique)
		require.Empty(c, t.Checks)
		require.Empty(c, t.Indexes)
	}},
	{"generated columns", func(c *run) {
		c.inspector()
		t := c.described(c.table("a integer default 2", "b integer generated always as (a * 2) stored"))
		b := t.Column("b")
		require.Contains(c, b.Generated, "2")
		require.Contains(c, b.Generated, "a")
		require.True(c, b.Stored)
		require.Empty(c, b.Default)
		require.Empty(c, t.Column("a").Generated)
		require.Nil(c, t.PrimaryKey)
	}},
	{"keys and constraints", func(c *run) {
		c.inspector()
		parent := c.table("a integer not null", "b integer not null", "primary key (b, a)")
		child := c.table("id integer not null primary key", "x integer", "y integer", "z integer unique", "u varchar(10)", "n integer not null",
			"constraint "+parent+"_fk foreign key (x, y) references "+parent+" (b, a) on update cascade on delete set null",
			"constraint "+parent+"_uq unique (u, n)", "constraint "+parent+"_ck check (n > 3)")
		require.Equal(c, []string{"b", "a"}, c.described(parent).PrimaryKey.Columns)
		t := c.described(child)
		require.Equal(c, []db.ForeignKey{{
			Name: parent + "_fk", Columns: []string{"x", "y"}, RefSchema: t.Schema, RefTable: parent, RefColumns: []string{"b", "a"},
			OnUpdate: "CASCADE", OnDelete: "SET NULL",
		}}, t.ForeignKeys)
		require.Len(c, t.Unique, 2)
		i := slices.IndexFunc(t.Unique, func(k db.Key) bool { return k.Name == parent+"_uq" })
		require.GreaterOrEqual(c, i, 0, t.Unique)
		require.Equal(c, []string{"u", "n"}, t.Unique[i].Columns)
		require.Equal(c, []string{"z"}, t.Unique[1-i].Columns)
		require.Len(c, t.Checks, 1)
		require.Equal(c, parent+"_ck", t.Checks[0].Name)
		require.Contains(c, t.Checks[0].Expression, "> 3")
		for _, index := range t.Indexes {
			require.Equal(c, index.Unique, index.Constraint, index.Name)
		}
	}},
	{"a foreign key to a primary key, and to the table itself", func(c *run) {
		c.inspector()
		table := c.table("id integer not null primary key", "above integer")
		c.exec(c.engine(), "drop table "+table)
		c.exec(c.engine(), "create table "+table+" (id integer not null primary key, above integer, foreign key (above) references "+table+" (id))")
		f := c.described(table).ForeignKeys
		require.Len(c, f, 1)
		require.Equal(c, table, f[0].RefTable)
		require.Equal(c, []string{"id"}, f[0].RefColumns)
		require.Contains(c, []string{"NO ACTION", "RESTRICT"}, f[0].OnDelete)
	}},
	{"indexes", func(c *run) {
		c.inspector()
		table := c.table("id integer not null primary key", "a integer", "b integer", "v varchar(20)")
		e := c.engine()
		c.exec(e, "create index "+table+"_1 on "+table+" (b, a desc)")
		c.exec(e, "create unique index "+table+"_2 on "+table+" (a)")
		t := c.described(table)
		require.Len(c, t.Indexes, 2)
		require.Equal(c, table+"_1", t.Indexes[0].Name)
		require.False(c, t.Indexes[0].Unique)
		require.Equal(c, "b", t.Indexes[0].Parts[0].Column)
		require.Equal(c, "a", t.Indexes[0].Parts[1].Column)
		require.Equal(c, table+"_2", t.Indexes[1].Name)
		require.True(c, t.Indexes[1].Unique)
		require.Empty(c, t.Indexes[1].Where)
		if _, err := e.Exec(c.ctx, "create index "+table+"_3 on "+table+" (lower(v), id) where a > 5"); err != nil {
			require.True(c, errors.Is(err, db.ErrSyntax) || errors.Is(err, db.ErrUnsupported), err)
			return // the database has no such indexes
		}
		index := c.described(table).Indexes[2]
		require.Equal(c, db.IndexPart{Expression: "lower(v)"}, db.IndexPart{Expression: strings.ReplaceAll(index.Parts[0].Expression, "v::text", "v")})
		require.Equal(c, "id", index.Parts[1].Column)
		require.Contains(c, index.Where, "a > 5")
		require.True(c, t.Indexes[0].Parts[1].Desc)
	}},
	{"views", func(c *run) {
		i, table := c.inspector(), c.items(0)
		view := table + "_view"
		c.exec(c.engine(), "create view "+view+" as select id, value from "+table+" where id > 5")
		defer c.exec(c.engine(), "drop view "+view)
		views, err := i.Views(c.ctx, "")
		require.NoError(c, err)
		at := slices.IndexFunc(views, func(v db.View) bool { return v.Name == view })
		require.GreaterOrEqual(c, at, 0)
		require.Regexp(c, `(?is)^\s*select.*id.*from.*5\W*$`, views[at].Definition)
		tables, err := i.Tables(c.ctx, "")
		require.NoError(c, err)
		require.NotContains(c, tables, view)
		require.Len(c, c.described(view).Columns, 2, "a view has columns, too")
	}},
	{"names are names, whatever is in them", func(c *run) {
		i, table := c.inspector(), c.items(0)
		for _, name := range []string{`x'; drop table ` + table + `; --`, `x"; drop table ` + table + `; --`, "%", ":x", `\`} {
			_, err := i.Table(c.ctx, "", name)
			c.is(err, db.ErrUndefinedTable)
			tables, err := i.Tables(c.ctx, name)
			require.True(c, err != nil || len(tables) == 0, name)
		}
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"in a transaction, what it has made", func(c *run) {
		c.needs("DDLInTx")
		c.inspector()
		table := c.items(0)
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			c.exec(tx, "alter table "+table+" add column more integer")
			all, err := db.Inspect(tx).All(ctx, "")
			require.NoError(c, err)
			at := slices.IndexFunc(all, func(t *db.Table) bool { return t.Name == table })
			require.NotNil(c, all[at].Column("more"))
			return nil
		}))
	}},
}
