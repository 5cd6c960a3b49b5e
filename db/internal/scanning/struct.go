package scanning

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"

	"github.com/seed1239206e/repaint/db/internal/fields"
)

// structPlan has the field for each column.
type structPlan [][]int

// planStruct fails if a column has no field in t, or two columns have the same.
func (c Columns) planStruct(t reflect.Type) (structPlan, error) {
	all := fields.Of(t)
	plan := make(structPlan, len(c.All))
	for i, column := range c.All {
		index, err := all.Find(column.Name)
		if err != nil {
			return nil, err
		}
		if index == nil {
			return nil, fmt.Errorf("the column %q has no field in %s; add one, or don't select it", column.Name, t)
		}
		for j, other := range plan[:i] {
			if slices.Equal(other, index) {
				return nil, fmt.Errorf("the columns %d (%q) and %d (%q) are for the same field of %s; name them apart with AS",
					j+1, c.All[j].Name, i+1, column.Name, t)
			}
		}
		plan[i] = index
	}
	return plan, nil
}

func (p structPlan) scan(c Columns, v reflect.Value, row []driver.Value) error {
	for i, index := range p {
		f := fieldAt(v, index)
		if err := c.assign(i, row[i], f.Addr().Interface()); err != nil {
			field := v.Type().FieldByIndex(index)
			where := fmt.Sprintf("column %d, %q, into field %s (%s) of %s", i+1, c.All[i].Name, field.Name, field.Type, v.Type())
			return &Misfit{where, err, row[i]}
		}
	}
	return nil
}

// fieldAt is FieldByIndex that makes the structs of embedded nil pointers.
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
