package dbconform

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
)

// counted is a row of the tables for upserts.
type counted struct {
	ID    int
	Value string
	N     int
}

// upserter makes a table with rows 1 and 2, and returns an upsert for it.
func (c *run) upserter() db.Upsert {
	c.Helper()
	if _, ok := c.engine().Dialect().(backend.Upserter); !ok {
		_, err := db.UpsertText(c.engine().Dialect(), db.Upsert{Table: "t", Columns: []string{"id"}, Key: []string{"id"}})
		require.ErrorIs(c, err, db.ErrUnsupported)
		c.Skip("the dialect is no backend.Upserter")
	}
	table := c.table("id integer primary key", "value varchar(100) not null", "n integer not null")
	c.exec(c.engine(), "insert into "+table+" (id, value, n) values (1, 'one', 10), (2, 'two', 20)")
	return db.Upsert{Table: table, Columns: []string{"id", "value", "n"}, Key: []string{"id"}, Update: []string{"value"}, Add: []string{"n"}}
}

func (c *run) counted(u db.Upsert) []counted {
	c.Helper()
	all, err := db.All[counted](c.ctx, c.engine(), "select id, value, n from "+u.Table+" order by id")
	require.NoError(c, err)
	return all
}

var upserts = []test{
	{"a row is inserted, or changed", func(c *run) {
		u := c.upserter()
		_, err := db.ExecUpsert(c.ctx, c.engine(), u, []counted{{2, "second", 1}, {3, "three", 30}})
		require.NoError(c, err)
		require.Equal(c, []counted{{1, "one", 10}, {2, "second", 21}, {3, "three", 30}}, c.counted(u))
	}},
	{"without changes a row stays as it is", func(c *run) {
		u := c.upserter()
		u.Update, u.Add = nil, nil
		_, err := db.ExecUpsert(c.ctx, c.engine(), u, []map[string]any{{"id": 2, "value": "second", "n": 1}, {"id": 3, "value": "three", "n": 30}})
		require.NoError(c, err)
		require.Equal(c, []counted{{1, "one", 10}, {2, "two", 20}, {3, "three", 30}}, c.counted(u))
		u.Returning = []string{"id"}
		_, err = db.QueryUpsert[int](c.ctx, c.engine(), u, []counted{{2, "second", 1}})
		c.is(err, db.ErrMisuse)
		require.ErrorContains(c, err, "select the rows")
	}},
	{"what the rows are now is returned, in their order", func(c *run) {
		u := c.upserter()
		u.Returning = []string{"id", "value", "n"}
		_, err := db.ExecUpsert(c.ctx, c.engine(), u, []counted{{2, "second", 1}})
		c.is(err, db.ErrMisuse)
		got, err := db.QueryUpsert[counted](c.ctx, c.engine(), u, []counted{{3, "three", 30}, {1, "first", 1}})
		if err != nil {
			c.is(err, db.ErrUnsupported)
			require.Len(c, c.counted(u), 2, "nothing was done")
			return
		}
		require.Equal(c, []counted{{3, "three", 30}, {1, "first", 11}}, got)
	}},
	{"many rows, as a part of a transaction", func(c *run) {
		u := c.upserter()
		rows := make([]counted, 2500)
		for i := range rows {
			rows[i] = counted{i + 1, fmt.Sprint(i), 1}
		}
		require.NoError(c, c.engine().InTx(c.ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := db.ExecUpsert(ctx, tx, u, rows)
			return err
		}))
		all := c.counted(u)
		require.Len(c, all, len(rows))
		require.Equal(c, []counted{{1, "0", 11}, {2, "1", 21}, {3, "2", 1}}, all[:3])
	}},
	{"many callers count, and lose nothing", func(c *run) {
		u := c.upserter()
		require.NoError(c, c.together(30, func(ctx context.Context, i int) error {
			_, err := db.ExecUpsert(ctx, c.engine(), u, []counted{{1, "x", 1}})
			return err
		}))
		require.Equal(c, 40, c.counted(u)[0].N)
	}},
	{"names are names, whatever is in them", func(c *run) {
		u := c.upserter()
		for _, name := range []string{`x"; drop table ` + u.Table + `; --`, "x`; drop table " + u.Table + "; --", "a.b", ":id", "?"} {
			evil := u
			evil.Table = name
			_, err := db.ExecUpsert(c.ctx, c.engine(), evil, []counted{{1, "x", 1}})
			c.is(err, db.ErrUndefined)
			evil = u
			evil.Returning = []string{name}
			_, err = db.QueryUpsert[counted](c.ctx, c.engine(), evil, []counted{{1, "x", 1}})
			require.Error(c, err)
			evil = u
			evil.Columns = []string{"id", name}
			_, err = db.ExecUpsert(c.ctx, c.engine(), evil, []counted{{1, "x", 1}})
			c.is(err, db.ErrMisuse)
		}
		require.Len(c, c.counted(u), 2)
	}},
	{"what can't be right is refused", func(c *run) {
		for want, spoil := range map[string]func(u *db.Upsert){
			"needs a table":                  func(u *db.Upsert) { u.Table = "" },
			"needs columns":                  func(u *db.Upsert) { u.Columns = nil },
			"columns of a key":               func(u *db.Upsert) { u.Key = nil },
			`Key has the column "nothing"`:   func(u *db.Upsert) { u.Key = []string{"nothing"} },
			`"value" twice`:                  func(u *db.Upsert) { u.Add = append(u.Add, "value") },
			`Columns has the column "id" tw`: func(u *db.Upsert) { u.Columns = append(u.Columns, "id") },
			"zero byte":                      func(u *db.Upsert) { u.Schema = "a\x00" },
		} {
			u := db.Upsert{Table: "t", Columns: []string{"id", "value", "n"}, Key: []string{"id"}, Update: []string{"value"}, Add: []string{"n"}}
			spoil(&u)
			_, err := db.ExecUpsert(c.ctx, c.engine(), u, []counted{{1, "x", 1}})
			c.is(err, db.ErrMisuse)
			require.ErrorContains(c, err, want)
		}
		u := c.upserter()
		_, err := db.ExecUpsert(c.ctx, c.engine(), u, []map[string]any{{"id": 2}})
		c.is(err, db.ErrParameter)
	}},
}
