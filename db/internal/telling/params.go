package telling

import (
	"database/sql"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Level is how much errors, events and logs reveal of parameters.
type Level uint8

const (
	Types   Level = iota // names and types
	Values               // names and values
	Nothing              // nothing, not even names
)

// mostParams is how many parameters a text lists.
const mostParams = 20

// Params writes the parameters of a statement in the form that follows the statement: [id int, name
// string], or with their values [id=7, name="ada"].
func Params(params []sql.NamedArg, how Level) string {
	if len(params) == 0 {
		return ""
	}
	between := " "
	if how == Values {
		between = "="
	}
	var b strings.Builder
	for i, p := range params {
		if i == mostParams {
			fmt.Fprintf(&b, ", and %d more", len(params)-i)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.Name + between + Param(p.Value, how))
	}
	return " [" + b.String() + "]"
}

// Param writes the type of a parameter, or its value.
func Param(v any, how Level) string {
	switch how {
	case Values:
		return Value(v)
	case Nothing:
		return ""
	}
	return typeName(v)
}

// typeName names the type of an argument. It names a list for IN after the type of its elements.
func typeName(v any) string {
	list, ok := v.([]any)
	if !ok || len(list) == 0 {
		return typeOf(v)
	}
	first := typeOf(list[0])
	for _, element := range list[1:] {
		if typeOf(element) != first {
			return "[]any"
		}
	}
	return "[]" + first
}

func typeOf(v any) string {
	if v == nil {
		return "nil"
	}
	return reflect.TypeOf(v).String()
}

// Value writes a value in a few words. It follows pointers instead of writing addresses.
func Value(v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case string:
		return fmt.Sprintf("%q", Short(v, 60))
	case []byte:
		return fmt.Sprintf("%d bytes", len(v))
	case time.Time:
		return v.Format(time.RFC3339Nano)
	}
	r := reflect.ValueOf(v)
	if r.Kind() == reflect.Pointer {
		if r.IsNil() {
			return "NULL"
		}
		if target := r.Elem().Interface(); !printsItself(v) || printsItself(target) {
			return Value(target)
		}
	}
	var b strings.Builder
	writeValue(&b, r, 0)
	return Short(b.String(), 60)
}

// printsItself reports whether a value has a method for printing itself.
func printsItself(v any) bool {
	switch v.(type) {
	case fmt.Stringer, error, fmt.Formatter:
		return true
	}
	return false
}

func isNil(v reflect.Value) bool { return v.Kind() == reflect.Pointer && v.IsNil() }

// deepest bounds how deep writeValue follows a value, which may refer to itself.
const deepest = 6

// writeValue writes a value as fmt does, except that it follows pointers.
func writeValue(b *strings.Builder, v reflect.Value, depth int) {
	if depth > deepest {
		b.WriteString("…")
		return
	}
	if v.IsValid() && v.CanInterface() && printsItself(v.Interface()) && !isNil(v) {
		fmt.Fprint(b, v.Interface())
		return
	}
	list := func(open, end string, n int, element func(i int)) {
		b.WriteString(open)
		for i := range n {
			if i > 0 {
				b.WriteByte(' ')
			}
			element(i)
			if b.Len() > 100 { // Value cuts the rest off
				break
			}
		}
		b.WriteString(end)
	}
	switch v.Kind() {
	case reflect.Invalid:
		b.WriteString("NULL")
	case reflect.Pointer, reflect.Interface:
		writeValue(b, v.Elem(), depth+1)
	case reflect.Struct:
		list("{", "}", v.NumField(), func(i int) { writeValue(b, v.Field(i), depth+1) })
	case reflect.Array, reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			fmt.Fprintf(b, "%d bytes", v.Len())
			return
		}
		list("[", "]", v.Len(), func(i int) { writeValue(b, v.Index(i), depth+1) })
	case reflect.Map:
		keys := v.MapKeys()
		list("map[", "]", len(keys), func(i int) {
			writeValue(b, keys[i], depth+1)
			b.WriteByte(':')
			writeValue(b, v.MapIndex(keys[i]), depth+1)
		})
	case reflect.Chan, reflect.Func, reflect.UnsafePointer:
		b.WriteString(v.Type().String())
	default:
		fmt.Fprint(b, v)
	}
}
