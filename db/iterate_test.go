package db_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

const allItems = "select id, value from items order by id"

func TestNamedAccess(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		rows, err := e.Query(ctx, "select 1 as a, 'x' as b, 2 as c, 3 as c")
		require.NoError(t, err)
		_, err = db.Get[int](rows, "a")
		require.ErrorIs(t, err, db.ErrMisuse, "before Next")
		require.True(t, rows.Next())
		a, err := db.Get[int](rows, "a")
		require.NoError(t, err)
		b, err := db.Get[string](rows, "b")
		require.NoError(t, err)
		require.Equal(t, "1 x", fmt.Sprint(a, " ", b))
		m, err := rows.Map()
		require.NoError(t, err)
		require.Equal(t, map[string]any{"a": int64(1), "b": "x", "c": int64(3)}, m)
		for column, says := range map[string]string{"nope": "there are a, b, c, c", "c": "two columns", "b": "into int"} {
			_, err = db.Get[int](rows, column)
			require.ErrorIs(t, err, db.ErrScan)
			require.ErrorContains(t, err, says)
		}
	})
}

func TestFirst(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		fillItems(t, ctx, e, 3)
		id, err := db.First[int](ctx, e, "select id from items order by id desc")
		require.NoError(t, err)
		require.Equal(t, 3, id)
		_, err = db.First[int](ctx, e, "select id from items where id > 3")
		require.ErrorIs(t, err, db.ErrNoRows)
		_, err = db.First[int](ctx, e, "select id, value from items")
		require.ErrorIs(t, err, db.ErrScan)
	})
}

func TestIteratorsOverBufferedAndStreamedRows(t *testing.T) {
	type item struct {
		ID    int
		Value string
	}
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		fillItems(t, ctx, e, 2500)
		for name, query := range map[string]func(context.Context, string, ...any) (*db.Rows, error){"buffered": e.Query, "streamed": e.Stream} {
			rows, err := query(ctx, allItems)
			require.NoError(t, err)
			n := 0
			for it, err := range db.Each[item](rows) {
				n++
				if err != nil || it != (item{n, "x"}) {
					t.Fatalf("%s: row %d is %+v, %v", name, n, it, err)
				}
			}
			require.Equal(t, 2500, n, name)

			rows, err = query(ctx, "select id from items order by id")
			require.NoError(t, err)
			var sizes []int
			for part, err := range db.Partitions[int](rows, 999) {
				require.NoError(t, err)
				sizes = append(sizes, len(part))
			}
			require.Equal(t, []int{999, 999, 502}, sizes, name)

			rows, err = query(ctx, allItems)
			require.NoError(t, err)
			for it, err := range db.Each[*item](rows) {
				if err != nil {
					t.Fatal(err)
				}
				if it.ID == 100 {
					break
				}
			}
			require.False(t, rows.Next(), "leaving the loop closes them")

			rows, err = query(ctx, allItems)
			require.NoError(t, err)
			for _, err := range db.Each[int](rows) {
				require.ErrorIs(t, err, db.ErrScan)
			}
			rows, err = query(ctx, allItems)
			require.NoError(t, err)
			for _, err := range db.Partitions[item](rows, 0) {
				require.ErrorIs(t, err, db.ErrMisuse)
			}
			require.Zero(t, e.Stats().InUse, name)
		}
	})
}

func TestAStreamHoldsItsConnectionUntilItEnds(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		fillItems(t, ctx, e, 2000)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			rows, err := tx.Stream(ctx, allItems)
			require.NoError(t, err)
			require.True(t, rows.Next())
			_, err = tx.Exec(ctx, "select 1")
			require.ErrorIs(t, err, db.ErrInUse)
			require.ErrorContains(t, err, "iterate_test.go", "it says where")
			require.ErrorIs(t, tx.Commit(ctx), db.ErrInUse)
			require.NoError(t, rows.Close())
			require.NoError(t, rows.Close())
			_, err = tx.Exec(ctx, "insert into items(value) values ('y')")
			return err
		}))
		rows, err := conn.Stream(ctx, allItems)
		require.NoError(t, err)
		n := 0
		for rows.Next() {
			n++
		}
		require.NoError(t, rows.Err())
		require.Equal(t, 2001, n)
		_, err = conn.Exec(ctx, "select 1")
		require.NoError(t, err, "the end of the rows ends the stream")
		_, err = conn.Stream(ctx, "select * from nope")
		require.ErrorIs(t, err, db.ErrUndefinedTable)
		_, err = e.Stream(ctx, "select * from nope")
		require.ErrorIs(t, err, db.ErrUndefinedTable)
		require.Equal(t, 1, e.Stats().InUse)
	})
}

// A result that is too large for a test is read only as far as the reader wants.
func TestAStreamIsNoFasterThanItsReader(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		endless := "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n"
		if e.Dialect().Name() == "mysql" {
			endless = "select seq from seq_1_to_1000000000000"
		}
		rows, err := e.Stream(ctx, endless)
		require.NoError(t, err)
		for i := range 5000 {
			require.True(t, rows.Next(), "%v", rows.Err())
			var n int
			require.NoError(t, rows.Scan(&n))
			require.Equal(t, i+1, n)
		}
		require.NoError(t, rows.Close())
		require.Zero(t, e.Stats().Discarded)

		own, cancel := context.WithCancelCause(ctx)
		mine := errors.New("mine")
		rows, err = e.Stream(own, endless)
		require.NoError(t, err)
		require.True(t, rows.Next())
		cancel(mine)
		for rows.Next() {
		}
		require.ErrorIs(t, rows.Err(), mine)
		_, err = e.Exec(ctx, "select 1")
		require.NoError(t, err)
		require.Zero(t, e.Stats().InUse)
	})
}
