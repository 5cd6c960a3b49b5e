package stdlib

import (
	"database/sql/driver"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

var (
	_ driver.RowsColumnTypeDatabaseTypeName = (*rowsOf)(nil)
	_ driver.RowsColumnTypeLength           = (*rowsOf)(nil)
	_ driver.RowsColumnTypePrecisionScale   = (*rowsOf)(nil)
	_ driver.RowsColumnTypeScanType         = (*rowsOf)(nil)
)

// header is what PostgreSQL adds to the length in a type's modifier.
const header = 4

// ColumnTypeDatabaseTypeName returns the type's name in capitals, or its OID if it isn't known.
func (r *rowsOf) ColumnTypeDatabaseTypeName(i int) string {
	oid := r.fields()[i].DataTypeOID
	if m := r.rows.TypeMap(); m != nil {
		if t, ok := m.TypeForOID(oid); ok {
			return strings.ToUpper(t.Name)
		}
	}
	return strconv.FormatUint(uint64(oid), 10)
}

// ColumnTypeLength returns the largest length of a type whose length varies.
func (r *rowsOf) ColumnTypeLength(i int) (int64, bool) {
	switch f := r.fields()[i]; f.DataTypeOID {
	case pgtype.TextOID, pgtype.ByteaOID:
		return math.MaxInt64, true
	case pgtype.VarcharOID, pgtype.BPCharOID:
		if f.TypeModifier < header {
			return math.MaxInt64, true // without a length in its declaration
		}
		return int64(f.TypeModifier) - header, true
	case pgtype.VarbitOID:
		return int64(f.TypeModifier), true
	}
	return 0, false
}

// ColumnTypePrecisionScale returns what numeric(precision, scale) was declared with.
func (r *rowsOf) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	f := r.fields()[i]
	if f.DataTypeOID != pgtype.NumericOID {
		return 0, 0, false
	}
	m := int64(f.TypeModifier) - header
	return m >> 16 & 0xffff, m & 0xffff, true
}

var scanTypes = map[uint32]reflect.Type{
	pgtype.BoolOID:        reflect.TypeFor[bool](),
	pgtype.Int2OID:        reflect.TypeFor[int16](),
	pgtype.Int4OID:        reflect.TypeFor[int32](),
	pgtype.Int8OID:        reflect.TypeFor[int64](),
	pgtype.Float4OID:      reflect.TypeFor[float32](),
	pgtype.Float8OID:      reflect.TypeFor[float64](),
	pgtype.NumericOID:     reflect.TypeFor[float64](),
	pgtype.DateOID:        reflect.TypeFor[time.Time](),
	pgtype.TimestampOID:   reflect.TypeFor[time.Time](),
	pgtype.TimestamptzOID: reflect.TypeFor[time.Time](),
	pgtype.ByteaOID:       reflect.TypeFor[[]byte](),
}

// ColumnTypeScanType returns the Go type that suits a column.
func (r *rowsOf) ColumnTypeScanType(i int) reflect.Type {
	if t, ok := scanTypes[r.fields()[i].DataTypeOID]; ok {
		return t
	}
	return reflect.TypeFor[string]()
}
