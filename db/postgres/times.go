package postgres

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/internal/pgcalendar"
)

// momentOf returns the value to send for a time.
func momentOf(t time.Time) any {
	t = t.UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return farInstant{instant(t)}
	}
	return instant(t)
}

// instant is a time that pgx writes into text in the form of the other dialects, instead of the
// form in which Go prints it.
type instant time.Time

func (t instant) TimestamptzValue() (pgtype.Timestamptz, error) {
	return pgtype.Timestamptz{Time: time.Time(t), Valid: true}, tooFar(pgcalendar.Timestamp, time.Time(t))
}

func (t instant) TimestampValue() (pgtype.Timestamp, error) {
	return pgtype.Timestamp{Time: time.Time(t), Valid: true}, tooFar(pgcalendar.Timestamp, time.Time(t))
}

func (t instant) DateValue() (pgtype.Date, error) {
	return pgtype.Date{Time: time.Time(t), Valid: true}, tooFar(pgcalendar.Date, time.Time(t))
}

// String returns the text that pgx writes.
func (t instant) String() string {
	return time.Time(t).Truncate(time.Microsecond).Format("2006-01-02 15:04:05.999999-07:00")
}

func (t instant) MarshalJSON() ([]byte, error) { return time.Time(t).MarshalJSON() }

// farInstant is an instant whose text could neither be read again nor compared.
type farInstant struct{ instant }

// TextValue returns an error. pgx calls it before String.
func (t farInstant) TextValue() (pgtype.Text, error) {
	return pgtype.Text{}, backend.OutOfRange("the year %d is beyond what can be stored as text, 0 to 9999", time.Time(t.instant).Year())
}

// timeText writes a time in UTC in the server's form, with the parts that the type has.
func timeText(oid uint32, t time.Time) string {
	switch oid {
	case pgtype.DateOID:
		return writeTime(t, dateLayout, "")
	case pgtype.TimestamptzOID:
		return writeTime(t, momentLayout, "+00")
	}
	return writeTime(t, momentLayout, "")
}

// These are the layouts of the part after the year.
const (
	momentLayout = "-01-02 15:04:05.999999"
	dateLayout   = "-01-02"
)

// writeTime writes a time, truncated to microseconds. The server has no year 0: the year before 1
// is 1 BC.
func writeTime(t time.Time, layout, zone string) string {
	t = t.Truncate(time.Microsecond)
	year, era := t.Year(), ""
	if year <= 0 {
		year, era = 1-year, " BC"
	}
	return fmt.Sprintf("%04d%s%s%s", year, t.Format(layout), zone, era)
}

// parseTime reads a time in the server's form.
func parseTime(typ, text string) (driver.Value, error) {
	var v interface {
		Scan(src any) error
		Value() (driver.Value, error)
	}
	switch typ {
	case "DATE":
		v = &pgtype.Date{}
	case "TIMESTAMP":
		v = &pgtype.Timestamp{}
	default:
		v = &pgtype.Timestamptz{}
	}
	if err := v.Scan(text); err != nil {
		return nil, fmt.Errorf("%q is no time in the form of ISO 8601: %w", text, err)
	}
	got, err := v.Value()
	if t, ok := got.(time.Time); ok {
		return t.UTC(), nil
	}
	return got, err // infinity
}

var timeType = reflect.TypeFor[time.Time]()

// isTimes reports whether a type is a list of times, with any number of dimensions.
func isTimes(t reflect.Type) bool {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		t = t.Elem()
	}
	return t == timeType || t.Kind() == reflect.Pointer && t.Elem() == timeType
}

// inUTC returns a list of times with all times in UTC.
func inUTC(v reflect.Value) reflect.Value {
	switch {
	case v.Type() == timeType:
		return reflect.ValueOf(v.Interface().(time.Time).UTC())
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return v
		}
		at := v.Elem().Interface().(time.Time).UTC()
		return reflect.ValueOf(&at)
	case v.Kind() == reflect.Slice && v.IsNil():
		return v
	}
	list := reflect.New(v.Type()).Elem()
	if v.Kind() == reflect.Slice {
		list.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
	}
	for i := range v.Len() {
		list.Index(i).Set(inUTC(v.Index(i)))
	}
	return list
}

// checkTimes refuses lists and ranges, and lists of ranges, with times that no timestamp can hold:
// pgx would send other times in their place. Package pg checks that itself.
func checkTimes(v any) error {
	if p := reflect.ValueOf(v); p.Kind() == reflect.Pointer {
		if p.IsNil() {
			return nil
		}
		v = p.Elem().Interface()
	}
	switch v := v.(type) {
	case time.Time:
		return tooFar(pgcalendar.Timestamp, v)
	case pgtype.Timestamptz:
		return tooFar(pgcalendar.Timestamp, v.Time)
	case pgtype.Timestamp:
		return tooFar(pgcalendar.Timestamp, v.Time)
	case pgtype.Date:
		return tooFar(pgcalendar.Date, v.Time)
	case pgtype.RangeValuer:
		lower, upper := v.Bounds()
		if err := checkTimes(lower); err != nil {
			return err
		}
		return checkTimes(upper)
	}
	list := reflect.ValueOf(v)
	if k := list.Kind(); k == reflect.Struct { // a pgtype.Array
		list = list.FieldByName("Elements")
	}
	if k := list.Kind(); k != reflect.Slice && k != reflect.Array {
		return nil
	}
	switch list.Type().Elem().Kind() {
	case reflect.Struct, reflect.Pointer, reflect.Slice, reflect.Array, reflect.Interface:
	default:
		return nil
	}
	for i := range list.Len() {
		if one := list.Index(i); one.CanInterface() {
			if err := checkTimes(one.Interface()); err != nil {
				return err
			}
		}
	}
	return nil
}

// tooFar turns the error of a check of the calendar into one that package db knows.
func tooFar(check func(time.Time) error, t time.Time) error {
	if err := check(t); err != nil {
		return backend.OutOfRange("%w", err)
	}
	return nil
}

// epoch is the zero point of PostgreSQL's times.
var epoch = time.Date(2000, time.January, 1, 0, 0, 0, 0, time.UTC)
