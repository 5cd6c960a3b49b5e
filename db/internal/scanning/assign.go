package scanning

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/telling"
)

// assign copies a column's value to the variable that dest points to. typ is the column's type. d
// is the dialect of the value, or nil if that doesn't matter. assign itself copies values that
// already have the variable's type. It converts others as database/sql does (through sql.Null,
// whose Scan reaches those conversions), with these differences: numbers arrive exactly or not at
// all, see assignNumber; text is read as a time; JSON goes into maps, structs and slices; a BOOLEAN
// arrives in an any as a bool where the database stores 0 and 1; and a Null of database/sql takes
// what its value takes.
//
// The variable shares no memory with src afterwards.
func assign(d backend.Dialect, typ string, dest, src any) error {
	switch p := dest.(type) {
	case *int64:
		if s, ok := src.(int64); ok && p != nil {
			*p = s
			return nil
		}
	case *int:
		if s, ok := src.(int64); ok && p != nil && int64(int(s)) == s {
			*p = int(s)
			return nil
		}
	case *string:
		if s, ok := src.(string); ok && p != nil {
			*p = s
			return nil
		}
	case *float64:
		if s, ok := src.(float64); ok && p != nil {
			*p = s
			return nil
		}
	case *[]byte:
		if s, ok := src.([]byte); ok && p != nil {
			*p = bytes.Clone(s)
			return nil
		}
	case *time.Time:
		if s, ok := src.(time.Time); ok && p != nil {
			*p = s
			return nil
		}
	case *any:
		if p != nil {
			*p = Natural(typ, src)
			return nil
		}
	}
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer {
		if err := assignOwn(d, typ, dest, src); err != driver.ErrSkip {
			return err
		}
		return errors.New("the destination is no pointer")
	}
	if v.IsNil() {
		return errors.New("the destination is a nil pointer")
	}
	return assignTo(d, typ, v.Elem(), dest, src)
}

// assignOwn assigns to a variable of one of the dialect's own types. For any other it returns
// driver.ErrSkip.
func assignOwn(d backend.Dialect, typ string, dest, src any) error {
	if own, ok := d.(backend.ValueScanner); ok {
		return own.ScanValue(dest, typ, src)
	}
	return driver.ErrSkip
}

// assignTo converts src to the type of v, to which dest points.
func assignTo(d backend.Dialect, typ string, v reflect.Value, dest, src any) error {
	if scanner, ok := dest.(sql.Scanner); ok {
		if value, valid, ok := nullOf(v); ok {
			return assignNull(d, typ, value, valid, src)
		}
		return scanner.Scan(src)
	}
	if v.Kind() == reflect.Pointer {
		return assignPointer(d, typ, v, src)
	}
	if src == nil {
		if k := v.Kind(); k == reflect.Slice || k == reflect.Map || k == reflect.Interface {
			v.SetZero()
			return nil
		}
		if err := assignOwn(d, typ, dest, src); err != driver.ErrSkip {
			return err
		}
		return fmt.Errorf("the value is NULL; use *%[1]s or sql.Null[%[1]s]", v.Type())
	}
	if isJSON(typ) && readsJSON(v.Type()) {
		return assignJSON(v, src)
	}
	if text, ok := src.(string); ok {
		switch p := dest.(type) {
		case *time.Time:
			t, err := parseTime(text)
			if err == nil {
				*p = t
			}
			return err
		case *time.Duration:
			t, err := parseClock(text)
			if err == nil {
				*p = t
			}
			return err
		}
	}
	if ok, err := assignBasic(v, src); ok {
		return err
	}
	return assignOther(d, typ, v, dest, src)
}

// nullOf returns the two parts of a Null of database/sql, such as sql.Null[int] and
// sql.NullString: the value, and whether it is there.
func nullOf(v reflect.Value) (value, valid reflect.Value, ok bool) {
	t := v.Type()
	if t.Kind() != reflect.Struct || t.PkgPath() != "database/sql" || t.NumField() != 2 || t.Field(1).Name != "Valid" {
		return value, valid, false
	}
	return v.Field(0), v.Field(1), true
}

// assignNull assigns to the value of a Null as assign does to a plain variable. database/sql itself
// would put an integer into a float that can't hold it.
func assignNull(d backend.Dialect, typ string, value, valid reflect.Value, src any) error {
	value.SetZero()
	valid.SetBool(false)
	if src == nil {
		return nil
	}
	if err := assign(d, typ, value.Addr().Interface(), src); err != nil {
		return err
	}
	valid.SetBool(true)
	return nil
}

// assignPointer allocates the variable that v then points to; for NULL it sets v to nil.
func assignPointer(d backend.Dialect, typ string, v reflect.Value, src any) error {
	if src == nil || fills(d, typ, v.Type().Elem()) && isJSONNull(src) {
		v.SetZero()
		return nil
	}
	p := reflect.New(v.Type().Elem())
	if err := assign(d, typ, p.Interface(), src); err != nil {
		return err
	}
	v.Set(p)
	return nil
}

// assignBasic assigns to numbers, bools, strings and bytes. It reports whether v is one of these.
func assignBasic(v reflect.Value, src any) (ok bool, err error) {
	switch {
	case v.CanInt(), v.CanUint(), v.CanFloat():
		return true, assignNumber(v, src)
	case v.Kind() == reflect.Bool:
		b, err := convert[bool](src)
		if err == nil {
			v.SetBool(b)
		}
		return true, err
	case v.Kind() == reflect.String:
		s, err := convert[string](src)
		if err == nil {
			v.SetString(s)
		}
		return true, err
	case isBytes(v.Type()):
		b, err := convert[[]byte](src)
		if err == nil {
			v.SetBytes(b)
		}
		return true, err
	}
	return false, nil
}

func isBytes(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8
}

// assignOther assigns to a variable that has no basic type.
func assignOther(d backend.Dialect, typ string, v reflect.Value, dest, src any) error {
	if err := assignOwn(d, typ, dest, src); err != driver.ErrSkip {
		return err
	}
	if s := reflect.ValueOf(src); s.Type().AssignableTo(v.Type()) {
		v.Set(reflect.ValueOf(Natural(typ, src)))
		return nil
	}
	if list, ok := src.([]any); ok && v.Kind() == reflect.Slice {
		return assignList(d, strings.TrimPrefix(typ, "_"), v, list)
	}
	why := fmt.Errorf("a value of type %s can't be stored there", valueName(src))
	if fills(d, typ, v.Type()) {
		if why = assignJSON(v, src); why == nil {
			return nil
		}
	}
	return fmt.Errorf("%w; implement sql.Scanner or use db.JSON", why)
}

// assignList copies an array of the database to a slice.
func assignList(d backend.Dialect, typ string, v reflect.Value, list []any) error {
	s := reflect.MakeSlice(v.Type(), len(list), len(list))
	for i, element := range list {
		if err := assign(d, typ, s.Index(i).Addr().Interface(), element); err != nil {
			return fmt.Errorf("element %d: %w", i, err)
		}
	}
	v.Set(s)
	return nil
}

// convert converts a value as database/sql does.
func convert[T any](src any) (T, error) {
	var n sql.Null[T]
	if err := n.Scan(src); err != nil {
		return n.V, fmt.Errorf("%s %s: %w", valueName(src), telling.Value(src), lastCause(err))
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
	case []any:
		return "array"
	}
	return fmt.Sprintf("%T", v)
}

// Natural returns the value that an any gets for a column. The value is the caller's own: changing
// it changes no other.
func Natural(typ string, v any) any {
	switch v := v.(type) {
	case int64:
		if (typ == "BOOLEAN" || typ == "BOOL") && v&^1 == 0 {
			return v == 1
		}
	case []byte:
		return bytes.Clone(v)
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = Natural("", v[i])
		}
		return list
	}
	return v
}
