package stdlib_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

func TestValues(t *testing.T) {
	day := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	bothColours(t, func(t *testing.T, d *door) {
		for query, want := range map[string]any{
			"select true":                                         true,
			"select 7::int2":                                      int64(7),
			"select 7::int4":                                      int64(7),
			"select -7::int8":                                     int64(-7),
			"select 4294967295::oid":                              int64(4294967295),
			"select 1.5::float4":                                  1.5,
			"select 1.25::float8":                                 1.25,
			"select 12345678901234567890.5::numeric":              "12345678901234567890.5",
			"select 'x'::text":                                    "x",
			"select 'x'::varchar(3)":                              "x",
			`select '\x00ff'::bytea`:                              []byte{0, 255},
			"select '2026-11-26'::date":                           day,
			"select '2026-11-26'::timestamp":                      day,
			"select 'infinity'::date":                             "infinity",
			`select '{"a": 1}'::jsonb`:                            []byte(`{"a": 1}`),
			`select '{"a":1}'::json`:                              []byte(`{"a":1}`),
			"select '{1,2}'::int[]":                               "{1,2}",
			"select '6ba7b810-9dad-11d1-80b4-00c04fd430c8'::uuid": "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
			"select '[1,5)'::int4range":                           "[1,5)",
			"select row(1, 'a')":                                  "(1,a)",
			"select '10.0.0.1'::inet":                             "10.0.0.1",
			"select null":                                         nil,
		} {
			assert.Equal(t, want, one[any](t, d, d.ctx, query), query)
		}
		at := one[time.Time](t, d, d.ctx, "select '2026-11-26 12:00:00+02'::timestamptz")
		assert.True(t, day.Add(10*time.Hour).Equal(at), at)

		// Arguments are encoded by pgx's rules, so arrays and nil pointers need no wrappers.
		assert.Equal(t, "{1,2,3}", one[string](t, d, d.ctx, "select $1::int[]", []int{1, 2, 3}))
		assert.Equal(t, sql.NullString{}, one[sql.NullString](t, d, d.ctx, "select $1::text", (*string)(nil)))
		assert.Equal(t, "5", one[string](t, d, d.ctx, "select $1::text", sql.NullString{String: "5", Valid: true}))
		assert.Equal(t, `{"a": 1}`, one[string](t, d, d.ctx, "select $1::jsonb", map[string]int{"a": 1}))
	})
}

func TestBytesBelongToTheCaller(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		rows, err := d.QueryContext(d.ctx, `select '\x01'::bytea, '{"n":1}'::json union all select '\x02', '{"n":2}'`)
		require.NoError(t, err)
		defer rows.Close()
		var got []any
		for rows.Next() {
			var b []byte
			var a any
			require.NoError(t, rows.Scan(&b, &a))
			got = append(got, b, string(a.([]byte)))
		}
		require.NoError(t, rows.Err())
		assert.Equal(t, []any{[]byte{1}, `{"n":1}`, []byte{2}, `{"n":2}`}, got)
	})
}

func TestColumnTypes(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		rows, err := d.QueryContext(d.ctx, "select 1::int8 as a, 'x'::varchar(42) as b, 1.5::numeric(9,2) as c, 'x'::text as d, now() as e, '{1}'::int[] as f")
		require.NoError(t, err)
		defer rows.Close()
		types, err := rows.ColumnTypes()
		require.NoError(t, err)
		var names []string
		for _, c := range types {
			names = append(names, c.Name()+" "+c.DatabaseTypeName()+" "+c.ScanType().String())
		}
		assert.Equal(t, []string{"a INT8 int64", "b VARCHAR string", "c NUMERIC float64", "d TEXT string", "e TIMESTAMPTZ time.Time", "f _INT4 string"}, names)
		n, ok := types[1].Length()
		assert.True(t, ok)
		assert.EqualValues(t, 42, n)
		_, ok = types[0].Length()
		assert.False(t, ok)
		precision, scale, ok := types[2].DecimalSize()
		assert.True(t, ok)
		assert.Equal(t, []int64{9, 2}, []int64{precision, scale})
		_, _, ok = types[0].DecimalSize()
		assert.False(t, ok)
	})
}

func TestColumnTypesOfAnEmptyResult(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		rows, err := d.QueryContext(d.ctx, "select 1::int8 as a, 'x'::text as b where false")
		require.NoError(t, err)
		defer rows.Close()
		types, err := rows.ColumnTypes()
		require.NoError(t, err)
		require.Len(t, types, 2)
		assert.Equal(t, []string{"INT8", "TEXT"}, []string{types[0].DatabaseTypeName(), types[1].DatabaseTypeName()})
	})
}

// Rows are in memory, so they keep neither a connection nor a transaction from being used.
func TestOpenRowsOccupyNothing(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		rows, err := d.QueryContext(d.ctx, "select generate_series(1, 3)")
		require.NoError(t, err)
		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		inner, err := tx.QueryContext(d.ctx, "select generate_series(10, 12)")
		require.NoError(t, err)
		sum := 0
		for rows.Next() && inner.Next() {
			var a, b int
			require.NoError(t, rows.Scan(&a))
			require.NoError(t, inner.Scan(&b))
			sum += one[int](t, tx, d.ctx, "select $1::int + $2::int", a, b) + one[int](t, d, d.ctx, "select 0")
		}
		require.NoError(t, inner.Close())
		require.NoError(t, rows.Close())
		require.NoError(t, tx.Commit())
		assert.Equal(t, 11+13+15, sum)
	}, func(c *pg.Config) { c.Lanes, c.Sessions = 1, 1 })
}

func TestStream(t *testing.T) {
	bothColours(t, func(t *testing.T, d *door) {
		const query = "select i, repeat('x', 1000) from generate_series(1, 1000) i"
		_, err := d.QueryContext(d.ctx, query)
		require.ErrorIs(t, err, pg.ErrResultTooLarge)

		rows, err := d.QueryContext(stdlib.Stream(d.ctx), query)
		require.NoError(t, err)
		n := 0
		for rows.Next() {
			n++
		}
		require.NoError(t, rows.Err())
		assert.Equal(t, 1000, n)

		// Closed early, and in a transaction.
		tx, err := d.BeginTx(d.ctx, nil)
		require.NoError(t, err)
		rows, err = tx.QueryContext(stdlib.Stream(d.ctx), query)
		require.NoError(t, err)
		require.True(t, rows.Next())
		require.NoError(t, rows.Close())
		assert.Equal(t, 1, one[int](t, tx, d.ctx, "select 1"))
		require.NoError(t, tx.Commit())

		ctx, cancel := context.WithCancel(d.ctx)
		rows, err = d.QueryContext(stdlib.Stream(ctx), "select generate_series(1, 100000000)")
		require.NoError(t, err)
		require.True(t, rows.Next())
		cancel()
		for rows.Next() {
		}
		require.ErrorIs(t, rows.Err(), context.Canceled)
		require.NoError(t, d.PingContext(d.ctx))
	}, func(c *pg.Config) { c.ResultLimit = 100_000 })
}
