// Package pgvalues makes, from PostgreSQL's columns, what callers of database/sql expect: the
// values, and the descriptions of columns, that pgx's package stdlib gives them.
package pgvalues

import (
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

// A Decoder makes a driver.Value from a column's bytes, which aren't nil. The value may share them.
type Decoder func(src []byte) (driver.Value, error)

// Formats asks for the binary format of the types that have a driver.Value of their own. All others
// come as text.
var Formats = pgx.QueryResultFormatsByOID{}

func init() {
	for _, oid := range []uint32{
		pgtype.BoolOID, pgtype.ByteaOID,
		pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID, pgtype.OIDOID, pgtype.XIDOID, pgtype.CIDOID,
		pgtype.Float4OID, pgtype.Float8OID,
		pgtype.DateOID, pgtype.TimestampOID, pgtype.TimestamptzOID,
	} {
		Formats[oid] = pgx.BinaryFormatCode
	}
}

// DecoderOf returns how to decode a column.
func DecoderOf(m *pgtype.Map, f *pgconn.FieldDescription) Decoder {
	switch f.DataTypeOID {
	case pgtype.BoolOID:
		return through(m, f, func(b bool) (driver.Value, error) { return b, nil })
	case pgtype.Int2OID, pgtype.Int4OID, pgtype.Int8OID:
		return through(m, f, func(n int64) (driver.Value, error) { return n, nil })
	case pgtype.Float4OID:
		return through(m, f, func(n float32) (driver.Value, error) { return float64(n), nil })
	case pgtype.Float8OID:
		return through(m, f, func(n float64) (driver.Value, error) { return n, nil })
	case pgtype.OIDOID, pgtype.XIDOID, pgtype.CIDOID:
		return through(m, f, func(n uint32) (driver.Value, error) { return int64(n), nil })
	case pgtype.DateOID:
		return through(m, f, pgtype.Date.Value)
	case pgtype.TimestampOID:
		return through(m, f, pgtype.Timestamp.Value)
	case pgtype.TimestamptzOID:
		return through(m, f, pgtype.Timestamptz.Value)
	case pgtype.ByteaOID:
		if f.Format == pgx.TextFormatCode {
			return through(m, f, func(b []byte) (driver.Value, error) { return b, nil })
		}
		return asBytes
	case pgtype.JSONOID, pgtype.JSONBOID, pgtype.XMLOID:
		if f.Format == pgx.TextFormatCode {
			return asBytes
		}
		return through(m, f, func(b []byte) (driver.Value, error) { return b, nil })
	}
	if f.Format == pgx.TextFormatCode {
		return asString
	}
	return through(m, f, func(s string) (driver.Value, error) { return s, nil })
}

func asBytes(src []byte) (driver.Value, error)  { return src, nil }
func asString(src []byte) (driver.Value, error) { return string(src), nil }

// through decodes by way of a T.
func through[T any](m *pgtype.Map, f *pgconn.FieldDescription, value func(T) (driver.Value, error)) Decoder {
	to := new(T)
	plan := m.PlanScan(f.DataTypeOID, f.Format, to)
	return func(src []byte) (driver.Value, error) {
		if err := plan.Scan(src, to); err != nil {
			return nil, err
		}
		return value(*to)
	}
}
