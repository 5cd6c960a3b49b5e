// Package fields finds the struct field that belongs to a column or a parameter, by name. Its
// functions and types are safe for use by several goroutines.
package fields

import (
	"database/sql"
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// Fields maps the names of columns and parameters to the fields of a struct.
type Fields struct {
	of    reflect.Type
	exact map[string]field // by db tag
	loose map[string]field // fields without a tag, by looseName
	inner map[string]field // embedded structs without a tag, by looseName
}

type field struct {
	index []int
	depth int
	twice bool // another field of the same depth has this name
}

var known sync.Map // reflect.Type → *Fields

// Of returns the fields of a struct type. A field with the tag `db:"name"` has exactly that name,
// one with `db:"-"` has none, and one without a tag has its Go name in any mixture of case and
// underscores. The fields of an embedded struct count as the struct's own; as in Go, the shallower
// field wins. The fields of a struct with the tag `db:"author_,prefix"` count too, under their
// names with that prefix.
func Of(t reflect.Type) *Fields {
	if f, ok := known.Load(t); ok {
		return f.(*Fields)
	}
	f := &Fields{of: t, exact: map[string]field{}, loose: map[string]field{}, inner: map[string]field{}}
	f.collect(t, "", nil, map[reflect.Type]bool{})
	actual, _ := known.LoadOrStore(t, f)
	return actual.(*Fields)
}

func (f *Fields) collect(t reflect.Type, prefix string, at []int, above map[reflect.Type]bool) {
	if above[t] {
		return // the type contains a pointer to itself
	}
	above[t] = true
	defer delete(above, t)
	for i := range t.NumField() {
		sf := t.Field(i)
		tag, hasTag := sf.Tag.Lookup("db")
		name, option, _ := strings.Cut(tag, ",")
		if name == "-" {
			continue
		}
		index := append(at[:len(at):len(at)], i)
		if own := option == "prefix"; own || sf.Anonymous && name == "" {
			inner := sf.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			// A pointer to an unexported struct can't be filled by reflection.
			if inner.Kind() == reflect.Struct && !isValueType(sf.Type) && (sf.IsExported() || sf.Anonymous && sf.Type.Kind() == reflect.Struct) {
				if sf.Anonymous {
					add(f.inner, looseName(prefix+sf.Name), index)
				}
				f.collect(inner, prefix+name, index, above)
				continue
			}
		}
		if !sf.IsExported() {
			continue
		}
		if hasTag && name != "" {
			add(f.exact, prefix+name, index)
		} else {
			add(f.loose, looseName(prefix+sf.Name), index)
		}
	}
}

func add(m map[string]field, name string, index []int) {
	old, ok := m[name]
	switch {
	case !ok || len(index) < old.depth:
		m[name] = field{index: index, depth: len(index)}
	case len(index) == old.depth:
		old.twice = true
		m[name] = old
	}
}

// Find returns the field with the given name; index is nil if there is none. If no field has the
// whole name "author.id", that is the field id of the struct that the field author holds or points
// to. Find returns an error if two fields have the name.
func (f *Fields) Find(name string) (index []int, err error) {
	got, ok := f.exact[name]
	if !ok {
		got, ok = f.loose[looseName(name)]
	}
	if !ok {
		outer, rest, nested := strings.Cut(name, ".")
		if !nested {
			return nil, nil
		}
		return f.nested(outer, rest)
	}
	return f.index(got, name)
}

// nested finds the field name in the struct that the field outer holds or points to.
func (f *Fields) nested(outer, name string) (index []int, err error) {
	if index, err = f.Find(outer); index == nil && err == nil {
		got, ok := f.inner[looseName(outer)]
		if !ok {
			return nil, nil
		}
		index, err = f.index(got, outer)
	}
	if err != nil {
		return nil, err
	}
	t := f.of.FieldByIndex(index).Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if !IsRow(t) {
		return nil, nil
	}
	within, err := Of(t).Find(name)
	if within == nil || err != nil {
		return nil, err
	}
	return slices.Concat(index, within), nil
}

func (f *Fields) index(got field, name string) ([]int, error) {
	if got.twice {
		return nil, fmt.Errorf("%s has two fields for %q; tell them apart by their db tags", f.of, name)
	}
	return got.index, nil
}

// looseName removes the differences between snake_case and CamelCase.
func looseName(name string) string {
	return strings.ToLower(strings.ReplaceAll(name, "_", ""))
}

var (
	scannerType = reflect.TypeFor[sql.Scanner]()
	valuerType  = reflect.TypeFor[driver.Valuer]()
	timeType    = reflect.TypeFor[time.Time]()
)

// isValueType reports whether the database takes a struct type, or a pointer to one, as one value
// instead of as a row of values.
func isValueType(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	p := reflect.PointerTo(t)
	return t == timeType || p.Implements(scannerType) || p.Implements(valuerType)
}

// IsRow reports whether t is a struct whose fields take the columns of a row.
func IsRow(t reflect.Type) bool { return t.Kind() == reflect.Struct && !isValueType(t) }
