package dbconform

import (
	"database/sql"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// These cases send arguments as values of columns, because some databases can't tell the type of a
// parameter that stands alone.

var parameters = []test{
	{"by name", func(c *run) {
		table := c.items(9)
		c.finds(table, "id > :low and id < :high", []int{4, 5}, named("high", 6), named("low", 3))
		c.finds(table, "id = :id", []int{2}, sql.Named("id", 2))
	}},
	{"a name that occurs several times has one argument", func(c *run) {
		c.finds(c.items(9), "id >= :n and id <= :n + 1 and id <> :n + 2 or value = :v or value = :v", []int{3, 4, 9},
			named("n", 3), named("v", "value 9"))
	}},
	{"in a map", func(c *run) {
		table := c.items(9)
		c.finds(table, "id = :id and value = :v", []int{2}, map[string]any{"id": 2, "v": "value 2"})
		c.finds(table, "id = :id", []int{2}, map[string]int{"id": 2})
	}},
	{"in a struct", func(c *run) {
		table := c.items(9)
		c.finds(table, "id = :id and value = :value", []int{2}, itemOf(2))
		own := itemOf(3)
		c.finds(table, "id = :id and value = :value", []int{3}, &own)
		c.finds(table, "id = :id", []int{3}, own)
		c.finds(table, "id = :the_number", []int{4}, struct{ TheNumber int }{4})
		c.finds(table, "id = :key", []int{5}, struct {
			N int `db:"key"`
		}{5})
		c.finds(table, "id = :id", []int{6}, struct{ item }{itemOf(6)})
	}},
	{"from several sources, of which the first holds", func(c *run) {
		c.finds(c.items(9), "id = :id and value = :value", []int{2}, named("id", 2), item{ID: 5, Value: "value 2"})
	}},
	{"a parameter without an argument is an error", func(c *run) {
		_, err := c.engine().Query(c.ctx, "select * from nothing where a = :first and b = :second", named("first", 1))
		c.is(err, db.ErrParameter)
		require.ErrorContains(c, err, "second")
	}},
	{"an argument without a parameter is an error", func(c *run) {
		for _, arg := range []any{named("secnd", 1), map[string]any{"secnd": 1}} {
			_, err := c.engine().Query(c.ctx, "select * from nothing where a = :second", arg)
			c.is(err, db.ErrParameter)
			require.ErrorContains(c, err, "secnd")
		}
	}},
	{"two arguments of one name are an error", func(c *run) {
		_, err := c.engine().Query(c.ctx, "select :a", named("a", 1), named("a", 2))
		c.is(err, db.ErrParameter)
	}},
	{"an argument without a name is an error", func(c *run) {
		for _, arg := range []any{1, "x", nil, []int{1}} {
			_, err := c.engine().Query(c.ctx, "select :a", arg)
			c.is(err, db.ErrParameter)
		}
	}},
	{"the database's own placeholders are refused", func(c *run) {
		_, err := c.engine().Query(c.ctx, "select "+c.engine().Dialect().Placeholder(1))
		c.is(err, db.ErrSyntax)
	}},
	{"no parameters in literals and comments", func(c *run) {
		got, err := db.Scalar[string](c.ctx, c.engine(), "select ':a it''s :b' /* :c */ -- :d")
		require.NoError(c, err)
		require.Equal(c, ":a it's :b", got)
	}},
	{"an escaped colon is one", func(c *run) {
		got, err := db.Scalar[string](c.ctx, c.engine(), `select 'a:b' -- \:c`)
		require.NoError(c, err)
		require.Equal(c, "a:b", got)
	}},
	{"an argument is data, whatever is in it", func(c *run) {
		table := c.items(1)
		for _, evil := range []string{"'; drop table " + table + "; --", `\'; --`, "\" or 1=1", ":id", "%s $1 ?", "x\\"} {
			c.finds(table, "value = :v", nil, named("v", evil))
			c.exec(c.engine(), "update "+table+" set value = :v", named("v", evil))
			c.finds(table, "value = :v", []int{1}, named("v", evil))
		}
	}},
	{"IN takes a list", func(c *run) {
		table := c.items(9)
		c.finds(table, "id in (:ids)", []int{2, 3, 5}, named("ids", []int{2, 3, 5}))
		c.finds(table, "id in (:ids)", []int{4}, named("ids", []int64{4}))
		c.finds(table, "value in (:values)", []int{4, 6}, named("values", []string{"value 4", "value 6", "value 99"}))
		c.finds(table, "id in (:ids)", []int{1, 8}, named("ids", []any{1, 8}))
		c.finds(table, "id in (:id)", []int{7}, named("id", 7))
	}},
	{"NOT IN takes a list", func(c *run) {
		c.finds(c.items(4), "id not in (:ids)", []int{1, 4}, named("ids", []int{2, 3}))
	}},
	{"nothing is in an empty list, and everything is not in it", func(c *run) {
		table := c.items(2)
		c.finds(table, "id in (:ids)", nil, named("ids", []int{}))
		c.finds(table, "id not in (:ids)", []int{1, 2}, named("ids", []int{}))
		c.finds(table, "value in (:values)", nil, named("values", []string(nil)))
	}},
	{"a list of tuples", func(c *run) {
		table := c.items(4)
		c.finds(table, "(id, value) in (:pairs)", []int{1, 3}, named("pairs", [][]any{{1, "value 1"}, {2, "value 1"}, {3, "value 3"}}))
		c.finds(table, "(id, value) in (:pairs)", []int{2}, named("pairs", [][]any{{2, "value 2"}}))
	}},
	{"lists of different lengths with the same text", func(c *run) {
		table := c.items(40)
		for _, n := range []int{1, 2, 3, 4, 5, 7, 8, 9, 31, 33, 0} {
			var ids []int
			for i := range n {
				ids = append(ids, i+1)
			}
			c.finds(table, "id in (:ids)", ids, named("ids", ids))
		}
	}},
	{"a list of a thousand", func(c *run) {
		table := c.items(10)
		ids := make([]int, 1000)
		for i := range ids {
			ids[i] = i + 8
		}
		c.finds(table, "id in (:ids)", []int{8, 9, 10}, named("ids", ids))
	}},
	{"a list and other parameters", func(c *run) {
		c.finds(c.items(9), "id > :low and id in (:ids) and value <> :v", []int{5, 6}, named("ids", []int{1, 5, 6, 7}), named("low", 2), named("v", "value 7"))
	}},
	{"a list is no single value", func(c *run) {
		if c.can("Arrays") {
			return // with arrays a list is one value; see types
		}
		table := c.items(1)
		_, err := c.engine().Query(c.ctx, "select * from "+table+" where id = :ids", named("ids", []int{1, 2}))
		c.is(err, db.ErrParameter)
		require.ErrorContains(c, err, "ids")
	}},
	{"a value of no known type is an error", func(c *run) {
		table := c.items(1)
		_, err := c.engine().Query(c.ctx, "select * from "+table+" where id = :id", named("id", make(chan int)))
		c.is(err, db.ErrParameter)
		require.ErrorContains(c, err, "id")
	}},
	{"NULL", func(c *run) {
		table := c.table("id integer primary key", "value varchar(100)")
		var none *string
		for i, arg := range []any{nil, none, sql.NullString{}, sql.Null[string]{}} {
			c.exec(c.engine(), "insert into "+table+" (id, value) values (:id, :v)", named("id", i), named("v", arg))
		}
		c.finds(table, "value is null", []int{0, 1, 2, 3})
	}},
	{"hundreds of parameters", func(c *run) {
		table := c.items(300)
		var where []string
		args := map[string]any{}
		for i := range 250 {
			name := "p" + strings.Repeat("x", i)
			where = append(where, "id = :"+name)
			args[name] = i + 1
		}
		var want []int
		for i := range 250 {
			want = append(want, i+1)
		}
		c.finds(table, strings.Join(where, " or "), want, args)
	}},
}

// finds checks for which rows of a table a condition holds.
func (c *run) finds(table, where string, want []int, args ...any) {
	c.Helper()
	got, err := db.All[int](c.ctx, c.engine(), "select id from "+table+" where "+where+" order by id", args...)
	require.NoError(c, err)
	if len(want) == 0 {
		require.Empty(c, got)
		return
	}
	require.Equal(c, want, got)
}
