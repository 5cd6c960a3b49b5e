package db

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// assign copies a column's value to what dest points to. Values that have the
// variable's type already are copied here; conversions are those of database/sql
// (through sql.Null, whose Scan reaches them), with these differences: text is
// read as a time, an integer that a float can't hold exactly is an error, and a
// BOOLEAN arrives in an any as a bool where the database stores 0 and 1.
func assign(dest, src any, typ string) error {
	switch d := dest.(type) {
	case *int64:
		if s, ok := src.(int64); ok && d != nil {
			*d = s
			return nil
		}
	case *int:
		if s, ok := src.(int64); ok && d != nil && int64(int(s)) == s {
			*d = int(s)
			return nil
		}
	case *string:
		if s, ok := src.(string); ok && d != nil {
			*d = s
			return nil
		}
	case *float64:
		if s, ok := src.(float64); ok && d != nil {
			*d = s
			return nil
		}
	case *[]byte:
		if s, ok := src.([]byte); ok && d != nil {
			*d = bytes.Clone(s)
			return nil
		}
	case *time.Time:
		if s, ok := src.(time.Time); ok && d != nil {
			*d = s
			return nil
		}
	case *any:
		if d != nil {
			*d = natural(typ, src)
			return nil
		}
	}
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer {
		return errors.New("the destination is no pointer")
	}
	if v.IsNil() {
		return errors.New("the destination is a nil pointer")
	}
	return assignTo(v.Elem(), dest, src, typ)
}

// assignTo converts src to the type of v, to which dest points.
func assignTo(v reflect.Value, dest, src any, typ string) error {
	if text, ok := src.(string); ok && wantsTime(dest) {
		t, err := parseTime(text)
		if err != nil {
			return err
		}
		src = t
	}
	if text, ok := src.(string); ok {
		if d, ok := dest.(*time.Duration); ok {
			parsed, err := parseClock(text)
			if err == nil {
				*d = parsed
			}
			return err
		}
	}
	if scanner, ok := dest.(sql.Scanner); ok {
		return scanner.Scan(src)
	}
	if v.Kind() == reflect.Pointer {
		if src == nil {
			v.SetZero()
			return nil
		}
		p := reflect.New(v.Type().Elem())
		if err := assign(p.Interface(), src, typ); err != nil {
			return err
		}
		v.Set(p)
		return nil
	}
	isBytes := v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8
	if src == nil {
		if v.Kind() == reflect.Slice || v.Kind() == reflect.Interface {
			v.SetZero()
			return nil
		}
		return fmt.Errorf("the value is NULL; use *%[1]s or sql.Null[%[1]s]", v.Type())
	}

	switch kind := v.Kind(); {
	case v.CanInt():
		i, err := convert[int64](src)
		if err == nil && v.OverflowInt(i) {
			err = outOfRange(src)
		}
		if err == nil {
			v.SetInt(i)
		}
		return err
	case v.CanUint():
		u, err := convert[uint64](src)
		if err == nil && v.OverflowUint(u) {
			err = outOfRange(src)
		}
		if err == nil {
			v.SetUint(u)
		}
		return err
	case v.CanFloat():
		f, err := convert[float64](src)
		if i, ok := src.(int64); ok && int64(f) != i || err == nil && v.OverflowFloat(f) {
			err = outOfRange(src)
		}
		if u, ok := src.(uint64); ok && (f >= 1<<64 || uint64(f) != u) {
			err = outOfRange(src)
		}
		if err == nil {
			v.SetFloat(f)
		}
		return err
	case kind == reflect.Bool:
		b, err := convert[bool](src)
		if err == nil {
			v.SetBool(b)
		}
		return err
	case kind == reflect.String:
		s, err := convert[string](src)
		if err == nil {
			v.SetString(s)
		}
		return err
	case isBytes:
		b, err := convert[[]byte](src)
		if err == nil {
			v.SetBytes(b)
		}
		return err
	}
	if s := reflect.ValueOf(natural(typ, src)); s.Type().AssignableTo(v.Type()) {
		v.Set(s)
		return nil
	}
	if list, ok := src.([]any); ok && v.Kind() == reflect.Slice {
		return assignList(v, list)
	}
	return fmt.Errorf("a %s can't be stored there", valueName(src))
}

// assignList copies an array of the database to a slice.
func assignList(v reflect.Value, list []any) error {
	s := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, element := range list {
		if err := assign(s.Index(i).Addr().Interface(), element, ""); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	v.Set(s)
	return nil
}

// convert reaches the conversions of database/sql.
func convert[T any](src any) (T, error) {
	var n sql.Null[T]
	if err := n.Scan(src); err != nil {
		return n.V, fmt.Errorf("%s %s: %w", valueName(src), shortValue(src), lastCause(err))
	}
	return n.V, nil
}

// lastCause shortens the errors of database/sql, which repeat type and value.
func lastCause(err error) error {
	text := err.Error()
	if i := strings.LastIndex(text, ": "); i >= 0 {
		return errors.New(text[i+2:])
	}
	return err
}

func outOfRange(src any) error {
	return fmt.Errorf("%s %s: value out of range", valueName(src), shortValue(src))
}

func valueName(v any) string {
	switch v.(type) {
	case int64, uint64:
		return "integer"
	case float64:
		return "float"
	case string:
		return "text"
	case []byte:
		return "bytes"
	case time.Time:
		return "time"
	}
	return fmt.Sprintf("%T", v)
}

// natural is the value that a column has in an any.
func natural(typ string, v any) any {
	if i, ok := v.(int64); ok && (typ == "BOOLEAN" || typ == "BOOL") && i&^1 == 0 {
		return i == 1
	}
	return v
}

func wantsTime(dest any) bool {
	switch dest.(type) {
	case *time.Time, *sql.NullTime, *sql.Null[time.Time]:
		return true
	}
	return false
}

// timeLayouts are the forms in which databases that have no type for it keep a
// time as text. Without a zone it is UTC.
var timeLayouts = [...]string{
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02 15:04:05.999999999",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02 15:04Z07:00",
	"2006-01-02 15:04",
	"2006-01-02T15:04",
	"2006-01-02",
}

func parseTime(text string) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("text %s is no time", shortValue(text))
}

// parseClock reads a time of day, or a length of time, as databases write it:
// hh:mm:ss.ffffff, perhaps with more hours and a sign, and perhaps with a number of
// days before, each of 24 hours: 2 days -01:00:00. Months have no length.
func parseClock(text string) (time.Duration, error) {
	bad := fmt.Errorf("text %s is no time such as 12:34:56", shortValue(text))
	count, rest, ok := strings.Cut(text, " day")
	if !ok {
		return parseHours(text, bad)
	}
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n > maxDays || n < -maxDays {
		return 0, bad
	}
	days := time.Duration(n) * 24 * time.Hour
	if rest = strings.TrimPrefix(rest, "s"); rest == "" {
		return days, nil
	}
	rest, ok = strings.CutPrefix(rest, " ")
	d, err := parseHours(strings.TrimPrefix(rest, "+"), bad)
	if sum := days + d; ok && err == nil && (sum > days) == (d > 0) {
		return sum, nil
	}
	return 0, bad
}

// What a time.Duration can hold.
const (
	maxDays  = int64(math.MaxInt64 / (24 * time.Hour))
	maxHours = uint64(math.MaxInt64/time.Hour) - 1
)

func parseHours(text string, bad error) (time.Duration, error) {
	digits, negative := strings.CutPrefix(text, "-")
	parts := strings.Split(digits, ":")
	if len(parts) != 2 && len(parts) != 3 {
		return 0, bad
	}
	var total time.Duration
	units := [...]time.Duration{time.Hour, time.Minute, time.Second}
	for i, part := range parts {
		if i == 2 {
			whole, fraction, _ := strings.Cut(part, ".")
			if len(fraction) > 9 {
				return 0, bad
			}
			nanos, err := strconv.ParseUint((fraction + "000000000")[:9], 10, 32)
			if err != nil {
				return 0, bad
			}
			total += time.Duration(nanos)
			part = whole
		}
		n, err := strconv.ParseUint(part, 10, 64)
		if err != nil || i > 0 && n > 59 || n > maxHours {
			return 0, bad
		}
		total += time.Duration(n) * units[i]
	}
	if negative {
		total = -total
	}
	return total, nil
}
