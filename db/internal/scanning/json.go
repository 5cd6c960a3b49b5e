package scanning

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/db/backend"
)

// isJSON reports whether a column of the given type holds only JSON.
func isJSON(typ string) bool { return typ == "JSON" || typ == "JSONB" }

// mayBeJSON reports whether a column of the given type may hold JSON. A variable that can be filled
// in no other way is then read as JSON.
func mayBeJSON(d backend.Dialect, typ string) bool {
	k, ok := d.(backend.JSONKeeper)
	return ok && k.KeepsJSON(typ)
}

var (
	timeType        = reflect.TypeFor[time.Time]()
	scannerType     = reflect.TypeFor[sql.Scanner]()
	unmarshalerType = reflect.TypeFor[json.Unmarshaler]()
)

// readsJSON reports whether a variable of type t gets the meaning of the JSON in a column. Text and
// bytes get the JSON itself.
func readsJSON(t reflect.Type) bool {
	return needsJSON(t) || t == timeType || reflect.PointerTo(t).Implements(unmarshalerType) && !reflect.PointerTo(t).Implements(scannerType)
}

// needsJSON reports whether a variable of type t can be filled from text only if the text is JSON.
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
func fills(d backend.Dialect, typ string, t reflect.Type) bool {
	return isJSON(typ) && readsJSON(t) || needsJSON(t) && mayBeJSON(d, typ)
}

// assignJSON decodes the JSON of src into v.
func assignJSON(v reflect.Value, src any) error {
	fresh := reflect.New(v.Type()) // decoding into v itself would merge with what v held
	err := JSON(src, fresh.Interface())
	if err == nil {
		v.Set(fresh.Elem())
	}
	return err
}

// JSON decodes the JSON of a column's value into the variable that dest points to.
func JSON(src, dest any) error {
	text, err := textOfJSON(src)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, dest); err != nil {
		return fmt.Errorf("%s as JSON: %w", valueName(src), err)
	}
	return nil
}

// textOfJSON returns the JSON of a column's value as text. SQLite keeps a number as a number, even
// if the caller gave it as text.
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
