package db_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

type newItem struct{ Value string }

func manyItems(n int) []newItem {
	rows := make([]newItem, n)
	for i := range rows {
		rows[i].Value = fmt.Sprint("value ", i)
	}
	return rows
}

func TestAHundredThousandRowsInOneCall(t *testing.T) {
	type item struct {
		ID    int
		Value string
	}
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		n := 100_000
		switch {
		case raceDetector:
			n = 10_000 // SQLite is slow with the race detector; plain runs insert all rows
		case c.Loop:
			n = 20_000 // the code is the same for any number
		}
		dbtest.Items(t, ctx, e, e)
		rows := manyItems(n)
		got, err := db.QueryMany[item](ctx, e, "insert into items(value) values (:value) returning id, value", rows)
		require.NoError(t, err)
		require.Len(t, got, n)
		for i, it := range got {
			if it.Value != rows[i].Value || i > 0 && it.ID <= got[i-1].ID {
				t.Fatalf("row %d: %+v after %+v, for %+v", i, it, got[max(0, i-1)], rows[i])
			}
		}
	})
}

func TestManyRowsAreAllOrNothing(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table u(id integer primary key, value varchar(100))")
		ids := func(from, to int) (rows []map[string]any) {
			for i := from; i < to; i++ {
				rows = append(rows, map[string]any{"id": i, "v": i * i})
			}
			return rows
		}
		const insert = "INSERT INTO u (id, value) VALUES /* one */ (:id, :v) -- and nothing else"
		result, err := db.ExecMany(ctx, e, insert, ids(0, 2500))
		require.NoError(t, err)
		require.EqualValues(t, 2500, result.RowsAffected())
		_, err = db.ExecMany(ctx, e, insert, append(ids(2500, 6000), ids(7, 8)...))
		require.ErrorIs(t, err, db.ErrUnique)
		require.ErrorContains(t, err, "rows 3000 to 3500")
		count := func(q db.Querier) int {
			n, err := db.Scalar[int](ctx, q, "select count(*) from u")
			require.NoError(t, err)
			return n
		}
		require.Equal(t, 2500, count(e))
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := db.ExecMany(ctx, tx, insert, append(ids(2500, 2600), ids(7, 8)...))
			require.ErrorIs(t, err, db.ErrUnique)
			require.Equal(t, 2500, count(tx), "in a transaction it is a savepoint")
			_, err = db.ExecMany(ctx, tx, insert, ids(2500, 2501))
			return err
		}))
		require.Equal(t, 2501, count(e))

		result, err = db.ExecMany(ctx, e, "update u set value = 'new' where id = :id and value = :v", ids(0, 1000))
		require.NoError(t, err)
		require.EqualValues(t, 1000, result.RowsAffected())
		_, err = db.ExecMany(ctx, e, "update u set id = :v where id = :id", ids(0, 1000))
		require.ErrorIs(t, err, db.ErrUnique)
		require.ErrorContains(t, err, "row 2:", "0 and 1 are their own squares")
		_, err = db.ExecMany(ctx, e, "delete from u where id in (:l)", [][]any{{db.Named("l", []int{1, 2})}, {db.Named("l", []int{3})}})
		require.NoError(t, err)
		require.Equal(t, 2498, count(e))
	})
}

func TestManyRowsThatCantBe(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		const insert = "insert into items(value) values (:value)"
		_, err := db.ExecMany(ctx, e, insert, []map[string]any{{"value": "a"}, {"valeu": "b"}})
		require.ErrorIs(t, err, db.ErrParameter)
		require.ErrorContains(t, err, "row 1")
		_, err = db.QueryMany[int](ctx, e, "insert into items(value) select :value where 1 = 0 returning id", manyItems(2))
		require.ErrorIs(t, err, db.ErrNoRows)
		_, err = db.ExecMany(ctx, e, "nonsense", manyItems(2))
		require.ErrorIs(t, err, db.ErrSyntax)
		result, err := db.ExecMany(ctx, e, insert, []newItem{})
		require.NoError(t, err)
		require.Zero(t, result.RowsAffected())
		n, err := db.Scalar[int](ctx, e, "select count(*) from items")
		require.NoError(t, err)
		require.Zero(t, n)
		_, err = db.ExecMany(ctx, e, insert, []newItem{{strings.Repeat("x", 50)}, {strings.Repeat("y", 90)}})
		require.NoError(t, err)
	})
}

func TestHowManyRowsAreOneStatement(t *testing.T) {
	var texts []string
	watch := db.OnEvents(db.Events{BeforeExecute: func(_ context.Context, x *db.Execution) error {
		texts = append(texts, x.Statement)
		return nil
	}})
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, "sqlite://", watch)
		dbtest.Exec(t, ctx, e, "create table t(a, b)")
		run := func(query string, n int) int {
			rows := make([]map[string]any, n)
			for i := range rows {
				rows[i] = map[string]any{"a": i, "b": i}
			}
			texts = nil
			_, err := db.ExecMany(ctx, e, query, rows)
			require.NoError(t, err, query)
			return len(texts)
		}
		require.Equal(t, 3, run("insert into t values (:a, :b)", 2001))
		require.Equal(t, 3, run("insert into t(a, b) values (:a + 1, abs(:b))", 2001))
		require.Equal(t, 2, run("replace into t(a, b) values (:a, (select max(:b, 1)))", 1001))
		require.Equal(t, 5, run("insert into t values (:a, 1), (1, :b)", 5), "two rows are not made four")
		require.Equal(t, 5, run("insert into t select :a, :b", 5))
		require.Equal(t, 5, run("insert into t values (:a, 1) returning :b", 5))
		big := []map[string]any{}
		for range 30 {
			big = append(big, map[string]any{"a": strings.Repeat("x", 100_000), "b": 1})
		}
		texts = nil
		_, err := db.ExecMany(ctx, e, "insert into t values (:a, :b)", big)
		require.NoError(t, err)
		require.Len(t, texts, 3, "large values make smaller statements")
	})
}
