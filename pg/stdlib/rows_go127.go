//go:build go1.27

package stdlib

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"reflect"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

var _ driver.RowsColumnScanner = (*rowsOf)(nil)

// NextRow implements driver.RowsColumnScanner. With that interface arrays, ranges and the like are
// scanned into Go values directly.
func (r *rowsOf) NextRow() error { return r.advance() }

// ScanColumn converts the column's driver.Value for destinations that database/sql knows, as before
// Go 1.27. pgx scans into the others, such as slices and pgtype.Range.
func (r *rowsOf) ScanColumn(ctx driver.ScanContext, i int, dest any) error {
	v := reflect.ValueOf(dest)
	if v.Kind() == reflect.Pointer && v.IsNil() || dest == nil {
		return errors.New("pg/stdlib: Scan into a nil pointer")
	}
	src := r.rows.RawValues()[i]
	if !ofDatabaseSQL(v.Type()) {
		f := r.fields()[i]
		return r.rows.TypeMap().Scan(f.DataTypeOID, f.Format, src, dest)
	}
	value, err := r.value(i, src)
	if err != nil {
		return err
	}
	return sql.ConvertAssign(ctx, dest, value)
}

// destinations remembers whether database/sql knows a type.
var destinations sync.Map // of reflect.Type: bool

func ofDatabaseSQL(t reflect.Type) bool {
	if known, ok := destinations.Load(t); ok {
		return known.(bool)
	}
	is := readByDatabaseSQL(t)
	destinations.Store(t, is)
	return is
}

// readByDatabaseSQL reports whether database/sql can fill what a value of the type points to,
// through any number of pointers. It decides before a scan: one that was tried and failed might
// have called the caller's code.
func readByDatabaseSQL(t reflect.Type) bool {
	for depth := 0; ; depth++ {
		switch {
		case t.Implements(reflect.TypeFor[sql.Scanner]()):
			return true
		case t.Implements(reflect.TypeFor[pgtype.ArraySetter]()), t.Implements(reflect.TypeFor[pgtype.BytesScanner]()):
			return false
		case t.Kind() == reflect.Pointer && depth < 16: // a pointer type can be its own element
			t = t.Elem()
			continue
		}
		break
	}
	switch k := t.Kind(); k {
	case reflect.Slice:
		return t.Elem().Kind() == reflect.Uint8
	case reflect.Struct:
		return t.ConvertibleTo(reflect.TypeFor[time.Time]())
	case reflect.String, reflect.Interface:
		return true
	default:
		return reflect.Bool <= k && k <= reflect.Float64 && k != reflect.Uintptr
	}
}
