package postgres

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/internal/pgvalues"
	"github.com/seed1239206e/repaint/pg"
)

// reader turns rows from the server into values of package db.
type reader struct {
	decoder
	rows   pgx.Rows
	fields []pgconn.FieldDescription
	native []pgvalues.Decoder // set for a call of database/sql; else nil
}

func newReader(rows pgx.Rows) *reader {
	return &reader{decoder: decoder{rows}, rows: rows, fields: rows.FieldDescriptions()}
}

// decoder decodes values. It fetches its map of types when it first needs it.
type decoder struct {
	types interface{ TypeMap() *pgtype.Map }
}

// names maps the numbers of types to their names in upper case. It lacks the application's own
// types.
var names = sync.OnceValue(func() map[uint32]string {
	all := map[uint32]string{}
	types := pgtype.NewMap()
	for oid := range uint32(5000) {
		if t, ok := types.TypeForOID(oid); ok {
			all[oid] = strings.ToUpper(t.Name)
		}
	}
	return all
})

func (r *reader) describe(call *backend.Call) {
	if call.Native {
		r.describeNative(call)
		return
	}
	known := names()
	call.Describe(len(r.fields), func(i int) backend.Column {
		return backend.Column{Name: r.fields[i].Name, Type: known[r.fields[i].DataTypeOID]}
	})
}

// row appends the values of the current row.
func (r *reader) row(values []driver.Value) ([]driver.Value, error) {
	add := func(i int, raw []byte) error {
		f := &r.fields[i]
		v, err := r.valueOf(i, raw)
		if err != nil {
			return fmt.Errorf("column %d, %q, of type %s: %w", i+1, f.Name, names()[f.DataTypeOID], err)
		}
		values = append(values, v)
		return nil
	}
	if own, ok := r.rows.(*pg.Rows); ok {
		return values, own.EachRaw(add)
	}
	for i, raw := range r.rows.RawValues() {
		if err := add(i, raw); err != nil {
			return values, err
		}
	}
	return values, nil
}

// describeNative makes values and types the same as those of pgx's package stdlib.
func (r *reader) describeNative(call *backend.Call) {
	m := r.types.TypeMap()
	call.Describe(len(r.fields), func(i int) backend.Column {
		return backend.Column{Name: r.fields[i].Name, Type: pgvalues.TypeName(m, &r.fields[i])}
	})
	r.native = make([]pgvalues.Decoder, len(r.fields))
	call.Types = make([]backend.ColumnType, len(r.fields))
	for i := range r.fields {
		f, t := &r.fields[i], &call.Types[i]
		r.native[i] = pgvalues.DecoderOf(m, f)
		t.Scan = pgvalues.ScanType(f)
		t.Length, t.HasLength = pgvalues.Length(f)
		t.Precision, t.Scale, t.HasPrecision = pgvalues.PrecisionScale(f)
	}
}

// valueOf decodes a value of column i.
func (r *reader) valueOf(i int, raw []byte) (driver.Value, error) {
	switch {
	case r.native == nil:
		return r.value(r.fields[i].DataTypeOID, r.fields[i].Format, raw)
	case raw == nil:
		return nil, nil
	}
	v, err := r.native[i](raw)
	if b, ok := v.([]byte); ok {
		v = append([]byte{}, b...)
	}
	return v, err
}

// value decodes one value. The memory of raw is reused for the next row.
func (d decoder) value(oid uint32, format int16, raw []byte) (driver.Value, error) {
	if raw == nil {
		return nil, nil
	}
	if format == pgx.BinaryFormatCode {
		if v, ok, err := binaryValue(oid, raw); ok {
			return v, err
		}
		if isArray(oid) {
			return d.array(raw)
		}
	} else {
		switch oid {
		case pgtype.JSONOID, pgtype.JSONBOID, pgtype.NumericOID, pgtype.TextOID, pgtype.VarcharOID, pgtype.TimeOID, pgtype.IntervalOID:
			return string(raw), nil
		}
		if isArray(oid) {
			return arrayOf(strings.TrimPrefix(names()[oid], "_"), string(raw))
		}
	}
	types := d.types.TypeMap()
	if t, ok := types.TypeForOID(oid); ok {
		if v, ok, err := d.compound(t.Codec, format, raw); ok {
			return v, err
		}
		v, err := t.Codec.DecodeDatabaseSQLValue(types, oid, format, raw)
		switch v := v.(type) {
		case []byte:
			return append([]byte{}, v...), err
		case time.Time:
			return v.UTC(), err
		case string:
			if oid == pgtype.InetOID { // the text form leaves out the length of a single address
				if strings.Contains(v, ":") {
					return strings.TrimSuffix(v, "/128"), err
				}
				return strings.TrimSuffix(v, "/32"), err
			}
		}
		return v, err
	}
	if format == pgx.TextFormatCode {
		return string(raw), nil // an enum, or another of the application's own types
	}
	return append([]byte{}, raw...), nil
}

// compound decodes values that consist of other values, including types that the application has
// loaded.
func (d decoder) compound(codec pgtype.Codec, format int16, raw []byte) (v driver.Value, ok bool, err error) {
	if format != pgx.BinaryFormatCode {
		return nil, false, nil
	}
	switch c := codec.(type) {
	case *pgtype.ArrayCodec:
		v, err = d.array(raw)
	case *pgtype.RangeCodec:
		v, err = d.rangeText(c.ElementType.OID, raw)
	case *pgtype.MultirangeCodec:
		of, ok := c.ElementType.Codec.(*pgtype.RangeCodec)
		if !ok {
			return nil, false, nil
		}
		v, err = d.multirangeText(of.ElementType.OID, raw)
	case pgtype.RecordCodec, *pgtype.CompositeCodec:
		v, err = d.recordText(raw)
	default:
		return nil, false, nil
	}
	return v, true, err
}

// binaryValue decodes the frequent types, and the types whose text must have one form whatever the
// server's settings are.
func binaryValue(oid uint32, raw []byte) (v driver.Value, ok bool, err error) {
	want := func(n int) bool {
		if len(raw) != n {
			err = fmt.Errorf("the server sent %d bytes where there must be %d", len(raw), n)
		}
		return err == nil
	}
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.BPCharOID, pgtype.NameOID, pgtype.UnknownOID, pgtype.JSONOID, pgtype.QCharOID, pgtype.XMLOID:
		return string(raw), true, nil
	case pgtype.JSONBOID:
		if len(raw) == 0 || raw[0] != 1 {
			return nil, true, errors.New("the server sent JSON of an unknown version")
		}
		return string(raw[1:]), true, nil
	case pgtype.ByteaOID:
		return append([]byte{}, raw...), true, nil
	case pgtype.BoolOID:
		if want(1) {
			v = raw[0] != 0
		}
	case pgtype.Int2OID:
		if want(2) {
			v = int64(int16(binary.BigEndian.Uint16(raw)))
		}
	case pgtype.Int4OID:
		if want(4) {
			v = int64(int32(binary.BigEndian.Uint32(raw)))
		}
	case pgtype.OIDOID, pgtype.XIDOID, pgtype.CIDOID:
		if want(4) {
			v = int64(binary.BigEndian.Uint32(raw))
		}
	case pgtype.Int8OID:
		if want(8) {
			v = int64(binary.BigEndian.Uint64(raw))
		}
	case pgtype.Float4OID:
		if want(4) {
			v = float64(math.Float32frombits(binary.BigEndian.Uint32(raw)))
		}
	case pgtype.Float8OID:
		if want(8) {
			v = math.Float64frombits(binary.BigEndian.Uint64(raw))
		}
	case pgtype.TimestampOID, pgtype.TimestamptzOID:
		if want(8) {
			v = moment(int64(binary.BigEndian.Uint64(raw)))
		}
	case pgtype.DateOID:
		if want(4) {
			v = date(int32(binary.BigEndian.Uint32(raw)))
		}
	case pgtype.TimeOID:
		if want(8) {
			v = clock(int64(binary.BigEndian.Uint64(raw)))
		}
	case pgtype.IntervalOID:
		if want(16) {
			v = interval(int64(binary.BigEndian.Uint64(raw)), int32(binary.BigEndian.Uint32(raw[8:])), int32(binary.BigEndian.Uint32(raw[12:])))
		}
	case pgtype.UUIDOID:
		if want(16) {
			h := hex.EncodeToString(raw)
			v = h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
		}
	case pgtype.NumericOID:
		v, err = numeric(raw)
	default:
		return nil, false, nil
	}
	return v, true, err
}

// moment returns the time at the given number of microseconds since epoch. Infinity is text.
func moment(micros int64) driver.Value {
	switch micros {
	case math.MaxInt64:
		return "infinity"
	case math.MinInt64:
		return "-infinity"
	}
	return time.Unix(epoch.Unix()+micros/1e6, micros%1e6*1000).UTC()
}

func date(days int32) driver.Value {
	switch days {
	case math.MaxInt32:
		return "infinity"
	case math.MinInt32:
		return "-infinity"
	}
	return epoch.AddDate(0, 0, int(days))
}

// clock writes a time of day, or a duration, of the given number of microseconds.
func clock(micros int64) string {
	sign := ""
	u := uint64(micros)
	if micros < 0 {
		sign, u = "-", -u
	}
	seconds := u / 1e6
	text := fmt.Sprintf("%s%02d:%02d:%02d", sign, seconds/3600, seconds/60%60, seconds%60)
	if fraction := u % 1e6; fraction != 0 {
		text += strings.TrimRight(fmt.Sprintf(".%06d", fraction), "0")
	}
	return text
}

// interval writes an interval in the server's default form: 1 year 2 mons -3 days +04:05:06.
func interval(micros int64, days, months int32) string {
	var parts []string
	add := func(n int32, unit string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+unit)
		case n != 0:
			parts = append(parts, strconv.Itoa(int(n))+" "+unit+"s")
		}
	}
	add(months/12, "year")
	add(months%12, "mon")
	add(days, "day")
	if micros != 0 || len(parts) == 0 {
		text := clock(micros)
		if micros > 0 && (days < 0 || days == 0 && months < 0) {
			text = "+" + text
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, " ")
}

// numeric writes a decimal with as many digits after the point as it has. Its binary form has
// digits of base 10,000.
func numeric(raw []byte) (driver.Value, error) {
	bad := errors.New("the server sent a number that can't be read")
	if len(raw) < 8 {
		return nil, bad
	}
	count := int(binary.BigEndian.Uint16(raw))
	weight := int(int16(binary.BigEndian.Uint16(raw[2:]))) // the weight of the first digit
	sign := binary.BigEndian.Uint16(raw[4:])
	scale := int(binary.BigEndian.Uint16(raw[6:]))
	switch sign {
	case 0xC000:
		return "NaN", nil
	case 0xD000:
		return "Infinity", nil
	case 0xF000:
		return "-Infinity", nil
	}
	if len(raw) != 8+2*count {
		return nil, bad
	}
	digit := func(i int) int {
		if i < 0 || i >= count {
			return 0
		}
		return int(binary.BigEndian.Uint16(raw[8+2*i:]))
	}
	var b strings.Builder
	if sign == 0x4000 {
		b.WriteByte('-')
	}
	if weight < 0 {
		b.WriteByte('0')
	}
	for i := 0; i <= weight; i++ {
		if i == 0 {
			b.WriteString(strconv.Itoa(digit(0)))
		} else {
			fmt.Fprintf(&b, "%04d", digit(i))
		}
	}
	if scale > 0 {
		var fraction strings.Builder
		for i := weight + 1; fraction.Len() < scale; i++ {
			fmt.Fprintf(&fraction, "%04d", digit(i))
		}
		b.WriteString("." + fraction.String()[:scale])
	}
	return b.String(), nil
}
