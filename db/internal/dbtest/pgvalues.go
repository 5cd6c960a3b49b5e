package dbtest

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// PostgresValues checks values that only PostgreSQL has: they are the same with each driver. typed
// says whether the driver knows the types of parameters; if it doesn't, it can send fewer kinds of
// arguments.
func PostgresValues(t *testing.T, typed bool, open func(t testing.TB, ctx context.Context) *db.Engine) {
	for _, rule := range []struct {
		name string
		fn   func(t *testing.T, ctx context.Context, e *db.Engine)
		must bool // the driver must know the types
	}{
		{"compound values are text as the server writes it", compoundText, false},
		{"ranges go into pgtype's generic types", genericTypes, false},
		{"ranges are arguments", rangeArguments, false},
		{"times to the ends of the calendar", calendar, true},
		{"times that the server can't store are refused", beyondCalendar, true},
		{"infinite times are text", infinity, false},
		{"arrays of JSON go into lists", jsonLists, false},
		{"lists of times are in UTC", timeLists, true},
	} {
		if rule.must && !typed {
			continue
		}
		t.Run(rule.name, func(t *testing.T) {
			BothColours(t, func(t *testing.T, ctx context.Context, _ Colour) { rule.fn(t, ctx, open(t, ctx)) })
		})
	}
}

func compoundText(t *testing.T, ctx context.Context, e *db.Engine) {
	conn, err := e.Connect(ctx)
	require.NoError(t, err)
	defer func() { require.NoError(t, conn.Close()) }()
	Exec(t, ctx, conn, "set timezone to 'UTC'",
		`create type pg_temp.pair as (a integer, b text)`, `create type pg_temp.floats as range (subtype = float8)`, `create type pg_temp.words as range (subtype = text)`)
	for _, expression := range []string{
		"int4range(1, 10)", "int4range(null, 10)", "int4range(1, null)", "int4range(null, null)", "'empty'::int4range", "int8range(-5, 9223372036854775806, '(]')",
		"numrange(1.50, 2.5, '[]')", "daterange('2026-01-02', '2026-02-03')", "daterange('0044-03-15 BC', 'infinity')", "tsrange('2026-01-02 03:04:05.5', '294276-12-31')",
		"tstzrange('2026-01-02 03:04:05+02', null)", "tstzrange('-infinity', '2026-01-02')", "tstzrange('0044-03-15 BC', '0001-01-01')",
		"pg_temp.floats(1.5, 1e300)", `pg_temp.words('a,"b"', 'c\d ')`, "pg_temp.words('', 'null')",
		"'{}'::int4multirange", "'{[1,3),[5,7),[9,)}'::int4multirange", "'{[2026-01-01,2026-02-01)}'::tstzmultirange",
		"array[int4range(1, 2), null, 'empty']::int4range[]", "array[tstzrange('2026-01-01', '2026-02-01')]",
		"row()", "row(1)", "row(1, 'a')", "row(null, '', null)", `row('a b', 'a"b', 'a\b', 'a,b', '(a)', 'NULL')`,
		`row(true, false, 1.5::float8, 1e15::float8, 123456::float4, 1e6::float4, 1e-5::float8, 0.0001::float8, 'NaN'::float8, '-infinity'::float4)`,
		`row(1::int2, 2::int8, 1.50::numeric, '\x00ff'::bytea, '2026-01-02'::date, '2026-01-02 03:04:05.5'::timestamp, '2026-01-02 03:04:05+02'::timestamptz)`,
		`row('2 days 03:00:00'::interval, '12:34:56.5'::time, '123e4567-e89b-12d3-a456-426614174000'::uuid, '{"a": [1, 2]}'::jsonb, '192.168.0.1'::inet)`,
		`row(array[1, null, 3], array['a', '', 'NULL', 'a"b,c{}'], array[[1, 2], [3, 4]], '{}'::text[], array['(1,1),(0,0)'::box, '(2,2),(1,1)'::box])`,
		`row(row(1, 'x"y'), row(), row(row('deep')))`, "row(int4range(1, 2), '{[1,2)}'::int4multirange)", "row(1, 'a')::pg_temp.pair", "array[row(1, 'a'), row(2, 'b c')]",
		"pg_catalog.pg_lsn '16/B374D848'", "'a & b'::tsquery", "'a:1 b:2'::tsvector", "'$.a'::jsonpath", "'(1,2)'::point", "'(1,1),(0,0)'::box", "'08:00:2b:01:02:03'::macaddr",
		"b'101'", "'[(0,0),(1,1)]'::path", "'<(0,0),1>'::circle", "12.5::money", "'(0,1)'::tid", "'10:20:'::pg_snapshot", "'12:34:56+02'::timetz", "'x'::\"char\"", "'integer'::regtype",
	} {
		if strings.Contains(expression, "multirange") && !multiranges(t, ctx, conn) {
			continue
		}
		want, err := db.Scalar[string](ctx, conn, "select ("+expression+")::text")
		require.NoError(t, err, expression)
		got, err := db.Scalar[any](ctx, conn, "select "+expression)
		require.NoError(t, err, expression)
		if list, ok := got.([]any); ok {
			for _, v := range list {
				require.True(t, v == nil || v != nil && isText(v), "%s: %T", expression, v)
			}
			continue
		}
		require.Equal(t, want, got, expression)
		text, err := db.Scalar[string](ctx, conn, "select "+expression)
		require.NoError(t, err, expression)
		require.Equal(t, want, text, expression)
	}
	list, err := db.Scalar[[]*string](ctx, conn, "select array[int4range(1, 2), null, 'empty']::int4range[]")
	require.NoError(t, err)
	require.Equal(t, "[1,2)", *list[0])
	require.Nil(t, list[1])
	require.Equal(t, "empty", *list[2])
	records, err := db.Scalar[[]string](ctx, conn, "select array[row(1, 'a'), row(2, 'b c')]")
	require.NoError(t, err)
	require.Equal(t, []string{"(1,a)", `(2,"b c")`}, records)
}

func isText(v any) bool {
	_, ok := v.(string)
	return ok
}

// multiranges reports whether the server has multiranges, as PostgreSQL does since version 14.
func multiranges(t *testing.T, ctx context.Context, q db.Querier) bool {
	version, err := db.Scalar[int](ctx, q, "select current_setting('server_version_num')::int")
	require.NoError(t, err)
	return version >= 140000
}

func genericTypes(t *testing.T, ctx context.Context, e *db.Engine) {
	if !multiranges(t, ctx, e) {
		t.Skip("multiranges came with PostgreSQL 14")
	}
	rows, err := e.Query(ctx, `select int4range(1, 10), int4range(1, null), null::int4range, tstzrange('2026-01-02 03:04:05+02', '2026-02-03 00:00+00', '[]'),
		'{[1,3),[5,7)}'::int4multirange, array[[1, 2], [3, 4]], row(1, 'a b', null)`)
	require.NoError(t, err)
	require.True(t, rows.Next())
	var (
		small  pgtype.Range[pgtype.Int4]
		open   pgtype.Range[*int64]
		null   pgtype.Range[pgtype.Int4]
		when   pgtype.Range[time.Time]
		multi  pgtype.Multirange[pgtype.Range[pgtype.Int4]]
		square pgtype.Array[int]
		n      int
		s      string
		absent *string
	)
	null.Valid = true
	require.NoError(t, rows.Scan(&small, &open, &null, &when, &multi, &square, pgtype.CompositeFields{&n, &s, &absent}))
	require.Equal(t, pgtype.Range[pgtype.Int4]{Lower: int4(1), Upper: int4(10), LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}, small)
	require.Equal(t, int64(1), *open.Lower)
	require.Equal(t, pgtype.Unbounded, open.UpperType)
	require.False(t, null.Valid)
	require.True(t, when.Lower.Equal(time.Date(2026, 1, 2, 1, 4, 5, 0, time.UTC)))
	require.Equal(t, pgtype.Inclusive, when.UpperType)
	require.Len(t, multi, 2)
	require.Equal(t, int4(7), multi[1].Upper)
	require.Equal(t, []int{1, 2, 3, 4}, square.Elements)
	require.Len(t, square.Dims, 2)
	require.Equal(t, []any{1, "a b"}, []any{n, s})
	require.Nil(t, absent)

	var pointer *pgtype.Range[pgtype.Int4]
	var none *pgtype.Range[pgtype.Int4]
	var words string
	types := pgtype.NewMap()
	require.NoError(t, rows.Scan(&pointer, types.SQLScanner(&small), &none, new(any), new(any), new(any), &words))
	require.Equal(t, int4(10), pointer.Upper)
	require.Equal(t, pgtype.Unbounded, small.UpperType)
	require.Nil(t, none)
	require.Equal(t, `(1,"a b",)`, words)
	for _, wrong := range []any{pgtype.CompositeFields{&n}, pgtype.CompositeFields{&n, &s, &absent, &absent}} {
		require.ErrorIs(t, rows.Scan(&small, &small, &small, &when, &multi, &square, wrong), db.ErrScan)
	}
	require.ErrorIs(t, rows.Scan(&small, &small, &small, &when, &small, &square, new(any)), db.ErrScan)
}

func int4(n int32) pgtype.Int4 { return pgtype.Int4{Int32: n, Valid: true} }

func rangeArguments(t *testing.T, ctx context.Context, e *db.Engine) {
	small := pgtype.Range[pgtype.Int4]{Lower: int4(1), Upper: int4(10), LowerType: pgtype.Inclusive, UpperType: pgtype.Exclusive, Valid: true}
	for _, argument := range []any{small, &small, "[1,10)"} {
		got, err := db.Scalar[string](ctx, e, "select cast(:r as int4range)", db.Named("r", argument))
		require.NoError(t, err)
		require.Equal(t, "[1,10)", got)
	}
	if !multiranges(t, ctx, e) {
		return
	}
	found, err := db.Scalar[bool](ctx, e, "select cast(:r as int4multirange) @> 5", db.Named("r", pgtype.Multirange[pgtype.Range[pgtype.Int4]]{small}))
	require.NoError(t, err)
	require.True(t, found)
}

// edges are PostgreSQL's first and last times, and others that it writes in special ways.
var edges = []time.Time{
	time.Date(-4713, 11, 24, 0, 0, 0, 0, time.UTC), time.Date(-43, 3, 15, 12, 30, 0, 0, time.UTC), time.Date(0, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC),
	time.Date(1969, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC),
	time.Date(292278, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(294276, 12, 31, 23, 59, 59, 999999000, time.UTC),
}

func calendar(t *testing.T, ctx context.Context, e *db.Engine) {
	for _, at := range edges {
		for _, typ := range []string{"timestamptz", "timestamp"} {
			got, err := db.Scalar[time.Time](ctx, e, "select cast(:at as "+typ+")", db.Named("at", at))
			require.NoError(t, err, "%s %v", typ, at)
			require.Equal(t, at, got, typ)
			list, err := db.Scalar[[]time.Time](ctx, e, "select cast(:list as "+typ+"[])", db.Named("list", []time.Time{at}))
			require.NoError(t, err, "%s[] %v", typ, at)
			require.Equal(t, []time.Time{at}, list, typ)
		}
		span := pgtype.Range[time.Time]{Lower: at, UpperType: pgtype.Unbounded, LowerType: pgtype.Inclusive, Valid: true}
		rows, err := e.Query(ctx, "select cast(:span as tstzrange)", db.Named("span", span))
		require.NoError(t, err)
		require.True(t, rows.Next())
		var back pgtype.Range[time.Time]
		require.NoError(t, rows.Scan(&back), "%v", at)
		require.True(t, at.Equal(back.Lower), "%v is not %v", back.Lower, at)
		day := at.Truncate(24 * time.Hour)
		got, err := db.Scalar[time.Time](ctx, e, "select cast(:at as date)", db.Named("at", day))
		require.NoError(t, err)
		require.Equal(t, day, got)
	}
	last := time.Date(5874897, 12, 31, 0, 0, 0, 0, time.UTC)
	got, err := db.Scalar[time.Time](ctx, e, "select cast(:at as date)", db.Named("at", last))
	require.NoError(t, err)
	require.Equal(t, last, got)
}

func beyondCalendar(t *testing.T, ctx context.Context, e *db.Engine) {
	for _, year := range []int{-5000, -300_000, 294277, 294278, 586578, 6_000_000, 11_761_191} {
		at := time.Date(year, 6, 1, 0, 0, 0, 0, time.UTC)
		span := pgtype.Range[time.Time]{Lower: at, UpperType: pgtype.Unbounded, LowerType: pgtype.Inclusive, Valid: true}
		refused := map[string]any{
			"timestamptz": at, "timestamp": at, "timestamptz[]": []time.Time{at}, "timestamp[]": []*time.Time{&at}, "tstzrange": span, "tsrange": &span,
			"tstzmultirange": pgtype.Multirange[pgtype.Range[time.Time]]{span}, "tstzrange[]": []pgtype.Range[time.Time]{span},
		}
		if !multiranges(t, ctx, e) {
			delete(refused, "tstzmultirange")
		}
		if year < 0 || year > 5_874_897 {
			refused["date"], refused["date[]"], refused["daterange"] = at, []time.Time{at}, span
		}
		for typ, argument := range refused {
			_, err := db.Scalar[any](ctx, e, "select cast(:v as "+typ+")", db.Named("v", argument))
			require.ErrorIs(t, err, db.ErrData, "%s of the year %d", typ, year)
			var own *db.Error
			require.True(t, errors.As(err, &own))
		}
	}
}

func infinity(t *testing.T, ctx context.Context, e *db.Engine) {
	for _, typ := range []string{"timestamptz", "timestamp", "date"} {
		for _, text := range []string{"infinity", "-infinity"} {
			got, err := db.Scalar[any](ctx, e, "select cast(:v as "+typ+")", db.Named("v", text))
			require.NoError(t, err)
			require.Equal(t, text, got)
			list, err := db.Scalar[any](ctx, e, "select array[cast(:v as "+typ+")]", db.Named("v", text))
			require.NoError(t, err)
			require.Equal(t, []any{text}, list)
			_, err = db.Scalar[time.Time](ctx, e, "select cast(:v as "+typ+")", db.Named("v", text))
			require.ErrorIs(t, err, db.ErrScan)
		}
	}
}

func jsonLists(t *testing.T, ctx context.Context, e *db.Engine) {
	const list = `array['{"a": 1}', null, 'null', '[2]']::jsonb[]`
	docs, err := db.Scalar[[]map[string]any](ctx, e, `select array['{"a": 1}', null]::jsonb[]`)
	require.NoError(t, err)
	require.Equal(t, []map[string]any{{"a": 1.0}, nil}, docs)
	values, err := db.Scalar[[]db.JSON[any]](ctx, e, "select "+list)
	require.NoError(t, err)
	require.Equal(t, []db.JSON[any]{{V: map[string]any{"a": 1.0}}, {}, {}, {V: []any{2.0}}}, values)
	texts, err := db.Scalar[[]*string](ctx, e, "select "+list)
	require.NoError(t, err)
	require.Equal(t, "[2]", *texts[3])
	back, err := db.Scalar[string](ctx, e, "select array_to_json(cast(:docs as jsonb[]))", db.Named("docs", []db.JSON[any]{{V: "x"}, {V: 1}}))
	if err == nil { // without types, pgx has no plan for the argument
		require.Equal(t, `["x",1]`, back)
	}
}

func timeLists(t *testing.T, ctx context.Context, e *db.Engine) {
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	abroad := at.In(time.FixedZone("", 2*3600))
	for _, list := range []any{[]time.Time{abroad}, []*time.Time{&abroad}, [1]time.Time{abroad}} {
		got, err := db.Scalar[[]time.Time](ctx, e, "select cast(:list as timestamp[])", db.Named("list", list))
		require.NoError(t, err)
		require.Equal(t, []time.Time{at}, got, "%T", list)
	}
	got, err := db.Scalar[[][]time.Time](ctx, e, "select cast(:list as timestamp[])", db.Named("list", [][]time.Time{{abroad}, {abroad}}))
	require.NoError(t, err)
	require.Equal(t, [][]time.Time{{at}, {at}}, got)
	none, err := db.Scalar[*string](ctx, e, "select cast(:list as timestamp[])", db.Named("list", []time.Time(nil)))
	require.NoError(t, err)
	require.Nil(t, none)
}
