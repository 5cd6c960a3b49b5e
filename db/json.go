package db

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/seed1239206e/repaint/db/internal/scanning"
)

// JSON is a value that the database stores as JSON: in a column of type json or jsonb or, where the
// database has no such type, in a column of text. On all databases it can be an argument and a variable
// to scan into. Package encoding/json encodes and decodes V.
//
//	type Settings struct{ Theme string }
//
//	_, err = q.Exec(ctx, "insert into users(settings) values (:s)",
//		db.Named("s", db.JSON[Settings]{V: Settings{Theme: "dark"}}))
//	s, err := db.Scalar[db.JSON[Settings]](ctx, q, "select settings from users")
//	fmt.Println(s.V.Theme)
//
// NULL is a nil V: a pointer, map, slice or interface. Scanning NULL into another V is [ErrScan], as
// for any variable; JSON[*Settings], *JSON[Settings] and sql.Null[JSON[Settings]] take it. The JSON
// document null sets V to its zero value.
//
// In a V of type any, a number is a float64, which holds integers up to 2^53 exactly. For larger ones
// give V a type with integers or json.Number.
type JSON[T any] struct{ V T }

var (
	_ sql.Scanner      = (*JSON[any])(nil)
	_ driver.Valuer    = JSON[any]{}
	_ json.Marshaler   = JSON[any]{}
	_ json.Unmarshaler = (*JSON[any])(nil)
)

// Scan implements sql.Scanner. It replaces V and merges nothing into its old value.
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
	return string(text), nil // databases don't take bytes for text
}

// MarshalJSON encodes V, so that a JSON within a larger document looks like its V.
func (j JSON[T]) MarshalJSON() ([]byte, error) { return json.Marshal(j.V) }

// UnmarshalJSON decodes V; it is the counterpart of MarshalJSON.
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
