package scanning

import (
	"database/sql"
	"math"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNumbersArriveExactly(t *testing.T) {
	for _, c := range []struct {
		from any
		want any // what a variable of its type gets
	}{
		{5000000.0, int64(5000000)},
		{5000000.0, uint32(5000000)},
		{-1e6, int32(-1000000)},
		{math.Copysign(0, -1), 0},
		{float64(math.MinInt64), int64(math.MinInt64)},
		{float64(1 << 63), uint64(1 << 63)},
		{uint64(math.MaxUint64), uint64(math.MaxUint64)},
		{"5.00", 5},
		{"-5.000", int8(-5)},
		{[]byte("7.0"), uint8(7)},
		{int64(1 << 24), float32(1 << 24)},
		{int64(3 << 30), float32(3 << 30)},
		{int64(math.MinInt64), float64(math.MinInt64)},
		{uint64(1 << 63), float32(1 << 63)},
		{0.1, float32(0.1)},
		{-123456.789, float32(-123456.789)},
		{float64(math.MaxFloat32), float32(math.MaxFloat32)},
		{3e38, float32(3e38)},
		{math.Inf(1), float32(math.Inf(1))},
		{"0.1", 0.1},
		{"0.1", float32(0.1)},
		{"-00012.50", -12.5},
		{"16777216.5", float32(16777216)},
		{"9007199254740992", float64(1 << 53)},
		{"10000000000000000000000", 1e22},
		{"12345678901234567890e3", 12345678901234567890e3},
		{"1e308", 1e308},
		{"Infinity", math.Inf(1)},
		{5000000.0, sql.NullInt64{Int64: 5000000, Valid: true}},
		{int64(1 << 24), sql.Null[float32]{V: 1 << 24, Valid: true}},
		{nil, sql.Null[float32]{}},
		{[]any{int64(1), 2.0}, []float32{1, 2}},
		{[]any{[]any{5e6}}, [][]int{{5000000}}},
	} {
		dest := reflect.New(reflect.TypeOf(c.want))
		require.NoError(t, assign(nil, "", dest.Interface(), c.from), "%T %v into %T", c.from, c.from, c.want)
		require.Equal(t, c.want, dest.Elem().Interface(), "%T %v into %T", c.from, c.from, c.want)
	}
	var nan float32
	require.NoError(t, assign(nil, "", &nan, math.NaN()))
	require.True(t, math.IsNaN(float64(nan)))
}

func TestNumbersThatWouldBecomeOthersAreErrors(t *testing.T) {
	const inexact, bounds, fraction = "would lose precision", "value out of range", "it is no integer"
	for _, c := range []struct {
		from, dest any
		want       string
	}{
		{int64(16777217), new(float32), "integer 16777217: a float32 " + inexact},
		{int64(-16777217), new(float32), inexact},
		{int64(math.MaxInt64), new(float32), inexact},
		{int64(1<<53 + 1), new(float64), inexact},
		{int64(math.MaxInt64), new(float64), inexact},
		{uint64(1<<53 + 1), new(float64), inexact},
		{uint64(math.MaxUint64), new(float64), inexact},
		{uint64(math.MaxUint64), new(float32), inexact},
		{16777217.0, new(float32), "float 16777217: a float32 " + inexact},
		{123456789.25, new(float32), inexact},
		{1e300, new(float32), bounds},
		{1e-300, new(float32), bounds},
		{"16777217", new(float32), inexact},
		{"16777217.5", new(float32), inexact},
		{"9007199254740993", new(float64), inexact},
		{"-9007199254740993.5", new(float64), inexact},
		{[]byte("9007199254740993"), new(float64), inexact},
		{"123456789012345678901234567890.12", new(float64), inexact},
		{"1e300", new(float32), bounds},
		{"1e400", new(float64), bounds},
		{int64(16777217), new(*float32), inexact},
		{int64(16777217), new(sql.Null[float32]), inexact},
		{int64(1<<53 + 1), new(sql.NullFloat64), inexact},
		{int64(300), new(sql.NullByte), bounds},
		{[]any{int64(16777217)}, new([]float32), "element 0: integer 16777217"},
		{5000000.5, new(int64), fraction},
		{math.NaN(), new(int64), fraction},
		{math.NaN(), new(uint64), fraction},
		{math.Inf(1), new(int64), bounds},
		{float64(1 << 63), new(int64), bounds},
		{-1.0, new(uint64), bounds},
		{float64(1<<63) * 2, new(uint64), bounds},
		{300.0, new(int8), bounds},
		{300.0, new(uint8), bounds},
		{int64(-1), new(uint64), bounds},
		{int64(-1), new(uint8), bounds},
		{uint64(1 << 63), new(int64), bounds},
		{"5.01", new(int), "invalid syntax"},
		{".0", new(int), "invalid syntax"},
		{"5.", new(int), "invalid syntax"},
	} {
		err := assign(nil, "", c.dest, c.from)
		require.ErrorContains(t, err, c.want, "%T %v into %T", c.from, c.from, c.dest)
		require.True(t, reflect.ValueOf(c.dest).Elem().IsZero(), "%T %v into %T", c.from, c.from, c.dest)
	}
}
