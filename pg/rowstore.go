package pg

import (
	"encoding/binary"
	"math"
)

// A rowStore keeps the rows of a result as they came, in a few pieces of memory. A row lies in one piece: its size, the number of its
// values, then for each the length, -1 for null, and the bytes.
type rowStore struct {
	count int
	full  [][]byte
	last  []byte
}

const (
	firstChunk = 32
	mostChunk  = 64 << 10
	rowHeader  = 4 + 2
)

// add appends a row. The values are copied.
func (s *rowStore) add(values [][]byte) {
	size := rowSize(values)
	if cap(s.last)-len(s.last) < size {
		if len(s.last) > 0 {
			s.full = append(s.full, s.last)
		}
		s.last = make([]byte, 0, max(size, min(4*cap(s.last), mostChunk), firstChunk))
	}
	s.last = appendRow(s.last, size, values)
	s.count++
}

// rowSize is how many bytes a row takes.
func rowSize(values [][]byte) int {
	size := rowHeader
	for _, v := range values {
		size += 4 + len(v)
	}
	return size
}

// appendRow appends a row to a piece of memory that has room for it.
func appendRow(chunk []byte, size int, values [][]byte) []byte {
	at := len(chunk)
	chunk = chunk[:at+size]
	b := chunk[at:]
	binary.BigEndian.PutUint32(b, uint32(size))
	binary.BigEndian.PutUint16(b[4:], uint16(len(values)))
	b = b[rowHeader:]
	for _, v := range values {
		if v == nil {
			binary.BigEndian.PutUint32(b, math.MaxUint32)
			b = b[4:]
			continue
		}
		binary.BigEndian.PutUint32(b, uint32(len(v)))
		b = b[4+copy(b[4:], v):]
	}
	return chunk
}

// A rowCursor walks over a rowStore.
type rowCursor struct {
	store *rowStore
	rest  []byte // of the piece, behind the rows that were seen
	seen  int    // rows
	chunk int    // the next one
}

func (s *rowStore) cursor() rowCursor { return rowCursor{store: s} }

// next returns the next row, and false at the end.
func (c *rowCursor) next() (storedRow, bool) {
	if c.store == nil || c.seen == c.store.count {
		return storedRow{}, false
	}
	c.seen++
	if len(c.rest) == 0 {
		if c.chunk < len(c.store.full) {
			c.rest = c.store.full[c.chunk]
		} else {
			c.rest = c.store.last
		}
		c.chunk++
	}
	size := binary.BigEndian.Uint32(c.rest)
	row := storedRow{bytes: c.rest[rowHeader:size], count: int(binary.BigEndian.Uint16(c.rest[4:]))}
	c.rest = c.rest[size:]
	return row, true
}

// A storedRow is what is left of a row.
type storedRow struct {
	bytes []byte
	count int // of values
}

// value takes the first value off.
func (r *storedRow) value() []byte {
	size := int32(binary.BigEndian.Uint32(r.bytes))
	r.bytes = r.bytes[4:]
	r.count--
	if size < 0 {
		return nil
	}
	v := r.bytes[:size:size]
	r.bytes = r.bytes[size:]
	return v
}
