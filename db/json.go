package db

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/seed1239206e/repaint/db/internal/scanning"
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
	err := scanning.JSON(src, &v)
	if err == nil {
		j.V = v
	}
	return err
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
