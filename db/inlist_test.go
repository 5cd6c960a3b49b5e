package db_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func fillItems(t *testing.T, ctx context.Context, e *db.Engine, n int) {
	t.Helper()
	dbtest.Items(t, ctx, e, e)
	rows := make([]map[string]any, n)
	for i := range rows {
		rows[i] = map[string]any{"v": "x"}
	}
	_, err := db.ExecMany(ctx, e, "insert into items(value) values (:v)", rows)
	require.NoError(t, err)
}

func TestInTakesLists(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		fillItems(t, ctx, e, 1000)
		many := make([]int, 600)
		for i := range many {
			many[i] = i + 1
		}
		for _, c := range []struct {
			list     any
			in, outs int
		}{
			{[]int{}, 0, 1000}, {[]int(nil), 0, 1000}, {[]any{}, 0, 1000},
			{[]int{1}, 1, 999}, {[]int{1, 2, 3}, 3, 997}, {[3]int64{1, 2, 2}, 2, 998}, {[]any{"1", 5}, 0, 0},
			{many, 600, 400}, {7, 1, 999}, {[]int{-1}, 0, 1000},
		} {
			if list, ok := c.list.([]any); ok && len(list) == 2 {
				continue // whether '1' is 1 depends on the database
			}
			n, err := db.Scalar[int](ctx, e, "select count(*) from items where id in (:ids)", db.Named("ids", c.list))
			require.NoError(t, err, "%v", c.list)
			require.Equal(t, c.in, n, "%v", c.list)
			n, err = db.Scalar[int](ctx, e, "select count(*) from items where id not in ( :ids /* all */ )", db.Named("ids", c.list))
			require.NoError(t, err, "%v", c.list)
			require.Equal(t, c.outs, n, "%v", c.list)
		}
		pairs := [][2]any{{1, "x"}, {2, "y"}, {3, "x"}}
		n, err := db.Scalar[int](ctx, e, "select count(*) from items where (id, value) IN (:pairs) and value = :v",
			map[string]any{"pairs": pairs, "v": "x"})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		result, err := e.Exec(ctx, "delete from items where id in (:ids) and value = :v and id <> :not",
			struct {
				IDs []int
				V   string
				Not int
			}{[]int{1, 2, 3, 4}, "x", 4})
		require.NoError(t, err)
		require.EqualValues(t, 3, result.RowsAffected())
	})
}

func TestListsThatCantBe(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		for _, c := range []struct {
			text string
			list any
			says string
		}{
			{"select :l", []int{1}, "it can stand alone in IN (:name)"},
			{"select 1 where 1 in (:l, 2)", []int{1}, "it can stand alone in IN (:name)"},
			{"select 1 where 1 in (:l) or :l = 1", []int{1}, "give the other ones another name"},
			{"select 1 where (1, 2) in (:l)", []any{[]int{1, 2}, []int{1}}, "element 1 of the list hasn't 2 values"},
			{"select 1 where 1 in (:l)", []any{1, []int{1}}, "element 1 of the list is a list"},
			{"select 1 where 1 in (:l)", make([]int, 70000), "split the list"},
		} {
			_, err := e.Query(ctx, c.text, db.Named("l", c.list))
			require.ErrorIs(t, err, db.ErrParameter, c.text)
			require.ErrorContains(t, err, c.says, c.text)
		}
		_, err := e.Exec(ctx, "delete from nope where id in (:ids)", db.Named("ids", []int{1, 2, 3}))
		require.ErrorContains(t, err, "[ids []int]")
		var is *db.Error
		require.ErrorAs(t, err, &is)
		require.Equal(t, []any{1, 2, 3, 3}, is.Params[0].Value, "filled up to a round length")
	})
}
