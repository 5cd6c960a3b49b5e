package postgres

import (
	"database/sql/driver"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// An array is a slice of its elements; with more dimensions, a slice of slices.

func isArray(oid uint32) bool { return strings.HasPrefix(names()[oid], "_") }

var errArray = errors.New("the server sent an array that can't be read")

// array reads the binary form: the number of dimensions, whether there are NULLs, the type of the
// elements, the length and first index of each dimension, then the elements.
func (d decoder) array(raw []byte) (driver.Value, error) {
	if len(raw) < 12 {
		return nil, errArray
	}
	dimensions, oid := int(binary.BigEndian.Uint32(raw)), binary.BigEndian.Uint32(raw[8:])
	raw = raw[12:]
	if dimensions == 0 {
		return []any{}, nil
	}
	if dimensions < 0 || dimensions > 6 || len(raw) < 8*dimensions {
		return nil, errArray
	}
	lengths := make([]int, dimensions)
	for i := range lengths {
		lengths[i] = int(int32(binary.BigEndian.Uint32(raw[8*i:])))
	}
	raw = raw[8*dimensions:]
	var read func(lengths []int) (any, error)
	read = func(lengths []int) (any, error) {
		if len(lengths) == 0 {
			if len(raw) < 4 {
				return nil, errArray
			}
			n := int(int32(binary.BigEndian.Uint32(raw)))
			raw = raw[4:]
			if n < 0 {
				return nil, nil
			}
			if n > len(raw) {
				return nil, errArray
			}
			element := raw[:n:n]
			raw = raw[n:]
			return d.value(oid, pgx.BinaryFormatCode, element)
		}
		if lengths[0] < 0 || lengths[0] > len(raw) {
			return nil, errArray
		}
		list := make([]any, lengths[0])
		for i := range list {
			var err error
			if list[i], err = read(lengths[1:]); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return read(lengths)
}

// arrayOf reads the text form of an array whose elements have the named type.
func arrayOf(typ, text string) (driver.Value, error) {
	delimiter := byte(',')
	if typ == "BOX" {
		delimiter = ';'
	}
	return parseArray(text, delimiter, func(text string) (driver.Value, error) { return textValue(typ, text) })
}

// parseArray reads the text form: {1,NULL,"a \"b\""}, {{1,2},{3,4}}, [0:1]={1,2}.
func parseArray(text string, delimiter byte, element func(text string) (driver.Value, error)) (driver.Value, error) {
	if strings.HasPrefix(text, "[") {
		_, text, _ = strings.Cut(text, "=")
	}
	p := &arrayParser{text: text, delimiter: delimiter, element: element}
	list, err := p.list()
	if err == nil && p.text != "" {
		err = errArray
	}
	return list, err
}

type arrayParser struct {
	text      string // the rest of the text
	delimiter byte
	element   func(text string) (driver.Value, error)
}

func (p *arrayParser) list() (driver.Value, error) {
	if !p.skip('{') {
		return nil, errArray
	}
	list := []any{}
	if p.skip('}') {
		return list, nil
	}
	for {
		v, err := p.value()
		if err != nil {
			return nil, err
		}
		list = append(list, v)
		switch {
		case p.skip('}'):
			return list, nil
		case !p.skip(p.delimiter):
			return nil, errArray
		}
	}
}

func (p *arrayParser) value() (driver.Value, error) {
	if strings.HasPrefix(p.text, "{") {
		return p.list()
	}
	if !p.skip('"') {
		end := strings.IndexAny(p.text, string([]byte{p.delimiter, '}'}))
		if end < 0 {
			return nil, errArray
		}
		text := p.text[:end]
		p.text = p.text[end:]
		if text == "NULL" {
			return nil, nil
		}
		return p.element(text)
	}
	var b strings.Builder
	for i := 0; i < len(p.text); i++ {
		switch c := p.text[i]; c {
		case '"':
			p.text = p.text[i+1:]
			return p.element(b.String())
		case '\\':
			if i++; i < len(p.text) {
				b.WriteByte(p.text[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return nil, errArray
}

func (p *arrayParser) skip(c byte) bool {
	if p.text == "" || p.text[0] != c {
		return false
	}
	p.text = p.text[1:]
	return true
}

// textValue reads the text form of a value of the named type.
func textValue(typ, text string) (driver.Value, error) {
	switch typ {
	case "INT2", "INT4", "INT8", "OID":
		return strconv.ParseInt(text, 10, 64)
	case "FLOAT4", "FLOAT8":
		return strconv.ParseFloat(text, 64)
	case "BOOL":
		return text == "t", nil
	case "BYTEA":
		if digits, ok := strings.CutPrefix(text, `\x`); ok {
			return hex.DecodeString(digits)
		}
		return []byte(text), nil
	case "TIMESTAMP", "TIMESTAMPTZ", "DATE":
		return parseTime(typ, text)
	}
	return text, nil
}
