package scanning

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db/backend"
)

type (
	status  int8
	name    string
	raw     []byte
	flag    bool
	ratio   float32
	scanned struct{ got any }
)

func (s *scanned) Scan(v any) error {
	if v == "bad" {
		return errors.New("mine")
	}
	s.got = v
	return nil
}

var noon = time.Date(2026, 3, 4, 12, 0, 0, 5000, time.UTC)

func columnsOf(columns ...backend.Column) Columns { return Columns{All: columns} }

func pointerTo[T any](v T) *T { return &v }

func TestValuesThatFit(t *testing.T) {
	for _, c := range []struct {
		from any
		typ  string
		want any // what a variable of its type gets
	}{
		{int64(7), "", int64(7)},
		{int64(7), "", 7},
		{int64(-128), "", int8(-128)},
		{int64(200), "", uint8(200)},
		{int64(7), "", uint64(7)},
		{int64(3), "", status(3)},
		{int64(3), "", 3.0},
		{int64(1 << 53), "", float64(1 << 53)},
		{int64(7), "", "7"},
		{int64(7), "", []byte("7")},
		{int64(1), "", true},
		{int64(0), "", flag(false)},
		{int64(7), "", any(int64(7))},
		{int64(7), "", pointerTo(7)},
		{int64(7), "", pointerTo(pointerTo(7))},
		{int64(7), "", sql.NullInt64{Int64: 7, Valid: true}},
		{int64(7), "", sql.Null[int]{V: 7, Valid: true}},
		{int64(7), "", scanned{int64(7)}},
		{1.5, "", 1.5},
		{1.5, "", ratio(1.5)},
		{1.5, "", "1.5"},
		{2.0, "", 2},
		{"x", "", "x"},
		{"x", "", name("x")},
		{"x", "", []byte("x")},
		{"x", "", raw("x")},
		{"12", "", 12},
		{"1.25", "", 1.25},
		{"true", "", true},
		{"x", "", any("x")},
		{[]byte{}, "", []byte{}},
		{[]byte("x"), "", []byte("x")},
		{[]byte("x"), "", raw("x")},
		{[]byte(`{"a":1}`), "", json.RawMessage(`{"a":1}`)},
		{[]byte("x"), "", "x"},
		{noon, "", noon},
		{noon, "", any(noon)},
		{noon, "", &noon},
		{noon, "", sql.NullTime{Time: noon, Valid: true}},
		{"2026-03-04 12:00:00.000005+00:00", "", noon},
		{"2026-03-04T14:00:00.000005+02:00", "", noon},
		{"2026-03-04 12:00:00.000005", "", sql.Null[time.Time]{V: noon, Valid: true}},
		{"2026-03-04", "", time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)},
		{"2026-03-04 12:30", "", pointerTo(time.Date(2026, 3, 4, 12, 30, 0, 0, time.UTC))},
		{int64(1), "BOOLEAN", any(true)},
		{int64(1), "BOOLEAN", 1},
		{int64(2), "BOOLEAN", any(int64(2))},
		{nil, "", (*int)(nil)},
		{nil, "", any(nil)},
		{nil, "", []byte(nil)},
		{nil, "", raw(nil)},
		{nil, "", sql.NullString{}},
		{nil, "", sql.Null[int]{}},
		{nil, "", scanned{nil}},
	} {
		typ := reflect.TypeFor[any]()
		if c.want != nil {
			typ = reflect.TypeOf(c.want)
		}
		dest := reflect.New(typ)
		require.NoError(t, assign(nil, c.typ, dest.Interface(), c.from), "%T %v into %s", c.from, c.from, typ)
		require.Equal(t, c.want, dest.Elem().Interface(), "%T %v into %s", c.from, c.from, typ)

		var v any // an any takes whatever comes
		require.NoError(t, assign(nil, c.typ, &v, c.from))
	}
}

func TestValuesThatDontFitSayWhatAndWhere(t *testing.T) {
	type other struct{ A int }
	for _, c := range []struct {
		from any
		dest any
		want string
	}{
		{int64(128), new(int8), `column 1, "c" of type T, into int8: integer 128: value out of range`},
		{int64(-1), new(uint), `into uint: integer -1: value out of range`},
		{int64(256), new(uint8), `value out of range`},
		{int64(math.MaxInt64), new(float64), `into float64: integer 9223372036854775807: a float64 would lose precision`},
		{1e300, new(float32), `value out of range`},
		{1.5, new(int), `into int: float 1.5: it is no integer`},
		{1e19, new(int64), `float 1e+19`},
		{"x", new(int), `into int: text "x": invalid syntax`},
		{"x", new(bool), `into bool: text "x"`},
		{"x", new(time.Time), `text "x" is no time`},
		{"x", new(other), `into scanning.other: a value of type text can't be stored there; implement sql.Scanner or use db.JSON`},
		{"bad", new(scanned), `into scanning.scanned: mine`},
		{int64(1), new([]int), `into []int: a value of type integer can't be stored there; implement sql.Scanner or use db.JSON`},
		{nil, new(int), `into int: the value is NULL; use *int or sql.Null[int]`},
		{nil, new(string), `into string: the value is NULL; use *string or sql.Null[string]`},
		{nil, new(time.Time), `into time.Time: the value is NULL; use *time.Time`},
		{int64(1), 5, `the destination is no pointer`},
		{int64(1), nil, `the destination is no pointer`},
		{int64(1), (*int)(nil), `the destination is a nil pointer`},
		{nil, (*any)(nil), `the destination is a nil pointer`},
	} {
		err := columnsOf(backend.Column{Name: "c", Type: "T"}).Row([]driver.Value{c.from}, []any{c.dest})
		require.ErrorContains(t, err, c.want, "%v into %T", c.from, c.dest)
	}
	err := columnsOf(backend.Column{Name: "a"}, backend.Column{Name: "b"}).Row([]driver.Value{1, 2}, []any{new(int)})
	require.ErrorContains(t, err, "the row has 2 columns (a, b), Scan was given 1 destinations")
}

func TestBytesThatWereScannedAreTheCallers(t *testing.T) {
	row := []driver.Value{[]byte("abc")}
	var first, second []byte
	require.NoError(t, columnsOf(backend.Column{}).Row(row, []any{&first}))
	first[0] = 'X'
	require.NoError(t, columnsOf(backend.Column{}).Row(row, []any{&second}))
	require.Equal(t, "abc", string(second))
}
