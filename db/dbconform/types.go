package dbconform

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
)

// text is a type of the caller's code.
type text struct{ S string }

func (t text) Value() (driver.Value, error) {
	if t.S == "bad" {
		return nil, errors.New("a bad text")
	}
	return "<" + t.S + ">", nil
}

func (t *text) Scan(src any) error {
	s, ok := src.(string)
	if !ok || !strings.HasPrefix(s, "<") {
		return fmt.Errorf("%T %v", src, src)
	}
	t.S = strings.Trim(s, "<>")
	return nil
}

// document is a value that is stored as JSON.
type document struct {
	Name string         `json:"name"`
	Tags []string       `json:"tags"`
	Deep map[string]any `json:"deep"`
}

type colour string

type number int16

var (
	noon      = time.Date(2026, 3, 4, 12, 34, 56, 123456789, time.UTC)
	elsewhere = time.FixedZone("", -(5*3600 + 1800))
)

var types = []test{
	{"integers of 64 bits to their bounds", func(c *run) {
		roundTrip(c, c.Integer, int64(0), 1, -1, math.MaxInt64, math.MinInt64, 1<<53+1)
	}},
	{"integers of all Go types", func(c *run) {
		roundTrip(c, c.Integer, 0, math.MaxInt, math.MinInt)
		roundTrip[int8](c, c.Integer, -128, 127)
		roundTrip[int16](c, c.Integer, math.MinInt16, math.MaxInt16)
		roundTrip[int32](c, c.Integer, math.MinInt32, math.MaxInt32)
		roundTrip[uint8](c, c.Integer, 0, 255)
		roundTrip[uint16](c, c.Integer, math.MaxUint16)
		roundTrip[uint32](c, c.Integer, math.MaxUint32)
		roundTrip[uint64](c, c.Integer, math.MaxInt64)
		roundTrip[uint](c, c.Integer, 1<<40)
		roundTrip[number](c, c.Integer, -5)
	}},
	{"small integers", func(c *run) {
		roundTrip(c, c.Small, 0, math.MaxInt16, math.MinInt16)
	}},
	{"an integer that the column can't hold is an error", func(c *run) {
		c.needs("Strict")
		for _, v := range []any{math.MaxInt16 + 1, math.MinInt16 - 1, int64(math.MaxInt64)} {
			c.cantStore(c.Small, v, db.ErrData)
		}
	}},
	{"integers beyond 2^63", func(c *run) {
		if c.can("BigUnsigned") {
			roundTrip[uint64](c, "bigint unsigned", math.MaxUint64, 1<<63, 7)
			_, err := db.Scalar[int64](c.ctx, c.engine(), "select max(v) from "+c.tables[0])
			c.is(err, db.ErrScan)
			return
		}
		table := c.table("v " + c.Integer)
		_, err := c.engine().Exec(c.ctx, "insert into "+table+" values (:v)", named("v", uint64(math.MaxUint64)))
		require.Error(c, err)
		require.True(c, errors.Is(err, db.ErrParameter) || errors.Is(err, db.ErrData), "%v", err)
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"floats", func(c *run) {
		roundTrip(c, c.Float, 0, 1.5, -0.1, math.MaxFloat64, -math.MaxFloat64, 1e-300, math.Pi)
		roundTrip[float32](c, c.Float, 0.5, math.MaxFloat32)
	}},
	{"a float variable for an integer loses nothing", func(c *run) {
		table := c.table("v " + c.Integer)
		c.exec(c.engine(), "insert into "+table+" values (:v)", named("v", int64(1<<53)))
		f, err := db.Scalar[float64](c.ctx, c.engine(), "select v from "+table)
		require.NoError(c, err)
		require.Equal(c, float64(1<<53), f)
		c.exec(c.engine(), "update "+table+" set v = v + 1")
		_, err = db.Scalar[float64](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
	}},
	{"a narrow float variable for an integer loses nothing", func(c *run) {
		table := c.table("v " + c.Integer)
		c.exec(c.engine(), "insert into "+table+" values (:v)", named("v", int64(1<<24)))
		f, err := db.Scalar[float32](c.ctx, c.engine(), "select v from "+table)
		require.NoError(c, err)
		require.Equal(c, float32(1<<24), f)
		c.exec(c.engine(), "update "+table+" set v = v + 1")
		_, err = db.Scalar[float32](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
		_, err = db.Scalar[sql.Null[float32]](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
	}},
	{"a negative integer is no unsigned one", func(c *run) {
		table := c.table("v " + c.Integer)
		c.exec(c.engine(), "insert into "+table+" values (-1)")
		_, err := db.Scalar[uint64](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
		_, err = db.Scalar[uint8](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
	}},
	{"a float without a fraction is an integer", func(c *run) {
		require.Equal(c, int64(5_000_000), stored[int64](c, c.Float, 5e6))
		require.Equal(c, uint32(5_000_000), stored[uint32](c, c.Float, 5e6))
		require.Equal(c, 12, stored[int](c, c.Decimal, "12.0000"))
		table := c.table("v " + c.Float)
		c.exec(c.engine(), "insert into "+table+" values (:v)", named("v", 1e19))
		_, err := db.Scalar[int64](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
	}},
	{"a decimal's whole part isn't rounded", func(c *run) {
		table := c.table("v " + c.Decimal)
		c.exec(c.engine(), "insert into "+table+" values (:v)", named("v", "9007199254740993.5000"))
		_, err := db.Scalar[float64](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
	}},
	{"a float is no integer", func(c *run) {
		table := c.table("v " + c.Float)
		c.exec(c.engine(), "insert into "+table+" values (1.5)")
		_, err := db.Scalar[int](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
	}},
	{"a float with a fraction isn't cut to an integer", func(c *run) {
		table := c.table("v " + c.Integer)
		_, err := c.engine().Exec(c.ctx, "insert into "+table+" values (:v)", named("v", 2.75))
		if err != nil {
			c.is(err, db.ErrData)
			require.Zero(c, c.count(c.engine(), table))
			return
		}
		got, err := db.Scalar[float64](c.ctx, c.engine(), "select v from "+table)
		require.NoError(c, err)
		require.Contains(c, []float64{2.75, 3}, got, "the database may keep or round it")
	}},
	{"decimals are strings", func(c *run) {
		roundTrip(c, c.Decimal, "0.0000", "1234567890123456.7891", "-0.5000", "-9999999999999999.9999")
	}},
	{"decimals to and from numbers", func(c *run) {
		table := c.table("v " + c.Decimal)
		c.exec(c.engine(), "insert into "+table+" values (:v)", named("v", "12.5000"))
		f, err := db.Scalar[float64](c.ctx, c.engine(), "select v from "+table)
		require.NoError(c, err)
		require.Equal(c, 12.5, f)
		_, err = db.Scalar[int](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
	}},
	{"strings", func(c *run) {
		roundTrip(c, c.Text, "", "a", "  spaces  ", "ä €\U0001F3A8 日本語", "'quotes\" and \\backslashes\\", "line\nline\r\n\ttab", "NULL", "%_?$1:name")
		roundTrip[colour](c, c.Text, "red")
	}},
	{"a long string", func(c *run) {
		roundTrip(c, c.Text, strings.Repeat("ä0123456789", 90_000))
	}},
	{"strings with a zero byte", func(c *run) {
		if c.can("ZeroByte") {
			roundTrip(c, c.Text, "a\x00b")
			return
		}
		c.cantStore(c.Text, "a\x00b", db.ErrData)
	}},
	{"a string that is too long is an error", func(c *run) {
		if c.can("Strict") {
			c.cantStore("varchar(3)", "abcd", db.ErrData)
			roundTrip(c, "varchar(3)", "abc", "äöü")
		}
	}},
	{"bytes", func(c *run) {
		all := make([]byte, 256)
		for i := range all {
			all[i] = byte(i)
		}
		roundTrip(c, c.Bytes, []byte{}, []byte{0}, all, []byte("text"), bytes.Repeat(all, 4000))
	}},
	{"no bytes are NULL, and empty ones aren't", func(c *run) {
		table := c.table("id integer", "v "+c.Bytes)
		c.exec(c.engine(), "insert into "+table+" values (1, :v)", named("v", []byte(nil)))
		c.exec(c.engine(), "insert into "+table+" values (2, :v)", named("v", []byte{}))
		got, err := db.All[[]byte](c.ctx, c.engine(), "select v from "+table+" order by id")
		require.NoError(c, err)
		require.Nil(c, got[0])
		require.NotNil(c, got[1])
		require.Empty(c, got[1])
	}},
	{"bytes belong to the caller", func(c *run) {
		table := c.table("v " + c.Bytes)
		c.exec(c.engine(), "insert into "+table+" values (:v)", named("v", []byte("abc")))
		rows, err := c.engine().Query(c.ctx, "select v from "+table)
		require.NoError(c, err)
		require.True(c, rows.Next())
		var first, second []byte
		require.NoError(c, rows.Scan(&first))
		first[0] = 'x'
		require.NoError(c, rows.Scan(&second))
		require.Equal(c, "abc", string(second))
	}},
	{"values of two Scans share no memory", func(c *run) {
		table := c.table("v " + c.Bytes)
		c.exec(c.engine(), "insert into "+table+" values (:v)", named("v", []byte("abc")))
		rows, err := c.engine().Query(c.ctx, "select v from "+table)
		require.NoError(c, err)
		require.True(c, rows.Next())
		spoil := func(v any) {
			require.Equal(c, any([]byte("abc")), v)
			v.([]byte)[0] = 'x'
		}
		for range 2 {
			var v any
			require.NoError(c, rows.Scan(&v))
			spoil(v)
			var null sql.Null[any]
			require.NoError(c, rows.Scan(&null))
			spoil(null.V)
			var raw sql.RawBytes
			require.NoError(c, rows.Scan(&raw))
			spoil([]byte(raw))
			values, err := rows.Values()
			require.NoError(c, err)
			spoil(values[0])
			row, err := rows.Map()
			require.NoError(c, err)
			spoil(row["v"])
			one, err := db.Get[any](rows, "v")
			require.NoError(c, err)
			spoil(one)
		}
	}},
	{"booleans", func(c *run) {
		roundTrip(c, c.Bool, true, false)
		table := c.table("id integer", "v "+c.Bool)
		c.exec(c.engine(), "insert into "+table+" values (1, true), (2, false)")
		n, err := db.Scalar[int](c.ctx, c.engine(), "select id from "+table+" where v = :v", named("v", true))
		require.NoError(c, err)
		require.Equal(c, 1, n)
	}},
	{"moments, from all zones", func(c *run) {
		for _, at := range []time.Time{noon, noon.In(elsewhere), time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2038, 1, 19, 3, 14, 8, 999999000, time.UTC)} {
			got := stored[time.Time](c, c.Moment, at)
			require.True(c, at.Truncate(c.Precision).Equal(got), "%v is not %v", got, at)
			require.Equal(c, time.UTC, got.Location())
		}
	}},
	{"moments can be compared", func(c *run) {
		table := c.table("id integer", "v "+c.Moment)
		for i := range 3 {
			c.exec(c.engine(), "insert into "+table+" values (:id, :v)", named("id", i), named("v", noon.Add(time.Duration(i)*time.Hour)))
		}
		c.finds(table, "v > :v", []int{1, 2}, named("v", noon.Add(time.Minute).In(elsewhere)))
		at := noon.Truncate(c.Precision)
		c.finds(table, "v = :v", []int{0}, named("v", at.In(elsewhere)))
	}},
	{"local times", func(c *run) {
		got := stored[time.Time](c, c.Local, noon)
		require.True(c, noon.Truncate(c.Precision).Equal(got), "%v is not %v", got, noon)
	}},
	{"a local time is written in UTC", func(c *run) {
		got := stored[time.Time](c, c.Local, noon.In(elsewhere))
		require.True(c, noon.Truncate(c.Precision).Equal(got), "%v is not %v", got, noon)
	}},
	{"times by pointer and sql.Null", func(c *run) {
		at := noon.Truncate(c.Precision)
		abroad := at.In(elsewhere)
		for _, arg := range []any{&abroad, sql.NullTime{Time: abroad, Valid: true}, sql.Null[time.Time]{V: abroad, Valid: true}} {
			got := stored[*time.Time](c, c.Moment, arg)
			require.True(c, at.Equal(*got), "%T: %v", arg, got)
			require.True(c, at.Equal(stored[sql.NullTime](c, c.Local, arg).Time), "%T", arg)
		}
	}},
	{"dates", func(c *run) {
		roundTrip(c, c.Date, time.Date(2026, 2, 28, 0, 0, 0, 0, time.UTC), time.Date(1583, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC))
	}},
	{"a time that can't be read is refused", func(c *run) {
		for _, year := range []int{-5000, -4712, -44, -1, 0, 1, 9999, 10000, 294276, 586578, 5_000_000} {
			at := time.Date(year, 3, 15, 12, 30, 0, 0, time.UTC)
			for _, typ := range []string{c.Moment, c.Local, c.Text} {
				table := c.table("v " + typ)
				if _, err := c.engine().Exec(c.ctx, "insert into "+table+" values (:v)", named("v", at)); err != nil {
					c.is(err, db.ErrData)
					require.Zero(c, c.count(c.engine(), table))
					require.False(c, year > 1000 && year < 9999)
					continue
				}
				got, err := db.Scalar[time.Time](c.ctx, c.engine(), "select v from "+table)
				require.NoError(c, err, "%v in %s", at, typ)
				require.Equal(c, at, got, typ)
			}
		}
	}},
	{"durations", func(c *run) {
		roundTrip(c, c.Duration, 0, time.Second, 26*time.Hour+3*time.Minute+4*time.Second, 1500*time.Microsecond, -90*time.Second, 700*time.Hour)
	}},
	{"UUIDs", func(c *run) {
		const id = "123e4567-e89b-12d3-a456-426614174000"
		require.Equal(c, id, stored[string](c, c.UUID, id))
	}},
	{"JSON", func(c *run) {
		for _, doc := range []string{`{"a": [1, 2.5, "ä"], "b": null}`, `[]`, `"text"`, `12345678901234567890`} {
			require.JSONEq(c, doc, stored[string](c, c.JSON, doc))
			require.JSONEq(c, doc, string(stored[[]byte](c, c.JSON, []byte(doc))))
		}
	}},
	{"Go values as JSON", func(c *run) {
		want := document{Name: "ä <b>", Tags: []string{"x", "y"}, Deep: map[string]any{"n": 1.5, "none": nil}}
		for _, typ := range []string{c.JSON, c.Text} {
			require.Equal(c, want, stored[db.JSON[document]](c, typ, db.JSON[document]{V: want}).V)
			require.Equal(c, &want, stored[db.JSON[*document]](c, typ, db.JSON[*document]{V: &want}).V)
			require.Equal(c, want, stored[*db.JSON[document]](c, typ, &db.JSON[document]{V: want}).V)
			require.Equal(c, want, stored[sql.Null[db.JSON[document]]](c, typ, sql.Null[db.JSON[document]]{V: db.JSON[document]{V: want}, Valid: true}).V.V)
			require.Equal(c, []int{1, 2}, stored[db.JSON[[]int]](c, typ, db.JSON[[]int]{V: []int{1, 2}}).V)
			require.Equal(c, 7, stored[db.JSON[int]](c, typ, db.JSON[int]{V: 7}).V)
			require.Equal(c, "7", stored[db.JSON[string]](c, typ, db.JSON[string]{V: "7"}).V)
			require.Equal(c, any(true), stored[db.JSON[any]](c, typ, db.JSON[any]{V: true}).V)
			require.Equal(c, map[string]any{}, stored[db.JSON[map[string]any]](c, typ, db.JSON[map[string]any]{V: map[string]any{}}).V)
		}
	}},
	{"NULL as JSON", func(c *run) {
		table := c.table("id integer", "v "+c.JSON)
		nothing := []any{nil, db.JSON[map[string]any]{}, db.JSON[*document]{}, db.JSON[[]int]{}, db.JSON[any]{}, (*db.JSON[int])(nil), sql.Null[db.JSON[int]]{}}
		for i, v := range nothing {
			c.exec(c.engine(), "insert into "+table+" values (:id, :v)", named("id", i), named("v", v))
		}
		n, err := db.Scalar[int](c.ctx, c.engine(), "select count(*) from "+table+" where v is null")
		require.NoError(c, err)
		require.Equal(c, len(nothing), n)
		const one = "select v from %s where id = 0"
		query := fmt.Sprintf(one, table)
		doc, err := db.Scalar[db.JSON[*document]](c.ctx, c.engine(), query)
		require.NoError(c, err)
		require.Nil(c, doc.V)
		pointer, err := db.Scalar[*db.JSON[document]](c.ctx, c.engine(), query)
		require.NoError(c, err)
		require.Nil(c, pointer)
		null, err := db.Scalar[sql.Null[db.JSON[document]]](c.ctx, c.engine(), query)
		require.NoError(c, err)
		require.False(c, null.Valid)
		_, err = db.Scalar[db.JSON[document]](c.ctx, c.engine(), query)
		c.is(err, db.ErrScan)
		require.ErrorContains(c, err, "NULL")
		plain, err := db.Scalar[map[string]any](c.ctx, c.engine(), query)
		require.NoError(c, err)
		require.Nil(c, plain)
	}},
	{"the JSON document null is the zero value", func(c *run) {
		require.Equal(c, "null", stored[string](c, c.JSON, "null"))
		require.Nil(c, stored[*document](c, c.JSON, "null"))
		require.Nil(c, stored[map[string]any](c, c.JSON, "null"))
		require.Zero(c, stored[document](c, c.JSON, "null"))
		require.Zero(c, stored[db.JSON[document]](c, c.JSON, "null"))
		require.NotNil(c, stored[*db.JSON[document]](c, c.JSON, "null"))
		var nothing *document
		require.Equal(c, "null", stored[string](c, c.JSON, db.JSON[[]*document]{V: []*document{nothing}})[1:5])
	}},
	{"a column of JSON goes into maps, structs and slices", func(c *run) {
		type row struct {
			A document
			B *document
			C map[string]any
			D []string
			E *map[string]any
			F json.RawMessage
			G string
			H *document
			I sql.Null[document]
		}
		const doc, list = `{"name": "n", "tags": ["x"], "deep": {"k": 1}}`, `["p", "q"]`
		table := c.table("a "+c.JSON, "b "+c.JSON, "c "+c.JSON, "d "+c.JSON, "e "+c.JSON, "f "+c.JSON, "g "+c.JSON, "h "+c.JSON, "i "+c.JSON)
		c.exec(c.engine(), "insert into "+table+" values (:doc, :doc, :doc, :list, :doc, :doc, :list, :null, :doc)", named("doc", doc), named("list", list), named("null", nil))
		want := document{Name: "n", Tags: []string{"x"}, Deep: map[string]any{"k": 1.0}}
		got, err := db.One[row](c.ctx, c.engine(), "select * from "+table)
		require.NoError(c, err)
		require.Equal(c, want, got.A)
		require.Equal(c, &want, got.B)
		require.Equal(c, "n", got.C["name"])
		require.Equal(c, []string{"p", "q"}, got.D)
		require.Equal(c, got.C, *got.E)
		require.JSONEq(c, doc, string(got.F))
		require.JSONEq(c, list, got.G)
		require.Nil(c, got.H)
		require.Equal(c, sql.Null[document]{V: want, Valid: true}, got.I)

		rows, err := c.engine().Query(c.ctx, "select a, d from "+table)
		require.NoError(c, err)
		require.True(c, rows.Next())
		into, words := map[string]any{"old": 1}, []string{"old", "old", "old"}
		require.NoError(c, rows.Scan(&into, &words))
		require.Equal(c, got.C, into, "nothing is left of what was there")
		require.Equal(c, []string{"p", "q"}, words)
		before := into
		require.NoError(c, rows.Scan(&into, &words))
		before["name"] = "changed"
		require.Equal(c, "n", into["name"], "each Scan makes a map of its own")
		c.is(rows.Scan(&words, &words), db.ErrScan)
	}},
	{"what is no JSON says what to do", func(c *run) {
		table := c.table("v "+c.Integer, "t "+c.Text)
		c.exec(c.engine(), "insert into "+table+" values (7, 'seven')")
		_, err := db.Scalar[document](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
		require.ErrorContains(c, err, "implement sql.Scanner or use db.JSON")
		_, err = db.Scalar[map[string]any](c.ctx, c.engine(), "select t from "+table)
		c.is(err, db.ErrScan)
		require.ErrorContains(c, err, "implement sql.Scanner or use db.JSON")
		_, err = db.Scalar[db.JSON[document]](c.ctx, c.engine(), "select t from "+table)
		c.is(err, db.ErrScan)
		for _, v := range []any{document{}, &document{}, map[string]any{"a": 1}} {
			_, err := c.engine().Exec(c.ctx, "insert into "+table+" values (1, :v)", named("v", v))
			c.is(err, db.ErrParameter)
			require.ErrorContains(c, err, "db.JSON")
		}
		_, err = c.engine().Exec(c.ctx, "insert into "+table+" values (1, :v)", named("v", db.JSON[any]{V: func() {}}))
		c.is(err, db.ErrParameter)
		require.Equal(c, 1, c.count(c.engine(), table))
	}},
	{"NULL in and out by pointer", func(c *run) {
		seven := 7
		require.Equal(c, &seven, stored[*int](c, c.Integer, &seven))
		require.Nil(c, stored[*int](c, c.Integer, (*int)(nil)))
		word := "word"
		require.Equal(c, &word, stored[*string](c, c.Text, &word))
		require.Nil(c, stored[*string](c, c.Text, nil))
		require.Nil(c, stored[*time.Time](c, c.Moment, (*time.Time)(nil)))
		pointer := &seven
		require.Equal(c, &pointer, stored[**int](c, c.Integer, &pointer))
	}},
	{"NULL in and out by sql.Null", func(c *run) {
		require.Equal(c, sql.Null[int64]{V: 7, Valid: true}, stored[sql.Null[int64]](c, c.Integer, sql.Null[int64]{V: 7, Valid: true}))
		require.Equal(c, sql.Null[int64]{}, stored[sql.Null[int64]](c, c.Integer, sql.Null[int64]{}))
		require.Equal(c, sql.NullString{String: "x", Valid: true}, stored[sql.NullString](c, c.Text, sql.NullString{String: "x", Valid: true}))
		require.Equal(c, sql.NullBool{}, stored[sql.NullBool](c, c.Bool, sql.NullBool{}))
		require.Equal(c, sql.NullFloat64{Float64: 1.5, Valid: true}, stored[sql.NullFloat64](c, c.Float, sql.NullFloat64{Float64: 1.5, Valid: true}))
	}},
	{"NULL in an any is nil", func(c *run) {
		require.Nil(c, stored[any](c, c.Integer, nil))
	}},
	{"in an any values have the same types everywhere", func(c *run) {
		require.Equal(c, any(int64(7)), stored[any](c, c.Integer, 7))
		require.Equal(c, any(1.5), stored[any](c, c.Float, 1.5))
		require.Equal(c, any("x"), stored[any](c, c.Text, "x"))
		require.Equal(c, any([]byte("x")), stored[any](c, c.Bytes, []byte("x")))
		require.Equal(c, any("1.5000"), stored[any](c, c.Decimal, "1.5000"))
	}},
	{"Valuer and Scanner", func(c *run) {
		require.Equal(c, text{"hello"}, stored[text](c, c.Text, text{"hello"}))
		require.Equal(c, "<hello>", stored[string](c, c.Text, &text{"hello"}))
		require.Nil(c, stored[*text](c, c.Text, (*text)(nil)))
	}},
	{"a Valuer's error is the caller's", func(c *run) {
		table := c.table("v " + c.Text)
		_, err := c.engine().Exec(c.ctx, "insert into "+table+" values (:v)", named("v", text{"bad"}))
		c.is(err, db.ErrParameter)
		require.ErrorContains(c, err, "a bad text")
		require.Zero(c, c.count(c.engine(), table))
	}},
	{"a Scanner's error is the caller's", func(c *run) {
		table := c.table("v " + c.Text)
		c.exec(c.engine(), "insert into "+table+" values ('x')")
		_, err := db.Scalar[text](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
	}},
	{"numbers as strings", func(c *run) {
		table := c.table("v " + c.Integer)
		c.exec(c.engine(), "insert into "+table+" values (42)")
		s, err := db.Scalar[string](c.ctx, c.engine(), "select v from "+table)
		require.NoError(c, err)
		require.Equal(c, "42", s)
	}},
	{"strings as numbers", func(c *run) {
		table := c.table("v " + c.Text)
		c.exec(c.engine(), "insert into "+table+" values ('42')")
		n, err := db.Scalar[int](c.ctx, c.engine(), "select v from "+table)
		require.NoError(c, err)
		require.Equal(c, 42, n)
	}},
	{"what is no number, date or truth is an error", func(c *run) {
		if c.can("Strict") {
			c.cantStore(c.Integer, "seven", db.ErrData)
			c.cantStore(c.Date, "someday", db.ErrData)
		}
	}},
	{"arrays", func(c *run) {
		if !c.can("Arrays") {
			return // a list is no single value; see parameters
		}
		roundTrip(c, "integer[]", []int{}, []int{1, 2, 3}, []int{-5})
		roundTrip(c, "bigint[]", []int64{math.MaxInt64, math.MinInt64})
		roundTrip(c, "text[]", []string{}, []string{"a", "", "NULL", `q"u\o,{t}e`, "ä"})
		seven := "x"
		roundTrip(c, "text[]", []*string{&seven, nil})
		require.Nil(c, stored[[]int](c, "integer[]", nil))
		require.Equal(c, [][]int{{1, 2}, {3, 4}}, stored[[][]int](c, "integer[]", [][]int{{1, 2}, {3, 4}}))
		table := c.table("v integer[]")
		c.exec(c.engine(), "insert into "+table+" values (:v)", named("v", []int{1, 300}))
		_, err := db.Scalar[[]int8](c.ctx, c.engine(), "select v from "+table)
		c.is(err, db.ErrScan)
	}},
	{"all in one row", func(c *run) {
		type row struct {
			I  int64
			F  float64
			S  string
			B  []byte
			T  bool
			At time.Time
			N  *int
		}
		table := c.table("i "+c.Integer, "f "+c.Float, "s "+c.Text, "b "+c.Bytes, "t "+c.Bool, "at "+c.Moment, "n "+c.Integer)
		want := row{1, 2.5, "three", []byte{4}, true, noon.Truncate(c.Precision), nil}
		c.exec(c.engine(), "insert into "+table+" values (:i, :f, :s, :b, :t, :at, :n)", want)
		got, err := db.One[row](c.ctx, c.engine(), "select * from "+table)
		require.NoError(c, err)
		require.Equal(c, want, got)
	}},
}

// stored writes a value into a new table and reads it again.
func stored[T any](c *run, typ string, value any) T {
	c.Helper()
	table := c.table("v " + typ)
	c.exec(c.engine(), "insert into "+table+" values (:v)", named("v", value))
	got, err := db.Scalar[T](c.ctx, c.engine(), "select v from "+table)
	require.NoError(c, err)
	return got
}

// roundTrip writes values into one table and reads them again, on shared connections and on one of
// its own.
func roundTrip[T any](c *run, typ string, values ...T) {
	c.Helper()
	table := c.table("id integer", "v "+typ)
	for i, v := range values {
		c.exec(c.engine(), "insert into "+table+" values (:id, :v)", named("id", i), named("v", v))
	}
	check := func(q db.Querier) {
		got, err := db.All[T](c.ctx, q, "select v from "+table+" order by id")
		require.NoError(c, err)
		require.Equal(c, values, got)
	}
	check(c.engine())
	conn := c.conn(c.engine())
	defer c.close(conn)
	check(conn)
}

// cantStore checks that a column refuses a value.
func (c *run) cantStore(typ string, value any, condition error) {
	c.Helper()
	table := c.table("v " + typ)
	_, err := c.engine().Exec(c.ctx, "insert into "+table+" values (:v)", named("v", value))
	c.is(err, condition)
	require.Zero(c, c.count(c.engine(), table))
}
