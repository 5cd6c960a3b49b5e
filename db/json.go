package db

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// JSON is a value that the database keeps as JSON: in a column for it (json, jsonb) or,
// where there is none, of text. It is an argument, and a variable to scan into, on all
// databases. What package encoding/json makes of V is what is stored.
//
//	type Settings struct{ Theme string }
//
//	_, err = q.Exec(ctx, "insert into users(settings) values (:s)",
//		db.Named("s", db.JSON[Settings]{V: Settings{Theme: "dark"}}))
//	s, err := db.Scalar[db.JSON[Settings]](ctx, q, "select settings from users")
//	fmt.Println(s.V.Theme)
//
// NULL is a V that is nil: a pointer, map, slice or any. For other types NULL is an error
// when it is scanned, as for any variable; JSON[*Settings], *JSON[Settings] and
// sql.Null[JSON[Settings]] take it. The JSON document null makes V its zero value.
//
// A number in an any is a float64, which holds integers up to 2^53 exactly; give V a type
// with integers, or json.Number, where there are larger ones.
type JSON[T any] struct{ V T }

var (
	_ sql.Scanner      = (*JSON[any])(nil)
	_ driver.Valuer    = JSON[any]{}
	_ json.Marshaler   = JSON[any]{}
	_ json.Unmarshaler = (*JSON[any])(nil)
)

// Scan implements sql.Scanner. V has nothing of what it was before.
func (j *JSON[T]) Scan(src any) error {
	var v T
	if src == nil {
		if !canBeNil(reflect.TypeFor[T]()) {
			return fmt.Errorf("the value is NULL; use *%[1]s or sql.Null[%[1]s]", reflect.TypeFor[JSON[T]]())
		}
		j.V = v
		return nil
	}
	text, err := textOfJSON(src)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	if err != nil {
		return fmt.Errorf("%s as JSON: %w", valueName(src), err)
	}
	j.V = v
	return nil
}

// Value implements driver.Valuer.
func (j JSON[T]) Value() (driver.Value, error) {
	if v := reflect.ValueOf(&j.V).Elem(); canBeNil(v.Type()) && v.IsNil() {
		return nil, nil
	}
	text, err := json.Marshal(j.V)
	if err != nil {
		return nil, err
	}
	return string(text), nil // databases take bytes for something else
}

// MarshalJSON makes it what V is, where it is a part of something larger.
func (j JSON[T]) MarshalJSON() ([]byte, error) { return json.Marshal(j.V) }

// UnmarshalJSON is the counterpart of MarshalJSON.
func (j *JSON[T]) UnmarshalJSON(text []byte) error {
	var v T
	err := json.Unmarshal(text, &v)
	if err == nil {
		j.V = v
	}
	return err
}

func canBeNil(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return true
	}
	return false
}

// isJSON reports whether a column of the given type has nothing but JSON.
func isJSON(typ string) bool { return typ == "JSON" || typ == "JSONB" }

// mayBeJSON reports whether JSON may be in a column of the given type, so that a variable for
// which there is no other way gets it from there.
func mayBeJSON(d Dialect, typ string) bool {
	k, ok := d.(backend.JSONKeeper)
	return ok && k.KeepsJSON(typ)
}

var unmarshalerType = reflect.TypeFor[json.Unmarshaler]()

// readsJSON reports whether a variable of type t gets what a column of JSON means. Text and
// bytes get the JSON itself.
func readsJSON(t reflect.Type) bool {
	return needsJSON(t) || t == timeType || reflect.PointerTo(t).Implements(unmarshalerType) && !reflect.PointerTo(t).Implements(scannerType)
}

// needsJSON reports whether nothing but JSON can fill a variable of type t from text.
func needsJSON(t reflect.Type) bool {
	if t == timeType || reflect.PointerTo(t).Implements(scannerType) {
		return false
	}
	switch t.Kind() {
	case reflect.Map, reflect.Struct, reflect.Array:
		return true
	case reflect.Slice:
		return !isBytes(t)
	case reflect.Pointer:
		return needsJSON(t.Elem())
	}
	return false
}

// fills reports whether a column of the given type is read as JSON for a variable of type t.
func fills(d Dialect, typ string, t reflect.Type) bool {
	return isJSON(typ) && readsJSON(t) || needsJSON(t) && mayBeJSON(d, typ)
}

// assignJSON copies what a text of JSON means to v.
func assignJSON(v reflect.Value, src any) error {
	text, err := textOfJSON(src)
	if err != nil {
		return err
	}
	fresh := reflect.New(v.Type()) // or else what v had before would be mixed with it
	if err := json.Unmarshal(text, fresh.Interface()); err != nil {
		return fmt.Errorf("%s as JSON: %w", valueName(src), err)
	}
	v.Set(fresh.Elem())
	return nil
}

// textOfJSON returns the JSON that a column has. SQLite keeps a number as one, whatever it
// was given as.
func textOfJSON(src any) ([]byte, error) {
	switch src := src.(type) {
	case string:
		return []byte(src), nil
	case []byte:
		return src, nil
	case int64, uint64, float64, bool:
		return json.Marshal(src)
	case time.Time:
		return nil, errors.New("a time is no JSON")
	}
	return nil, fmt.Errorf("a value of type %s is no JSON", valueName(src))
}

func isJSONNull(src any) bool {
	text, err := textOfJSON(src)
	return err == nil && strings.TrimSpace(string(text)) == "null"
}
