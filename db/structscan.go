package db

import (
	"database/sql/driver"
	"fmt"
	"reflect"

	"github.com/seed1239206e/repaint/db/backend"
)

// scanStruct copies one row to the struct that dest points to.
func (c *call) scanStruct(row []driver.Value, dest any) error {
	v := reflect.ValueOf(dest)
	if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
		return fail("scan", ErrScan, "ScanStruct takes a pointer to a struct, not a %T", dest)
	}
	plan, err := planStruct(v.Elem().Type(), c.Columns)
	if err != nil {
		return err
	}
	return plan.scan(c, v.Elem(), row)
}

// structPlan has the field for each column.
type structPlan [][]int

// planStruct fails if a column has no field, or two columns have the same.
func planStruct(t reflect.Type, columns []backend.Column) (structPlan, error) {
	all := structFields(t)
	plan := make(structPlan, len(columns))
	for i, c := range columns {
		index, err := all.find(t, c.Name)
		if err != nil {
			return nil, fail("scan", ErrScan, "%w", err)
		}
		if index == nil {
			return nil, fail("scan", ErrScan, "the column %q has no field in %s; add one, or don't select it", c.Name, t)
		}
		for j, other := range plan[:i] {
			if sameField(other, index) {
				return nil, fail("scan", ErrScan, "the columns %d (%q) and %d (%q) are for the same field of %s; name them apart with AS",
					j+1, columns[j].Name, i+1, c.Name, t)
			}
		}
		plan[i] = index
	}
	return plan, nil
}

func (p structPlan) scan(c *call, v reflect.Value, row []driver.Value) error {
	for i, index := range p {
		f := fieldAt(v, index)
		if err := c.assign(i, f.Addr().Interface(), row[i]); err != nil {
			field := v.Type().FieldByIndex(index)
			where := fmt.Sprintf("column %d, %q, into field %s (%s) of %s", i+1, c.Columns[i].Name, field.Name, field.Type, v.Type())
			return &Error{Op: "scan", Fault: Fault{Condition: ErrScan}, Err: &misfit{where, err, row[i]}}
		}
	}
	return nil
}

// fieldAt is FieldByIndex that makes the structs behind embedded nil pointers.
func fieldAt(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

func sameField(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
