package dbconform

import (
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// These texts surround an IN; % stands for the IN itself.
var aroundLists = []string{
	"%", "not %", "(%)", "not (%)",
	"% is true", "% is false", "% is not true", "% is not false", "% is null", "% is not null",
	"% = true", "% = false", "% <> true", "true = %", "false = (%)",
	"% and n > 1", "n > 1 and %", "% or n = 1", "not % or n = 2", "n = 1 or % and v = 'b'", "n > 0 and not % and v <> 'c'",
	"case when % then 1 else 2 end = 1", "case % when true then 1 else 2 end = 2", "coalesce(%, false)", "coalesce(%, true) = false", "(% or false) = (n > 2)",
	"exists (select 1 from (select 1 as one) x where %)", "n = (select max(n) from (select 1 as n) x) or %",
	"% /* a comment */ is true -- and another",
}

// These are the left sides of an IN, the lists for them, and a list of values that aren't there.
var besidesLists = []struct {
	left  string
	lists []any
	none  string
}{
	{"n", []any{[]int{1}, []int{2, 3}, []int64{9, 1, 7, 3, 3}}, "-77"},
	{"n + 1", []any{[]int{2}, []int{3, 4, 5}}, "-77"},
	{"-n", []any{[]int{-2}}, "-77"},
	{"(n)", []any{[]int{2}}, "-77"},
	{"coalesce(n, 0)", []any{[]int{1, 2}}, "-77"},
	{"v", []any{[]string{"a"}, []string{"c", "b", "it's"}}, "'nothing'"},
	{"upper(v)", []any{[]string{"A", "B"}}, "'nothing'"},
	{"(n, v)", []any{[][]any{{1, "a"}}, [][]any{{1, "b"}, {2, "b"}, {3, "c"}}}, "(-77, 'nothing')"},
	{"((n), upper(v))", []any{[][]any{{1, "A"}}}, "(-77, 'nothing')"},
}

func (c *run) listTable() string {
	table := c.table("id integer primary key", "n integer", "v varchar(20)")
	c.exec(c.engine(), "insert into "+table+" (id, n, v) values (1, 1, 'a'), (2, 2, 'b'), (3, 3, 'c'), (4, 4, 'it''s')")
	return table
}

// literally writes a list into the text.
func literally(list any) string {
	var all []string
	value := func(v any) string {
		if s, ok := v.(string); ok {
			return "'" + strings.ReplaceAll(s, "'", "''") + "'"
		}
		return fmt.Sprint(v)
	}
	switch list := list.(type) {
	case []int:
		for _, v := range list {
			all = append(all, value(v))
		}
	case []int64:
		for _, v := range list {
			all = append(all, value(v))
		}
	case []string:
		for _, v := range list {
			all = append(all, value(v))
		}
	case [][]any:
		for _, row := range list {
			var values []string
			for _, v := range row {
				values = append(values, value(v))
			}
			all = append(all, "("+strings.Join(values, ", ")+")")
		}
	}
	return strings.Join(all, ", ")
}

var lists = []test{
	{"a list does what its elements in the text do, an empty one what one of nothing that is there does", func(c *run) {
		table := c.listTable()
		forms, compared := []string{"in (:list)", "in :list", "IN( /* all */ :list )"}, 0
		for i, beside := range besidesLists {
			for j, around := range aroundLists {
				for k, not := range []string{"", "not "} {
					form := forms[(i+j+k)%len(forms)]
					with := func(in string) string {
						return "select id from " + table + " where " + strings.ReplaceAll(around, "%", beside.left+" "+not+in) + "\n order by id"
					}
					for _, list := range append(beside.lists, []any(nil)) {
						text := literally(list)
						if text == "" {
							text = beside.none
						}
						want, err := db.All[int](c.ctx, c.engine(), with("in ("+text+")"))
						if err != nil {
							require.ErrorIs(c, err, db.ErrSyntax, "only what isn't SQL there is left out: %s", with("in ("+text+")"))
							continue
						}
						got, err := db.All[int](c.ctx, c.engine(), with(form), named("list", list))
						require.NoError(c, err)
						require.Equal(c, want, got, "%s with %v", with(form), list)
						compared++
					}
				}
			}
		}
		require.Greater(c, compared, 1000, "most forms are SQL everywhere")
	}},
	{"NULL is in no empty list, and not in it", func(c *run) {
		table := c.table("id integer primary key", "n integer", "v varchar(20)")
		c.exec(c.engine(), "insert into "+table+" (id, n, v) values (1, null, null), (2, 2, null)")
		for _, left := range []string{"n", "v", "(n, v)", "coalesce(n, null)"} {
			for around, want := range map[string][2][]int{
				"%": {nil, {1, 2}}, "not %": {{1, 2}, nil}, "% is null": {nil, nil}, "% is not null": {{1, 2}, {1, 2}}, "% is false": {{1, 2}, nil}, "% = true": {nil, {1, 2}},
			} {
				c.finds(table, strings.ReplaceAll(around, "%", left+" in (:none)"), want[0], named("none", []int{}))
				c.finds(table, strings.ReplaceAll(around, "%", left+" not in (:none)"), want[1], named("none", []int{}))
			}
		}
	}},
	{"NULL in a list is NULL", func(c *run) {
		table := c.listTable()
		c.finds(table, "n in (:l)", []int{1}, named("l", []any{1, nil}))
		c.finds(table, "n not in (:l)", nil, named("l", []any{1, nil}))
	}},
	{"after IN a value is one, too", func(c *run) {
		table := c.listTable()
		c.finds(table, "n in :one", []int{2}, named("one", 2))
		c.finds(table, "n in :one or n not in :other", []int{1, 2, 4}, named("one", 2), named("other", []int{2, 3}))
	}},
	{"a list more than once", func(c *run) {
		c.finds(c.listTable(), "n in (:l) and (n not in (:m) or n + 1 in (:l)) and v <> :v", []int{2, 3}, named("l", []int{1, 2, 3}), named("m", []int{}), named("v", "a"), struct{}{})
	}},
	{"lists in what changes rows", func(c *run) {
		table := c.listTable()
		c.exec(c.engine(), "update "+table+" set v = 'x' where n in (:l)", named("l", []int{}))
		c.finds(table, "v = 'x'", nil)
		result := c.exec(c.engine(), "update "+table+" set v = 'x' where n not in (:l)", named("l", []int{}))
		require.EqualValues(c, 4, result.RowsAffected())
		c.exec(c.engine(), "delete from "+table+" where n in (:l)", named("l", []int{1, 4}))
		c.finds(table, "v = 'x'", []int{2, 3})
		_, err := db.ExecMany(c.ctx, c.engine(), "delete from "+table+" where n in (:l)", []map[string]any{{"l": []int{}}, {"l": []int{2, 9}}})
		require.NoError(c, err)
		c.finds(table, "v = 'x'", []int{3})
	}},
	{"a list longer than the server's limit is an error that tells it", func(c *run) {
		table := c.listTable()
		for _, n := range []int{30000, 70000} {
			ids := make([]int, n)
			for i := range ids {
				ids[i] = i + 3
			}
			got, err := db.All[int](c.ctx, c.engine(), "select id from "+table+" where n in (:l) order by id", named("l", ids))
			if err == nil {
				require.Equal(c, []int{3, 4}, got)
				continue
			}
			c.is(err, db.ErrParameter)
			require.ErrorContains(c, err, "70000 parameters")
			require.ErrorContains(c, err, "split the list")
			require.Less(c, len(err.Error()), 1000, "it doesn't show them all")
		}
	}},
}
