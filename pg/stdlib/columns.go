package stdlib

import (
	"database/sql/driver"
	"reflect"

	"github.com/seed1239206e/repaint/internal/pgvalues"
)

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*rowsOf)(nil)
	_ driver.RowsColumnTypeLength           = (*rowsOf)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rowsOf)(nil)
	_ driver.RowsColumnTypeScanType         = (*rowsOf)(nil)
)

// ColumnTypeDatabaseTypeName returns the type's name in capitals, or its OID if it isn't known.
func (r *rowsOf) ColumnTypeDatabaseTypeName(i int) string {
	return pgvalues.TypeName(r.rows.TypeMap(), &r.fields()[i])
}

// ColumnTypeLength returns the largest length of a type whose length varies.
func (r *rowsOf) ColumnTypeLength(i int) (int64, bool) { return pgvalues.Length(&r.fields()[i]) }

// ColumnTypePrecisionScale returns what numeric(precision, scale) was declared with.
func (r *rowsOf) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	return pgvalues.PrecisionScale(&r.fields()[i])
}

// ColumnTypeScanType returns the Go type that suits a column.
func (r *rowsOf) ColumnTypeScanType(i int) reflect.Type { return pgvalues.ScanType(&r.fields()[i]) }
