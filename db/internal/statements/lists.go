package statements

import (
	"database/sql/driver"
	"fmt"
	"reflect"
	"strings"
	"sync"

	"github.com/seed1239206e/repaint/db/backend"
)

// A parameter takes a list if it stands alone in the parentheses of an IN:
//
//	where id in (:ids)              []int{1, 2, 3}
//	where (a, b) in (:pairs)        [][2]any{{1, "x"}, {2, "y"}}
//	where id in :ids                the same without parentheses
//
// The text then has one placeholder for each value, or the text for an empty list. Lists of
// different lengths should not make as many different texts, which databases prepare and keep. So a
// list is filled up to a round length by repeating its last element, which changes nothing.

// emptyList returns the text for a list without elements. Every database understands a subquery
// without rows.
func (l Language) emptyList(columns int, not bool) string {
	if w, ok := l.Dialect.(backend.ListWriter); ok {
		return w.EmptyList(columns, not)
	}
	return "select null" + strings.Repeat(", null", columns-1) + " where 1 = 0"
}

// shape says how the list for a parameter is written.
type shape struct {
	isList bool
	count  int // elements
	width  int // values in each element; 0 if the element is a value itself
}

func (s shape) write(b *strings.Builder, empty string, place func()) {
	if s.count == 0 {
		b.WriteString(empty)
		return
	}
	for i := range s.count {
		if i > 0 {
			b.WriteString(", ")
		}
		if s.width == 0 {
			place()
			continue
		}
		b.WriteByte('(')
		for j := range s.width {
			if j > 0 {
				b.WriteString(", ")
			}
			place()
		}
		b.WriteByte(')')
	}
}

// roundLength returns the number of elements that a list of n is filled up to: the next power of
// two or, from 256 on, the next multiple of 256.
func roundLength(n int) int {
	if n > 256 {
		return (n + 255) &^ 255
	}
	r := 1
	for r < n {
		r *= 2
	}
	return r
}

// forms are the expanded forms of a statement with lists.
type forms struct {
	mu  sync.Mutex
	all map[string]*Statement
}

// longestForms bounds how many forms are kept.
const longestForms = 64

// Expand returns the statement and values for arguments of which some are lists. If none is a list,
// it returns st and values themselves.
func (l Language) Expand(st *Statement, values []any) (*Statement, []any, error) {
	if st.pieces == nil {
		return st, values, nil
	}
	most := l.MaxParams
	shapes := make([]shape, len(st.names))
	lists := make([][]any, len(st.names))
	found := false
	for i, name := range st.names {
		v := values[paramIndex(st, name)]
		list, ok := listOf(v)
		if !ok || !st.takesList(i) {
			continue
		}
		if st.isAlsoScalar(i) {
			return nil, nil, fmt.Errorf("the parameter :%s is a list, but not all its places are IN (:%s); give the other ones another name", name, name)
		}
		found = true
		shapes[i] = shape{isList: true, count: len(list)}
		flat, width, err := flatten(list)
		if err != nil {
			return nil, nil, fmt.Errorf("the parameter :%s: %w", name, err)
		}
		lists[i], shapes[i].width = flat, width
	}
	if !found {
		return st, values, nil
	}
	for i := range shapes {
		s, per := &shapes[i], max(1, shapes[i].width)
		round := roundLength(s.count)
		if s.count == 0 || most > 0 && round*per > most {
			continue // filling up isn't worth it, or would exceed the limit
		}
		last := lists[i][(s.count-1)*per:]
		for ; s.count < round; s.count++ {
			lists[i] = append(lists[i], last[:per:per]...)
		}
	}
	form := l.form(st, shapes)
	if most > 0 && len(form.Params) > most {
		return nil, nil, fmt.Errorf("the statement would have %d parameters, and %s takes at most %d; split the list", len(form.Params), l.Name(), most)
	}
	all := make([]any, 0, len(form.Params))
	taken := make([]bool, len(st.names))
	for _, p := range st.pieces {
		switch {
		case p.text != "":
		case shapes[p.name].isList:
			all = append(all, lists[p.name]...)
		case l.numbered && taken[p.name]:
		default:
			taken[p.name] = true
			all = append(all, values[paramIndex(st, st.names[p.name])])
		}
	}
	return form, all, nil
}

// form returns the statement with lists of the given shapes.
func (l Language) form(st *Statement, shapes []shape) *Statement {
	key := fmt.Sprint(shapes)
	f := st.forms
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.all[key]; known != nil {
		return known
	}
	form := st.as()
	form.render(l, st.pieces, shapes)
	for i, s := range shapes {
		if s.isList {
			form.lists = append(form.lists, st.names[i])
		}
	}
	if f.all == nil || len(f.all) >= longestForms {
		f.all = map[string]*Statement{}
	}
	f.all[key] = form
	return form
}

func paramIndex(st *Statement, name string) int {
	for i, p := range st.Params {
		if p == name {
			return i
		}
	}
	return -1
}

func (st *Statement) takesList(name int) bool {
	for _, p := range st.pieces {
		if p.text == "" && p.name == name && p.list {
			return true
		}
	}
	return false
}

func (st *Statement) isAlsoScalar(name int) bool {
	for _, p := range st.pieces {
		if p.text == "" && p.name == name && !p.list {
			return true
		}
	}
	return false
}

// listOf returns the elements of a slice or array, unless the database takes it as one value.
func listOf(v any) ([]any, bool) {
	switch v := v.(type) {
	case nil, string, []byte, int, int64, driver.Valuer:
		return nil, false
	case []any:
		return v[:len(v):len(v)], true
	}
	r := reflect.ValueOf(v)
	if k := r.Kind(); k != reflect.Slice && k != reflect.Array || r.Type().Elem().Kind() == reflect.Uint8 {
		return nil, false
	}
	list := make([]any, r.Len())
	for i := range list {
		list[i] = r.Index(i).Interface()
	}
	return list, true
}

// flatten joins the values of a list of lists into one list.
func flatten(list []any) (flat []any, width int, err error) {
	if len(list) == 0 {
		return nil, 0, nil
	}
	if _, ok := listOf(list[0]); !ok {
		for i, v := range list {
			if _, ok := listOf(v); ok {
				return nil, 0, fmt.Errorf("element %d of the list is a list and others aren't", i)
			}
		}
		return list, 0, nil
	}
	for i, v := range list {
		row, ok := listOf(v)
		if i == 0 {
			width = len(row)
		}
		if !ok || len(row) != width || width == 0 {
			return nil, 0, fmt.Errorf("element %d of the list hasn't %d values, as the first one has", i, width)
		}
		flat = append(flat, row...)
	}
	return flat, width, nil
}
