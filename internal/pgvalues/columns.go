package pgvalues

import (
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// header is what PostgreSQL adds to the length in a type's modifier.
const header = 4

// TypeName returns the type's name in capitals, or its OID if m, which may be nil, doesn't know it.
func TypeName(m *pgtype.Map, f *pgconn.FieldDescription) string {
	if m != nil {
		if t, ok := m.TypeForOID(f.DataTypeOID); ok {
			return strings.ToUpper(t.Name)
		}
	}
	return strconv.FormatUint(uint64(f.DataTypeOID), 10)
}

// Length returns the largest length of a type whose length varies.
func Length(f *pgconn.FieldDescription) (int64, bool) {
	switch f.DataTypeOID {
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

// PrecisionScale returns what numeric(precision, scale) was declared with.
func PrecisionScale(f *pgconn.FieldDescription) (precision, scale int64, ok bool) {
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

// ScanType returns the Go type that suits a column.
func ScanType(f *pgconn.FieldDescription) reflect.Type {
	if t, ok := scanTypes[f.DataTypeOID]; ok {
		return t
	}
	return reflect.TypeFor[string]()
}
