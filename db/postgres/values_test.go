package postgres

import (
	"database/sql/driver"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

func TestNumbersAreReadAsTheServerWritesThem(t *testing.T) {
	types := pgtype.NewMap()
	for _, want := range []string{
		"0", "1", "-1", "9999", "10000", "123456789", "0.5", "-0.0001", "0.00001", "12345678901234567890.12345", "1000000000000", "-100000000.000000001", "NaN",
	} {
		var n pgtype.Numeric
		require.NoError(t, n.Scan(want))
		raw, err := types.Encode(pgtype.NumericOID, pgtype.BinaryFormatCode, n, nil)
		require.NoError(t, err)
		got, err := numeric(raw)
		require.NoError(t, err)
		require.Equal(t, want, strings.TrimSuffix(got.(string), "."), "%x", raw)
	}
	for _, bad := range [][]byte{nil, {0, 1}, {0, 2, 0, 0, 0, 0, 0, 0, 0, 1}} {
		_, err := numeric(bad)
		require.Error(t, err)
	}
}

func TestIntervals(t *testing.T) {
	const hour = int64(time.Hour / time.Microsecond)
	for want, in := range map[string]struct {
		micros       int64
		days, months int32
	}{
		"00:00:00":                        {},
		"01:00:00":                        {micros: hour},
		"-01:00:00.5":                     {micros: -hour - 500_000},
		"1 day":                           {days: 1},
		"-2 days +03:00:00":               {micros: 3 * hour, days: -2},
		"1 year 2 mons 3 days -01:00:00":  {micros: -hour, days: 3, months: 14},
		"2562047788:00:54.775807":         {micros: math.MaxInt64},
		"-2562047788:00:54.775808":        {micros: math.MinInt64},
		"-178956970 years -8 mons -1 day": {days: -1, months: math.MinInt32},
	} {
		got := interval(in.micros, in.days, in.months)
		if in.days == -1 {
			want += "s"
		}
		require.Equal(t, want, got)
	}
}

func TestArraysInTextForm(t *testing.T) {
	same := func(s string) (driver.Value, error) { return s, nil }
	for text, want := range map[string]any{
		`{}`:                       []any{},
		`{a,NULL,"NULL",""}`:       []any{"a", nil, "NULL", ""},
		`{"a \"b\" \\ {c},d"}`:     []any{`a "b" \ {c},d`},
		`{{1,2},{3,4}}`:            []any{[]any{"1", "2"}, []any{"3", "4"}},
		`[0:1]={1,2}`:              []any{"1", "2"},
		`{2026-01-02 03:04:05+00}`: []any{"2026-01-02 03:04:05+00"},
	} {
		got, err := parseArray(text, ',', same)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
	for _, bad := range []string{"", "a", "{", "{a", `{"a`, `{"a\`, "{a}b", "{a,,", "{{a}", "[0:1]"} {
		_, err := parseArray(bad, ',', same)
		require.Error(t, err, bad)
	}
}

func TestTextOfOtherTypes(t *testing.T) {
	for _, one := range []struct {
		typ, text string
		want      any
	}{
		{"INT4", "-7", int64(-7)},
		{"FLOAT8", "1.5", 1.5},
		{"BOOL", "t", true},
		{"BYTEA", `\x00ff`, []byte{0, 255}},
		{"TIMESTAMPTZ", "2026-01-02 03:04:05.5+01", time.Date(2026, 1, 2, 2, 4, 5, 500_000_000, time.UTC)},
		{"DATE", "2026-01-02", time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)},
		{"TIMESTAMP", "infinity", "infinity"},
		{"NUMERIC", "1.50", "1.50"},
	} {
		got, err := textValue(one.typ, one.text)
		require.NoError(t, err)
		require.Equal(t, one.want, got)
	}
	for typ, text := range map[string]string{"INT4": "x", "FLOAT8": "x", "BYTEA": `\xg`, "DATE": "someday"} {
		_, err := textValue(typ, text)
		require.Error(t, err, typ)
	}
}

func FuzzArraysNeverPanic(f *testing.F) {
	f.Add(`{a,"b\"",{c}}`)
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = parseArray(text, ',', func(s string) (driver.Value, error) { return s, nil })
	})
}
