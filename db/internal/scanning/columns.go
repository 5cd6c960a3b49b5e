package scanning

import (
	"database/sql/driver"
	"fmt"
	"reflect"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/fields"
	"github.com/seed1239206e/repaint/db/internal/telling"
)

// Columns are the columns of a result.
type Columns struct {
	Dialect backend.Dialect // the dialect of the columns; nil if that doesn't matter
	All     []backend.Column
}

// Row copies a row to the variables that dest points to, one for each column. The error for a value
// that doesn't fit is a [Misfit].
func (c Columns) Row(row []driver.Value, dest []any) error {
	if len(dest) != len(row) {
		return fmt.Errorf("the row has %d columns (%s), Scan was given %d destinations", len(row), c.Names(), len(dest))
	}
	for i, v := range row {
		if err := c.Value(i, v, dest[i]); err != nil {
			return err
		}
	}
	return nil
}

// Value copies a value of column i to the variable that dest points to. Its error is a [Misfit].
func (c Columns) Value(i int, v driver.Value, dest any) error {
	err := c.assign(i, v, dest)
	if err == nil {
		return nil
	}
	typ := ""
	if t := c.All[i].Type; t != "" {
		typ = " of type " + t
	}
	return &Misfit{fmt.Sprintf("column %d, %q%s, into %s", i+1, c.All[i].Name, typ, pointee(dest)), err, v}
}

func (c Columns) assign(i int, v driver.Value, dest any) error {
	return assign(c.Dialect, c.All[i].Type, dest, v)
}

// Struct copies a row to the fields of the struct that dest points to. It returns an error if a
// column has no field; the error for a value that doesn't fit is a [Misfit].
func (c Columns) Struct(row []driver.Value, dest any) error {
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("ScanStruct takes a pointer to a struct, not a %T", dest)
	}
	plan, err := c.planStruct(v.Elem().Type())
	if err != nil {
		return err
	}
	return plan.scan(c, v.Elem(), row)
}

// For returns a function that copies a row to a T. If T is a struct or a pointer to one, the
// columns go to its fields; for any other type there must be exactly one column.
func For[T any](c Columns) (func(row []driver.Value, dest *T) error, error) {
	t := reflect.TypeFor[T]()
	switch {
	case fields.IsRow(t):
		plan, err := c.planStruct(t)
		return func(row []driver.Value, dest *T) error {
			return plan.scan(c, reflect.ValueOf(dest).Elem(), row)
		}, err
	case t.Kind() == reflect.Pointer && fields.IsRow(t.Elem()):
		plan, err := c.planStruct(t.Elem())
		return func(row []driver.Value, dest *T) error {
			p := reflect.New(t.Elem())
			if err := plan.scan(c, p.Elem(), row); err != nil {
				return err
			}
			reflect.ValueOf(dest).Elem().Set(p)
			return nil
		}, err
	}
	return func(row []driver.Value, dest *T) error { return c.Value(0, row[0], dest) }, c.One(t.String())
}

// One returns an error unless there is exactly one column. what names, for the error, the target of
// that column.
func (c Columns) One(what string) error {
	if len(c.All) == 1 {
		return nil
	}
	return fmt.Errorf("the row has %d columns (%s), %s takes one", len(c.All), c.Names(), what)
}

// Find returns the index of the named column, from 0. It returns an error if there is none, or more
// than one.
func (c Columns) Find(name string) (int, error) {
	found := -1
	for i, column := range c.All {
		if column.Name != name {
			continue
		}
		if found >= 0 {
			return -1, fmt.Errorf("there are two columns %q; name them apart with AS", name)
		}
		found = i
	}
	if found < 0 {
		return -1, fmt.Errorf("there is no column %q; there are %s", name, c.Names())
	}
	return found, nil
}

// Names lists the names of the columns, for messages.
func (c Columns) Names() string {
	text := ""
	for i, column := range c.All {
		if i > 0 {
			text += ", "
		}
		text += column.Name
	}
	return telling.Short(text, 200)
}

// pointee names the type of the variable that dest points to.
func pointee(dest any) string {
	name := fmt.Sprintf("%T", dest)
	if len(name) > 1 && name[0] == '*' {
		return name[1:]
	}
	return name
}
