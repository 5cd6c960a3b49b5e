package postgres

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"sync"

	"github.com/jackc/pgx/v5/pgtype"
)

// maps holds type maps of pgtype that aren't in use.
var maps = sync.Pool{New: func() any { return pgtype.NewMap() }}

// ScanValue copies a column's value to a variable of pgtype that holds more than one value: through
// a pointer to a pgtype.Range, Multirange, Array or FlatArray, or into a pgtype.CompositeFields.
// For any other variable it returns driver.ErrSkip.
func (Dialect) ScanValue(dest any, typ string, v driver.Value) error {
	types := maps.Get().(*pgtype.Map)
	defer maps.Put(types)
	oid := uint32(0) // if unknown, pgtype goes by the Go types
	if t, ok := types.TypeForName(strings.ToLower(typ)); ok {
		oid = t.OID
	}
	unknown := &pgtype.Type{}
	var codec pgtype.Codec
	switch dest := dest.(type) {
	case pgtype.RangeScanner:
		codec = &pgtype.RangeCodec{ElementType: unknown}
	case pgtype.MultirangeSetter:
		codec = &pgtype.MultirangeCodec{ElementType: &pgtype.Type{Codec: &pgtype.RangeCodec{ElementType: unknown}}}
	case pgtype.ArraySetter:
		codec = &pgtype.ArrayCodec{ElementType: unknown}
	case pgtype.CompositeIndexScanner:
		return scanFields(types, dest, v)
	default:
		return driver.ErrSkip
	}
	if t, ok := types.TypeForOID(oid); ok {
		codec = t.Codec
	}
	plan := codec.PlanScan(types, oid, pgtype.TextFormatCode, dest)
	if plan == nil {
		return driver.ErrSkip
	}
	var text []byte // nil for NULL
	switch v := v.(type) {
	case nil:
	case string:
		text = []byte(v)
	case []any:
		text = []byte(decoder{known{types}}.arrayText(oid, v))
	default:
		return driver.ErrSkip
	}
	return plan.Scan(text, dest)
}

type known struct{ types *pgtype.Map }

func (k known) TypeMap() *pgtype.Map { return k.types }

// scanFields copies the values of a record.
func scanFields(types *pgtype.Map, dest pgtype.CompositeIndexScanner, v driver.Value) error {
	text, ok := v.(string)
	switch {
	case v == nil:
		return dest.ScanNull()
	case !ok:
		return driver.ErrSkip
	}
	targets, fixed := dest.(pgtype.CompositeFields)
	fields := pgtype.NewCompositeTextScanner(types, []byte(text))
	n := 0
	for ; fields.Next(); n++ {
		if fixed && n >= len(targets) {
			return fmt.Errorf("the record has more than %d fields", len(targets))
		}
		to := dest.ScanIndex(n)
		if to == nil {
			continue
		}
		if err := types.Scan(0, pgtype.TextFormatCode, fields.Bytes(), to); err != nil {
			return err
		}
	}
	if err := fields.Err(); err != nil {
		return err
	}
	if fixed && n < len(targets) {
		return fmt.Errorf("the record has %d fields, not %d", n, len(targets))
	}
	return nil
}
