package pg

import (
	"encoding/binary"
	"math"
)

// A rowStore keeps the rows of a result as they came, in a few pieces of memory. A row lies in one piece: the number of its
// values, then for each the length, -1 for null, and the bytes.
type rowStore struct {
	count int
	full  [][]byte
	last  []byte
}

const (
	firstChunk = 96
	mostChunk  = 64 << 10
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
	size := 2
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
	binary.BigEndian.PutUint16(b, uint16(len(values)))
	b = b[2:]
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
	chunks [][]byte // those to come, but for the last one
	last   []byte
	rest   []byte
	left   int
}

func (s *rowStore) cursor() rowCursor { return rowCursor{chunks: s.full, last: s.last, left: s.count} }

// next returns the values of the next row, in the given slice if it is large enough, and false at the end.
func (c *rowCursor) next(values [][]byte) ([][]byte, bool) {
	if c.left == 0 {
		return values[:0], false
	}
	c.left--
	if len(c.rest) == 0 {
		if len(c.chunks) > 0 {
			c.rest, c.chunks = c.chunks[0], c.chunks[1:]
		} else {
			c.rest = c.last
		}
	}
	n := int(binary.BigEndian.Uint16(c.rest))
	b := c.rest[2:]
	values = values[:0]
	for range n {
		size := int32(binary.BigEndian.Uint32(b))
		b = b[4:]
		if size < 0 {
			values = append(values, nil)
			continue
		}
		values = append(values, b[:size:size])
		b = b[size:]
	}
	c.rest = b
	return values, true
}
