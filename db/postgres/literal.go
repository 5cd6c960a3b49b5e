package postgres

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// Ranges, multiranges and records are text in the server's form: [1,10), {[1,3),[5,7)}, (1,a). They
// arrive in binary, and this file writes the text, so that times are in UTC and in one form,
// whatever the settings of the connection are.

var (
	errRange  = errors.New("the server sent a range that can't be read")
	errRecord = errors.New("the server sent a record that can't be read")
)

// These are the flags of a range in binary.
const (
	isEmpty        = 0x01
	lowerInclusive = 0x02
	upperInclusive = 0x04
	lowerUnbounded = 0x08
	upperUnbounded = 0x10
)

// rangeText writes a range. Its binary form is the flags, then the bounds that exist.
func (d decoder) rangeText(element uint32, raw []byte) (string, error) {
	if len(raw) == 0 {
		return "", errRange
	}
	flags, raw := raw[0], raw[1:]
	if flags&isEmpty != 0 {
		return "empty", nil
	}
	bound := func(unbounded byte) (string, error) {
		if flags&unbounded != 0 {
			return "", nil
		}
		value, rest, ok := cut(raw)
		if !ok || value == nil {
			return "", errRange
		}
		raw = rest
		text, err := d.text(element, value)
		return quote(text, `"\,()[]`, `"`), err
	}
	open, shut := "(", ")"
	if flags&lowerInclusive != 0 {
		open = "["
	}
	if flags&upperInclusive != 0 {
		shut = "]"
	}
	lower, err := bound(lowerUnbounded)
	if err != nil {
		return "", err
	}
	upper, err := bound(upperUnbounded)
	if err != nil {
		return "", err
	}
	if len(raw) != 0 {
		return "", errRange
	}
	return open + lower + "," + upper + shut, nil
}

// multirangeText writes a multirange. Its binary form is the number of ranges, then the ranges.
func (d decoder) multirangeText(element uint32, raw []byte) (string, error) {
	if len(raw) < 4 {
		return "", errRange
	}
	count, raw := binary.BigEndian.Uint32(raw), raw[4:]
	var b strings.Builder
	b.WriteByte('{')
	for i := range count {
		one, rest, ok := cut(raw)
		if !ok {
			return "", errRange
		}
		raw = rest
		text, err := d.rangeText(element, one)
		if err != nil {
			return "", err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(text)
	}
	if len(raw) != 0 {
		return "", errRange
	}
	return b.String() + "}", nil
}

// recordText writes a record. Its binary form is the number of values, then each type and value.
func (d decoder) recordText(raw []byte) (string, error) {
	if len(raw) < 4 {
		return "", errRecord
	}
	count, raw := binary.BigEndian.Uint32(raw), raw[4:]
	var b strings.Builder
	b.WriteByte('(')
	for i := range count {
		if len(raw) < 4 {
			return "", errRecord
		}
		oid := binary.BigEndian.Uint32(raw)
		value, rest, ok := cut(raw[4:])
		if !ok {
			return "", errRecord
		}
		raw = rest
		if i > 0 {
			b.WriteByte(',')
		}
		if value == nil {
			continue
		}
		text, err := d.text(oid, value)
		if err != nil {
			return "", err
		}
		b.WriteString(quote(text, `"\,()`, `"`))
	}
	if len(raw) != 0 {
		return "", errRecord
	}
	return b.String() + ")", nil
}

// cut splits off a value that follows its own length. The value is nil for NULL.
func cut(raw []byte) (value, rest []byte, ok bool) {
	if len(raw) < 4 {
		return nil, nil, false
	}
	n := int(int32(binary.BigEndian.Uint32(raw)))
	raw = raw[4:]
	switch {
	case n == -1:
		return nil, raw, true
	case n < 0 || n > len(raw):
		return nil, nil, false
	}
	return raw[:n:n], raw[n:], true
}

// quote puts a text between double quotes if it is empty, or contains spaces or one of the special
// characters. Inside, it doubles the characters of doubles, and backslashes.
func quote(text, special, doubles string) string {
	if text != "" && !strings.ContainsAny(text, special+" \t\n\r\v\f") {
		return text
	}
	text = strings.ReplaceAll(text, `\`, `\\`)
	if doubles == `"` {
		text = strings.ReplaceAll(text, `"`, `""`)
	} else {
		text = strings.ReplaceAll(text, `"`, `\"`)
	}
	return `"` + text + `"`
}

// text writes a binary value in the server's form.
func (d decoder) text(oid uint32, raw []byte) (string, error) {
	v, err := d.value(oid, pgx.BinaryFormatCode, raw)
	if err != nil {
		return "", err
	}
	return d.literal(oid, v), nil
}

// literal writes a value of a type in the server's form.
func (d decoder) literal(oid uint32, v driver.Value) string {
	switch v := v.(type) {
	case string:
		return v
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		if oid == pgtype.Float4OID {
			return floatText(v, 32, 6)
		}
		return floatText(v, 64, 15)
	case bool:
		if v {
			return "t"
		}
		return "f"
	case []byte:
		return `\x` + hex.EncodeToString(v)
	case time.Time:
		return timeText(oid, v)
	case []any:
		return d.arrayText(oid, v)
	}
	return ""
}

// floatText writes a float with as many digits as it needs. It uses an exponent if that is at least
// large.
func floatText(f float64, bits, large int) string {
	text := strconv.FormatFloat(f, 'e', -1, bits)
	_, exponent, ok := strings.Cut(text, "e")
	if !ok { // +Inf
		return strings.Replace(strings.TrimPrefix(text, "+"), "Inf", "Infinity", 1)
	}
	if e, _ := strconv.Atoi(exponent); e < -4 || e >= large {
		return text
	}
	return strconv.FormatFloat(f, 'f', -1, bits)
}

// arrayText writes an array whose type is known.
func (d decoder) arrayText(oid uint32, list []any) string {
	element, delimiter := uint32(0), byte(',')
	if t, ok := d.types.TypeMap().TypeForOID(oid); ok {
		if c, ok := t.Codec.(*pgtype.ArrayCodec); ok {
			element = c.ElementType.OID
			if c.Delimiter != 0 {
				delimiter = c.Delimiter
			}
		}
	}
	var b strings.Builder
	b.WriteByte('{')
	for i, v := range list {
		if i > 0 {
			b.WriteByte(delimiter)
		}
		switch inner, isList := v.([]any); {
		case v == nil:
			b.WriteString("NULL")
		case isList:
			b.WriteString(d.arrayText(oid, inner))
		default:
			text := d.literal(element, v)
			if strings.EqualFold(text, "null") {
				text = `"` + text + `"`
			} else {
				text = quote(text, `"\{}`+string(delimiter), "")
			}
			b.WriteString(text)
		}
	}
	return b.String() + "}"
}
