package scanning

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"slices"

	"github.com/seed1239206e/repaint/db/internal/fields"
)

// structPlan says which field each column of a row goes to.
type structPlan struct {
	fields   [][]int    // for each column
	optional []optional // outer structs before inner ones
}

// optional is a field with a pointer to a struct that takes columns. If all of them are NULL, as
// after an outer join that found nothing, the pointer is nil.
type optional struct {
	index   []int // of the field with the pointer
	columns []int
}

// planStruct plans how a row fills a t. It fails if a column has no field in t, or two columns have
// the same field.
func (c Columns) planStruct(t reflect.Type) (*structPlan, error) {
	all := fields.Of(t)
	plan := &structPlan{fields: make([][]int, len(c.All))}
	for i, column := range c.All {
		index, err := all.Find(column.Name)
		if err != nil {
			return nil, err
		}
		if index == nil {
			return nil, fmt.Errorf("the column %q has no field in %s; add one, or don't select it", column.Name, t)
		}
		for j, other := range plan.fields[:i] {
			if slices.Equal(other, index) {
				return nil, fmt.Errorf("the columns %d (%q) and %d (%q) are for the same field of %s; name them apart with AS",
					j+1, c.All[j].Name, i+1, column.Name, t)
			}
		}
		plan.fields[i] = index
		for n := 1; n < len(index); n++ {
			if t.FieldByIndex(index[:n]).Type.Kind() == reflect.Pointer {
				plan.optionally(index[:n], i)
			}
		}
	}
	slices.SortStableFunc(plan.optional, func(a, b optional) int { return len(a.index) - len(b.index) })
	return plan, nil
}

// optionally notes a pointer on the way to a column's field.
func (p *structPlan) optionally(index []int, column int) {
	for i := range p.optional {
		if o := &p.optional[i]; slices.Equal(o.index, index) {
			o.columns = append(o.columns, column)
			return
		}
	}
	p.optional = append(p.optional, optional{index, []int{column}})
}

func (p *structPlan) scan(c Columns, v reflect.Value, row []driver.Value) error {
	var skipped []bool // the columns of structs whose pointer is nil
	for _, o := range p.optional {
		if skipped != nil && skipped[o.columns[0]] {
			continue // the pointer to the outer struct is nil
		}
		pointer := fieldAt(v, o.index)
		if slices.ContainsFunc(o.columns, func(i int) bool { return row[i] != nil }) {
			pointer.Set(reflect.New(pointer.Type().Elem())) // a new struct, which other rows don't share
			continue
		}
		pointer.SetZero()
		if skipped == nil {
			skipped = make([]bool, len(row))
		}
		for _, i := range o.columns {
			skipped[i] = true
		}
	}
	for i, index := range p.fields {
		if skipped != nil && skipped[i] {
			continue
		}
		f := fieldAt(v, index)
		if err := c.assign(i, row[i], f.Addr().Interface()); err != nil {
			field := v.Type().FieldByIndex(index)
			where := fmt.Sprintf("column %d, %q, into field %s (%s) of %s", i+1, c.All[i].Name, field.Name, field.Type, v.Type())
			return &Misfit{where, err, row[i]}
		}
	}
	return nil
}

// fieldAt is FieldByIndex, but doesn't check for nil pointers: the plan has set them.
func fieldAt(v reflect.Value, index []int) reflect.Value {
	for _, i := range index {
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}
