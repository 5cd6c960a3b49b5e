package mysql

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// values converts between Go and the server. The driver sends and returns times as text, because it
// would misread dates with zeros.
type values struct{ zone *time.Location }

const (
	dateLayout = "2006-01-02"
	timeLayout = "2006-01-02 15:04:05.999999"
)

// maxTime is the largest TIME.
const maxTime = 838*time.Hour + 59*time.Minute + 59*time.Second + 999999*time.Microsecond

// Convert converts the arguments that database/sql's rules wouldn't convert: times, durations, and
// integers beyond an int64.
func (v values) Convert(arg any) (driver.Value, error) {
	switch a := arg.(type) {
	case nil, int64, int, string, bool, float64, []byte:
		return nil, driver.ErrSkip
	case time.Time:
		return v.time(a)
	case time.Duration:
		return clock(a)
	case json.RawMessage:
		if a == nil {
			return nil, nil
		}
		return string(a), nil
	case driver.Valuer:
		if r := reflect.ValueOf(a); r.Kind() == reflect.Pointer && r.IsNil() {
			return nil, driver.ErrSkip
		}
		got, err := a.Value()
		if err != nil {
			return nil, err
		}
		if got, ok := got.(driver.Valuer); ok {
			return nil, fmt.Errorf("its Value is another Valuer, a %T", got)
		}
		return v.known(got)
	}
	r := reflect.ValueOf(arg)
	for r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return nil, nil
		}
		if r = r.Elem(); r.CanInterface() {
			if value, err := v.Convert(r.Interface()); err != driver.ErrSkip {
				return value, err
			}
		}
	}
	if r.CanUint() {
		return r.Uint(), nil
	}
	return nil, driver.ErrSkip
}

// known converts the result of a Valuer by the same rules.
func (v values) known(value any) (driver.Value, error) {
	converted, err := v.Convert(value)
	if err == driver.ErrSkip {
		return driver.DefaultParameterConverter.ConvertValue(value)
	}
	return converted, err
}

// time writes a time in the connection's zone, truncated to microseconds.
func (v values) time(t time.Time) (driver.Value, error) {
	t = t.In(v.zone).Truncate(time.Microsecond)
	if y := t.Year(); y < 0 || y > 9999 {
		return nil, backend.OutOfRange("the year %d is beyond what the database can store, 0 to 9999", y)
	}
	return t.Format(timeLayout), nil
}

// clock writes a duration as a TIME, truncated to microseconds.
func clock(d time.Duration) (driver.Value, error) {
	if d > maxTime || d < -maxTime {
		return nil, backend.OutOfRange("%v is beyond the range of TIME, which ends at 838:59:59", d)
	}
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	seconds := d / time.Second
	text := fmt.Sprintf("%s%02d:%02d:%02d", sign, seconds/3600, seconds/60%60, seconds%60)
	if micro := d % time.Second / time.Microsecond; micro != 0 {
		text += fmt.Sprintf(".%06d", micro)
	}
	return text, nil
}

// Column returns the function that converts a column's values, or nil.
func (v values) Column(typ string) func(driver.Value) (driver.Value, error) {
	switch typ {
	case "DATE", "DATETIME", "TIMESTAMP":
		return v.parse
	case "DECIMAL", "CHAR", "VARCHAR", "TEXT", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT", "ENUM", "SET", "JSON", "TIME":
		return text
	case "UNSIGNED BIGINT":
		return unsigned
	case "BIT":
		return bits
	case "FLOAT":
		return single
	}
	return nil
}

// SQLConvert is Convert, except that a duration is a number of nanoseconds, as callers of
// database/sql expect.
func (v values) SQLConvert(arg any) (driver.Value, error) {
	if d, ok := arg.(time.Duration); ok {
		return int64(d), nil
	}
	return v.Convert(arg)
}

// SQLColumn returns dates and times as time.Time, as the driver does with parseTime=true; a date
// with zeros is the zero time. An integer beyond an int64 is a uint64, which the driver itself
// returns only for statements that aren't prepared. Other values are the driver's.
func (v values) SQLColumn(typ string) func(driver.Value) (driver.Value, error) {
	switch typ {
	case "DATE", "DATETIME", "TIMESTAMP":
		return func(value driver.Value) (driver.Value, error) {
			parsed, err := v.parse(value)
			if _, isText := parsed.(string); isText {
				return time.Time{}, err
			}
			return parsed, err
		}
	case "UNSIGNED BIGINT":
		return func(value driver.Value) (driver.Value, error) {
			if b, ok := value.([]byte); ok {
				return strconv.ParseUint(string(b), 10, 64)
			}
			return value, nil
		}
	}
	return nil
}

// parse reads a date or a time. A date with zeros is no time.Time, and stays text: scanning it into
// one is an error.
func (v values) parse(value driver.Value) (driver.Value, error) {
	var s string
	switch value := value.(type) {
	case time.Time:
		if value.IsZero() {
			return "0000-00-00", nil
		}
		return value.UTC(), nil
	case []byte:
		s = string(value)
	case string:
		s = value
	default:
		return value, nil
	}
	if len(s) >= len(dateLayout) && (s[5:7] == "00" || s[8:10] == "00") {
		return s, nil
	}
	layout, zone := timeLayout, v.zone
	if len(s) == len(dateLayout) {
		layout, zone = dateLayout, time.UTC // a day is no moment, so it has no zone
	}
	t, err := time.ParseInLocation(layout, s, zone)
	if err != nil {
		return nil, fmt.Errorf("the server's time %q can't be read: %w", s, err)
	}
	return t.UTC(), nil
}

func text(value driver.Value) (driver.Value, error) {
	if b, ok := value.([]byte); ok {
		return string(b), nil
	}
	return value, nil
}

func unsigned(value driver.Value) (driver.Value, error) {
	var u uint64
	switch value := value.(type) {
	case uint64:
		u = value
	case []byte:
		var err error
		if u, err = strconv.ParseUint(string(value), 10, 64); err != nil {
			return nil, err
		}
	default:
		return value, nil
	}
	return integer(u), nil
}

// integer returns an int64 if that can hold u, or else u.
func integer(u uint64) driver.Value {
	if u > math.MaxInt64 {
		return u
	}
	return int64(u)
}

func bits(value driver.Value) (driver.Value, error) {
	b, ok := value.([]byte)
	if !ok || len(b) > 8 {
		return value, nil
	}
	var u uint64
	for _, c := range b {
		u = u<<8 | uint64(c)
	}
	return integer(u), nil
}

func single(value driver.Value) (driver.Value, error) {
	if f, ok := value.(float32); ok {
		return float64(f), nil
	}
	return value, nil
}

// quoted returns the text between the n-th pair of the given quotes, from 0.
func quoted(message string, quote byte, n int) string {
	for i := 0; ; i++ {
		_, rest, ok := strings.Cut(message, string(quote))
		if !ok {
			return ""
		}
		inside, after, ok := strings.Cut(rest, string(quote))
		if !ok {
			return ""
		}
		if i == n {
			return inside
		}
		message = after
	}
}
