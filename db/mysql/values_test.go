package mysql_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// big is a Valuer that returns an unsigned integer, for which database/sql has no value.
type big uint64

func (b big) Value() (driver.Value, error) { return uint64(b), nil }

func TestValuesRoundTrip(t *testing.T) {
	moment := time.Date(2024, 2, 29, 23, 59, 59, 123456000, time.UTC)
	berlin := time.FixedZone("", 2*3600)
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		for _, c := range []struct {
			typ     string
			in, out any // out is the value in an any, and in a variable of out's type
		}{
			{"bigint", int64(math.MinInt64), int64(math.MinInt64)},
			{"bigint unsigned", uint64(math.MaxUint64), uint64(math.MaxUint64)},
			{"bigint unsigned", big(math.MaxUint64), uint64(math.MaxUint64)},
			{"bigint unsigned", uint64(7), int64(7)},
			{"bigint unsigned", uint8(7), int64(7)},
			{"tinyint", int8(-128), int64(-128)},
			{"tinyint unsigned", uint8(255), int64(255)},
			{"smallint", int16(-32768), int64(-32768)},
			{"mediumint unsigned", 1 << 23, int64(1 << 23)},
			{"int unsigned", uint32(math.MaxUint32), int64(math.MaxUint32)},
			{"boolean", true, int64(1)},
			{"year", 1999, int64(1999)},
			{"bit(1)", true, int64(1)},
			{"bit(12)", 0xabc, int64(0xabc)},
			{"bit(64)", uint64(math.MaxUint64), uint64(math.MaxUint64)},
			{"double", math.Pi, math.Pi},
			{"double", 5e-324, 5e-324},
			{"float", float32(1.1), float64(float32(1.1))},
			{"decimal(65, 30)", "12345678901234567890123456789012345.123456789012345678901234567890", "12345678901234567890123456789012345.123456789012345678901234567890"},
			{"varchar(20)", "über 'x' \\ \x00 😀", "über 'x' \\ \x00 😀"},
			{"varchar(20)", "", ""},
			{"char(3)", "abc", "abc"},
			{"longtext", strings.Repeat("long ", 100000), strings.Repeat("long ", 100000)},
			{"varbinary(20)", []byte("\x00\xff'\\"), []byte("\x00\xff'\\")},
			{"blob", []byte{}, []byte{}},
			{"longblob", []byte(strings.Repeat("\xfe", 100000)), []byte(strings.Repeat("\xfe", 100000))},
			{"enum('a', 'b')", "b", "b"},
			{"set('a', 'b')", "a,b", "a,b"},
			{"json", json.RawMessage(`{"a": [1, null]}`), `{"a": [1, null]}`},
			{"uuid", "123e4567-e89b-12d3-a456-426655440000", "123e4567-e89b-12d3-a456-426655440000"},
			{"datetime(6)", moment, moment},
			{"datetime(6)", moment.In(berlin), moment},
			{"datetime(6)", moment.Add(999 * time.Nanosecond), moment},
			{"timestamp(6) null", moment.In(berlin), moment},
			{"timestamp null", moment.Truncate(time.Second), moment.Truncate(time.Second)},
			{"datetime", time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)},
			{"datetime", time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)},
			{"date", time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC), time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)},
			{"time(6)", 26*time.Hour + 3*time.Minute + 4*time.Second + 5*time.Microsecond, "26:03:04.000005"},
			{"time(6)", -time.Microsecond, "-00:00:00.000001"},
			{"time", 838*time.Hour + 59*time.Minute + 59*time.Second, "838:59:59"},
			{"bigint", nil, nil},
			{"datetime", (*time.Time)(nil), nil},
			{"datetime", sql.Null[time.Time]{V: moment.Truncate(time.Second), Valid: true}, moment.Truncate(time.Second)},
			{"json", json.RawMessage(nil), nil},
		} {
			dbtest.Exec(t, ctx, e, "create or replace table v(v "+c.typ+")")
			_, err := e.Exec(ctx, "insert into v values (:v)", db.Named("v", c.in))
			require.NoError(t, err, c.typ)
			got, err := db.Scalar[any](ctx, e, "select v from v")
			require.NoError(t, err, c.typ)
			require.Equal(t, c.out, got, c.typ)
			// The server agrees that it is the same value. For a BIT, text has another form.
			same, err := db.Scalar[sql.Null[bool]](ctx, e, "select v <=> :v from v", db.Named("v", c.in))
			require.NoError(t, err, c.typ)
			if c.typ != "float" && !strings.HasPrefix(c.typ, "bit") {
				require.True(t, same.V, c.typ)
			}
			if d, ok := c.in.(time.Duration); ok {
				got, err := db.Scalar[time.Duration](ctx, e, "select v from v")
				require.NoError(t, err)
				require.Equal(t, d, got)
			}
			if b, ok := c.in.(bool); ok {
				got, err := db.Scalar[bool](ctx, e, "select v from v")
				require.NoError(t, err)
				require.Equal(t, b, got)
			}
		}
	})
}

func TestWhatDoesntFitIsAnError(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		for _, c := range []struct {
			typ string
			in  any
			is  error
		}{
			{"tinyint", 128, db.ErrData},
			{"bigint unsigned", -1, db.ErrData},
			{"bigint", uint64(math.MaxUint64), db.ErrData},
			{"int", "x", db.ErrData},
			{"varchar(2)", "abc", db.ErrData},
			{"varchar(2)", "\xff", db.ErrData},
			{"decimal(3,1)", "1000.5", db.ErrData},
			{"date", "2024-02-30", db.ErrData},
			{"datetime", time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC), db.ErrParameter},
			{"time", 839 * time.Hour, db.ErrParameter},
			{"enum('a')", "b", db.ErrData},
			{"json", "{", db.ErrConstraint}, // MariaDB's JSON is text with a check constraint
			{"int", []int{1}, db.ErrParameter},
			{"int", struct{}{}, db.ErrParameter},
		} {
			dbtest.Exec(t, ctx, e, "create or replace table v(v "+c.typ+")")
			_, err := e.Exec(ctx, "insert into v values (:v)", db.Named("v", c.in))
			require.ErrorIs(t, err, c.is, "%s %v", c.typ, c.in)
		}
		_, err := db.Scalar[int64](ctx, e, "select 18446744073709551615")
		require.ErrorIs(t, err, db.ErrScan)
		_, err = db.Scalar[float64](ctx, e, "select 18446744073709551615")
		require.ErrorIs(t, err, db.ErrScan)
		_, err = db.Scalar[bool](ctx, e, "select 2")
		require.ErrorIs(t, err, db.ErrScan)
		_, err = db.Scalar[time.Duration](ctx, e, "select 'x'")
		require.ErrorIs(t, err, db.ErrScan)
	})
}

func TestAZeroDateIsNoTime(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, server.Database(t).URL()+"?sql_mode=")
		dbtest.Exec(t, ctx, e, "create table v(d date, t datetime(3))", "insert into v values ('0000-00-00', '2024-00-10 01:02:03.5')")
		var d, at any
		require.NoError(t, e.QueryRow(ctx, "select d, t from v").Scan(&d, &at))
		require.Equal(t, "0000-00-00", d)
		require.Equal(t, "2024-00-10 01:02:03.500", at)
		for _, column := range []string{"d", "t"} {
			_, err := db.Scalar[time.Time](ctx, e, "select "+column+" from v")
			require.ErrorIs(t, err, db.ErrScan)
		}
	})
}

func TestTimesInAnotherZone(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		url := server.Database(t).URL()
		e, utc := dbtest.Open(t, ctx, url+"?time_zone=-03:30"), dbtest.Open(t, ctx, url)
		dbtest.Exec(t, ctx, e, "create table v(d datetime, s timestamp null)")
		moment := time.Date(2024, 6, 1, 12, 0, 0, 0, time.UTC)
		_, err := e.Exec(ctx, "insert into v values (:t, :t)", db.Named("t", moment))
		require.NoError(t, err)
		var d, s time.Time
		require.NoError(t, e.QueryRow(ctx, "select d, s from v").Scan(&d, &s))
		require.Equal(t, []time.Time{moment, moment}, []time.Time{d, s})
		require.NoError(t, utc.QueryRow(ctx, "select d, s from v").Scan(&d, &s))
		require.Equal(t, moment, s, "a timestamp is the same moment for all")
		require.Equal(t, moment.Add(-3*time.Hour-30*time.Minute), d, "a datetime is what was written")
	})
}
