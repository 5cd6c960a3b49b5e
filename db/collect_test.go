package db_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

type item struct {
	ID    int64
	Value string
}

// wrapped is a Querier of the application's own.
type wrapped struct{ db.Querier }

func TestAllOneAndScalar(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items, "insert into items(value) values ('a'), ('b')")
		const one, two, none = "select id, value from items where id = 1", "select id, value from items order by id", "select id, value from items where false"
		for _, q := range []db.Querier{e, wrapped{e}} {
			all, err := db.All[item](ctx, q, two)
			require.NoError(t, err)
			require.Equal(t, []item{{1, "a"}, {2, "b"}}, all)
			pointers, err := db.All[*item](ctx, q, two)
			require.NoError(t, err)
			require.Equal(t, []*item{{1, "a"}, {2, "b"}}, pointers)
			values, err := db.All[string](ctx, q, "select value from items order by id")
			require.NoError(t, err)
			require.Equal(t, []string{"a", "b"}, values)
			empty, err := db.All[item](ctx, q, none)
			require.NoError(t, err)
			require.Equal(t, []item{}, empty)
			_, err = db.All[string](ctx, q, two)
			require.ErrorContains(t, err, "the row has 2 columns (id, value), string takes one")
			require.ErrorContains(t, err, "[SQL: "+two)

			got, err := db.One[item](ctx, q, one)
			require.NoError(t, err)
			require.Equal(t, item{1, "a"}, got)
			_, err = db.One[item](ctx, q, none)
			require.ErrorIs(t, err, db.ErrNoRows)
			require.ErrorIs(t, err, sql.ErrNoRows)
			_, err = db.One[item](ctx, q, two)
			require.ErrorIs(t, err, db.ErrMultipleRows)
			require.ErrorContains(t, err, two)

			n, err := db.Scalar[int](ctx, q, countItems)
			require.NoError(t, err)
			require.Equal(t, 2, n)
			highest, err := db.Scalar[*int](ctx, q, "select max(id) from items where false")
			require.NoError(t, err)
			require.Nil(t, highest)
			_, err = db.Scalar[int](ctx, q, one)
			require.ErrorIs(t, err, db.ErrScan)
			_, err = db.Scalar[string](ctx, q, "select value from items where false")
			require.ErrorIs(t, err, db.ErrNoRows)
			_, err = db.Scalar[string](ctx, q, "select value from items")
			require.ErrorIs(t, err, db.ErrMultipleRows)
			_, err = db.Scalar[int](ctx, q, "select missing")
			require.ErrorIs(t, err, db.ErrUndefined)
			_, err = db.One[int](ctx, q, "select missing")
			require.ErrorIs(t, err, db.ErrUndefined)
			_, err = db.All[int](ctx, q, "select missing")
			require.ErrorIs(t, err, db.ErrUndefined)
		}
	})
}

// A write that returns rows must be read to its end; otherwise it would be undone.
func TestAWriteTakesEffectOnAllRowsHoweverManyAreRead(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		var id int
		require.NoError(t, e.QueryRow(ctx, "insert into items(value) values ('a'), ('b'), ('c') returning id").Scan(&id))
		require.Equal(t, 1, id)
		requireItems(t, ctx, e, 3)
		_, err := db.One[int](ctx, e, "update items set value = 'x' returning id")
		require.ErrorIs(t, err, db.ErrMultipleRows)
		n, err := db.Scalar[int](ctx, e, "select count(*) from items where value = 'x'")
		require.NoError(t, err)
		require.Equal(t, 3, n)
	})
}

func TestRowsAreReadWithoutTheirConnection(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items, "insert into items(value) values ('a'), ('b')")
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		rows, err := conn.Query(ctx, "select id, value from items order by id")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		dbtest.Exec(t, ctx, e, "delete from items")

		require.Equal(t, []string{"id", "value"}, rows.Columns())
		require.ErrorIs(t, rows.Scan(nil, nil), db.ErrMisuse, "before Next")
		var got []item
		for rows.Next() {
			var it item
			require.NoError(t, rows.Scan(&it.ID, &it.Value))
			var same item
			require.NoError(t, rows.ScanStruct(&same))
			require.Equal(t, it, same)
			values, err := rows.Values()
			require.NoError(t, err)
			require.Equal(t, []any{it.ID, it.Value}, values)
			got = append(got, it)
		}
		require.NoError(t, rows.Err())
		require.Equal(t, []item{{1, "a"}, {2, "b"}}, got)
		require.False(t, rows.Next())
		require.ErrorIs(t, rows.Scan(new(int), new(string)), db.ErrClosed)
		require.NoError(t, rows.Close())
		require.NoError(t, rows.Close())
	})
}

func TestClosedRowsHaveNoMoreRows(t *testing.T) {
	ctx := context.Background()
	e := dbtest.Open(t, ctx, "sqlite://")
	rows, err := e.Query(ctx, "values (1), (2)")
	require.NoError(t, err)
	require.True(t, rows.Next())
	require.NoError(t, rows.Close())
	require.False(t, rows.Next())
	_, err = rows.Values()
	require.ErrorIs(t, err, db.ErrClosed)

	var zero db.Rows
	require.False(t, zero.Next())
	require.Empty(t, zero.Columns())
}

func TestARowKeepsItsErrorForScan(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		row := e.QueryRow(ctx, "select missing")
		require.ErrorIs(t, row.Err(), db.ErrUndefined)
		require.ErrorIs(t, row.Scan(new(int)), db.ErrUndefined)
		row = e.QueryRow(ctx, "select 1 where false")
		require.NoError(t, row.Err())
		require.ErrorIs(t, row.Scan(new(int)), sql.ErrNoRows)
		var n int
		require.NoError(t, e.QueryRow(ctx, "values (1), (2)").Scan(&n))
		require.Equal(t, 1, n)
		err := e.QueryRow(ctx, "select 'x' as x").Scan(&n)
		require.ErrorIs(t, err, db.ErrScan)
		require.ErrorContains(t, err, "[SQL: select 'x' as x]")
	})
}
