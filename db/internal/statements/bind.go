package statements

import (
	"database/sql"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db/internal/fields"
)

// Bind returns the value of each of the statement's Params. Arguments are any number of named
// values, maps with string keys, and structs; the first argument that has the parameter's name
// gives the value. Every parameter must get one, and every named value and map key must belong to a
// parameter; only structs may have more fields than there are parameters. If no argument has the
// whole name of a parameter :author.id, its value is the value id in the value author.
//
// Bind stores the values in room if that is large enough. It doesn't change the statement, so that
// several goroutines may call it at once.
func (st *Statement) Bind(room []any, args []any) ([]any, error) {
	if len(args) == 0 && len(st.Params) == 0 {
		return nil, nil
	}
	values := room
	if len(values) < len(st.Params) {
		values = make([]any, len(st.Params))
	}
	values = values[:len(st.Params)]
	if st.bindNamed(values, args) {
		return values, nil
	}
	for i, name := range st.Params {
		found := false
		for _, arg := range args {
			v, ok, err := lookUp(arg, name)
			if err != nil {
				return nil, err
			}
			if ok {
				values[i], found = v, true
				break
			}
		}
		if !found {
			if err := st.checkUnused(args); err != nil {
				return nil, err // this error names the misspelt argument, which says more
			}
			return nil, fmt.Errorf("the parameter :%s has no argument; %s", name, describe(args))
		}
	}
	return values, st.checkUnused(args)
}

// bindNamed handles the usual call, with one named value for each parameter, without comparing all
// arguments with all parameters. It returns false for every other call, right or wrong; Bind then
// goes the long way.
func (st *Statement) bindNamed(values, args []any) bool {
	if len(args) != len(st.names) || len(st.Params) != len(st.names) {
		return false
	}
	for i, name := range st.Params {
		arg, ok := args[i].(sql.NamedArg)
		if !ok {
			return false
		}
		for j := 0; arg.Name != name; j++ {
			if j == len(args) {
				return false
			}
			if arg, ok = args[j].(sql.NamedArg); !ok {
				return false
			}
		}
		values[i] = arg.Value
	}
	// There are as many names as arguments, and each name was found: no argument is left over.
	return true
}

// checkUnused returns an error for an argument that belongs to no parameter, or is of no kind that
// Bind knows.
func (st *Statement) checkUnused(args []any) error {
	for i, arg := range args {
		switch arg := arg.(type) {
		case sql.NamedArg:
			if !st.uses(arg.Name) {
				return st.unused(arg.Name)
			}
			for _, before := range args[:i] {
				if before, ok := before.(sql.NamedArg); ok && before.Name == arg.Name {
					return fmt.Errorf("the parameter :%s has two arguments", arg.Name)
				}
			}
		case map[string]any:
			for name := range arg {
				if !st.uses(name) {
					return st.unused(name)
				}
			}
		default:
			v := reflect.ValueOf(arg)
			if v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String {
				for _, key := range v.MapKeys() {
					if !st.uses(key.String()) {
						return st.unused(key.String())
					}
				}
				continue
			}
			if _, err := structOf(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// uses reports whether a parameter has the name, or names a value within the value of that name.
func (st *Statement) uses(name string) bool {
	return slices.ContainsFunc(st.names, func(param string) bool {
		return param == name || len(param) > len(name) && param[len(name)] == '.' && strings.HasPrefix(param, name)
	})
}

func (st *Statement) unused(name string) error {
	has := "no parameters"
	if len(st.names) > 0 {
		has = "only :" + strings.Join(st.names, ", :")
	}
	why := ""
	if strings.Contains(st.Source, ":"+name) {
		why = "; it isn't one in literals, names and comments, nor right behind a letter or digit"
	}
	return fmt.Errorf("the argument %q is no parameter of the statement, which has %s%s", name, has, why)
}

// lookUp finds a parameter in one argument. The name may be a path to a value in a value:
// "author.id".
func lookUp(arg any, name string) (value any, ok bool, err error) {
	if arg, ok := arg.(sql.NamedArg); ok {
		if rest, nested := strings.CutPrefix(name, arg.Name+"."); nested {
			return within(arg.Value, rest)
		}
		return arg.Value, arg.Name == name, nil
	}
	if value, ok, err = lookUpWhole(arg, name); ok || err != nil {
		return value, ok, err
	}
	outer, rest, nested := strings.Cut(name, ".")
	if !nested {
		return nil, false, nil
	}
	if value, ok, err = lookUpWhole(arg, outer); !ok || err != nil {
		return nil, false, err
	}
	return within(value, rest)
}

// within finds a parameter in a value that may be a map or a struct. If the value is nil, so is the
// parameter.
func within(arg any, name string) (value any, ok bool, err error) {
	v := reflect.ValueOf(arg)
	for v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	switch {
	case !v.IsValid():
		return nil, true, nil
	case v.Kind() == reflect.Pointer:
		return nil, fields.IsRow(v.Type().Elem()), nil
	case hasNames(v.Type()):
		return lookUp(v.Interface(), name)
	}
	return nil, false, nil
}

// hasNames reports whether the values in a value of type t have names: whether t is a map or a
// struct.
func hasNames(t reflect.Type) bool {
	return t.Kind() == reflect.Map && t.Key().Kind() == reflect.String || fields.IsRow(t)
}

// lookUpWhole looks for the whole name in a map or struct. In a struct, the name may be the path to
// a field in a field.
func lookUpWhole(arg any, name string) (value any, ok bool, err error) {
	if arg, ok := arg.(map[string]any); ok {
		value, ok = arg[name]
		return value, ok, nil
	}
	v := reflect.ValueOf(arg)
	if v.Kind() == reflect.Map && v.Type().Key().Kind() == reflect.String {
		if v = v.MapIndex(reflect.ValueOf(name).Convert(v.Type().Key())); !v.IsValid() {
			return nil, false, nil
		}
		return v.Interface(), true, nil
	}
	if v, err = structOf(v); err != nil {
		return nil, false, err
	}
	index, err := fields.Of(v.Type()).Find(name)
	if index == nil || err != nil {
		return nil, false, err
	}
	if v, err = v.FieldByIndexErr(index); err != nil {
		return nil, true, nil // a field behind a nil pointer is NULL
	}
	return v.Interface(), true, nil
}

// structOf returns the struct that an argument is or points to, or an error.
func structOf(v reflect.Value) (reflect.Value, error) {
	s := v
	for s.Kind() == reflect.Pointer && !s.IsNil() {
		s = s.Elem()
	}
	if !s.IsValid() || !fields.IsRow(s.Type()) {
		what := "nil"
		if v.IsValid() {
			what = fmt.Sprintf("a value of type %s", v.Type())
		}
		return s, fmt.Errorf("%s can't tell which parameter it is for; pass db.Named(name, value), a map such as db.Args{name: value}, or a struct", what)
	}
	return s, nil
}

// describe lists the names that the arguments have.
func describe(args []any) string {
	var names []string
	for _, arg := range args {
		switch arg := arg.(type) {
		case sql.NamedArg:
			names = append(names, arg.Name)
		case map[string]any:
			for name := range arg {
				names = append(names, name)
			}
		default:
			names = append(names, fmt.Sprintf("the fields of %T", arg))
		}
	}
	if len(names) == 0 {
		return "there are none"
	}
	slices.Sort(names)
	return "there are " + strings.Join(names, ", ")
}

// Named pairs the statement's parameters with their values, for errors. It returns nil if the
// numbers of parameters and values differ.
func (st *Statement) Named(values []any) []sql.NamedArg {
	if len(values) != len(st.Params) {
		return nil
	}
	all := make([]sql.NamedArg, 0, len(st.names))
	for i, name := range st.Params {
		if slices.Index(st.Params, name) != i {
			continue
		}
		if !slices.Contains(st.lists, name) {
			all = append(all, sql.Named(name, values[i]))
			continue
		}
		var list []any
		for j, other := range st.Params[i:] {
			if other == name {
				list = append(list, values[i+j])
			}
		}
		all = append(all, sql.Named(name, list))
	}
	return all
}
