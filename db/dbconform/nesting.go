package dbconform

import (
	"context"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// nesting are the cases about values in values: the rows of a join, and the arguments for them.
var nesting = []test{
	{"a join is read into structs in a struct", func(c *run) {
		type author struct {
			ID   int
			Name string `db:"value"`
		}
		type post struct {
			ID     int
			Author author
			Editor *author
			More   *author `db:"more_,prefix"`
		}
		people := c.items(3)
		posts := c.table("id integer primary key", "author integer not null", "editor integer")
		c.exec(c.engine(), "insert into "+posts+" values (1, 1, 2), (2, 3, null)")
		got, err := db.All[post](c.ctx, c.engine(), `select p.id, a.id as "author.id", a.value as "author.value", e.id as "editor.id", e.value as "editor.value", e.id as more_id
			from `+posts+" p join "+people+" a on a.id = p.author left join "+people+" e on e.id = p.editor order by p.id")
		require.NoError(c, err)
		require.Equal(c, []post{
			{1, author{1, "value 1"}, &author{2, "value 2"}, &author{ID: 2}},
			{2, author{3, "value 3"}, nil, nil},
		}, got)
	}},
	{"a parameter is a value in an argument", func(c *run) {
		type author struct{ ID int }
		type post struct{ Author *author }
		table := c.items(3)
		for _, arg := range []any{post{&author{2}}, db.Args{"author": author{2}}, db.Args{"author": db.Args{"id": 2}}, named("author", &author{2})} {
			value, err := db.Scalar[string](c.ctx, c.engine(), "select value from "+table+" where id = :author.id", arg)
			require.NoError(c, err)
			require.Equal(c, "value 2", value)
		}
		_, err := db.Scalar[string](c.ctx, c.engine(), "select value from "+table+" where id = :author.id", post{})
		c.is(err, db.ErrNoRows)
		_, err = db.Scalar[string](c.ctx, c.engine(), "select value from "+table+" where id = :author.name", post{&author{2}})
		c.is(err, db.ErrParameter)
		list, err := db.All[int](c.ctx, c.engine(), "select id from "+table+" where id in (:want.ids) order by id", db.Args{"want": db.Args{"ids": []int{3, 1}}})
		require.NoError(c, err)
		require.Equal(c, []int{1, 3}, list)
	}},
	{"two columns into a map", func(c *run) {
		table := c.items(2)
		got, err := db.Map[int, string](c.ctx, c.engine(), "select id, value from "+table)
		require.NoError(c, err)
		require.Equal(c, map[int]string{1: "value 1", 2: "value 2"}, got)
		none, err := db.Map[int, *string](c.ctx, c.engine(), "select id, value from "+table+" where id > :id", db.Args{"id": 5})
		require.NoError(c, err)
		require.NotNil(c, none)
		require.Empty(c, none)
		_, err = db.Map[int, string](c.ctx, c.engine(), "select 1, value from "+table)
		c.is(err, db.ErrMultipleRows)
		_, err = db.Map[int, string](c.ctx, c.engine(), "select id from "+table)
		c.is(err, db.ErrScan)
		_, err = db.Map[int, int](c.ctx, c.engine(), "select id, value from "+table)
		c.is(err, db.ErrScan)
	}},
	{"one row is changed, or it is an error", func(c *run) {
		table := c.items(3)
		update := "update " + table + " set value = :value where id >= :from"
		require.NoError(c, db.ExecOne(c.ctx, c.engine(), update, db.Args{"value": "x", "from": 3}))
		require.NoError(c, db.ExecOne(c.ctx, c.engine(), update, db.Args{"value": "x", "from": 3}), "it has these values already")
		c.is(db.ExecOne(c.ctx, c.engine(), update, db.Args{"value": "x", "from": 4}), db.ErrNoRows)
		err := c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			return db.ExecOne(ctx, tx, update, db.Args{"value": "y", "from": 1})
		})
		require.Contains(c, c.is(err, db.ErrMultipleRows).Statement, "update "+table)
		values, err := db.All[string](c.ctx, c.engine(), "select value from "+table+" order by id")
		require.NoError(c, err)
		require.Equal(c, []string{"value 1", "value 2", "x"}, values, "the transaction was rolled back")
	}},
}
