package pg

import (
	"encoding/binary"
	"sync"
)

// A rowStore keeps the rows of a result as they came, in a few pieces of memory. A row lies in one
// piece: its size, then what the body of a DataRow is, the number of its values and for each the
// length, -1 for null, and the bytes.
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

// add appends a row, which is copied.
func (s *rowStore) add(row arrivingRow) {
	size := row.size()
	if cap(s.last)-len(s.last) < size {
		if len(s.last) > 0 {
			s.full = append(s.full, s.last)
		}
		s.last = newChunk(max(size, min(4*cap(s.last), mostChunk), firstChunk))
	}
	s.last = row.appendTo(s.last)
	s.count++
}

// chunks has pieces of memory of the largest size, so that large results one after the other don't
// cost new ones.
var chunks = sync.Pool{New: func() any { return new([mostChunk]byte) }}

func newChunk(size int) []byte {
	if size == mostChunk {
		return chunks.Get().(*[mostChunk]byte)[:0]
	}
	return make([]byte, 0, size)
}

// recycle gives the memory of the rows away. They must not be used any more.
func (s *rowStore) recycle() {
	for _, b := range append(s.full, s.last) {
		if cap(b) == mostChunk {
			chunks.Put((*[mostChunk]byte)(b[:mostChunk]))
		}
	}
	*s = rowStore{}
}

// An arrivingRow is a row in the memory of the connection's reader: the body of a DataRow, or
// a value alone.
type arrivingRow struct {
	bytes []byte
	alone bool
}

// size is how many bytes the row takes where it's kept.
func (r arrivingRow) size() int {
	if r.alone {
		return rowHeader + 4 + len(r.bytes)
	}
	return 4 + len(r.bytes)
}

// appendTo appends the row to a piece of memory, which has room for it.
func (r arrivingRow) appendTo(chunk []byte) []byte {
	chunk = binary.BigEndian.AppendUint32(chunk, uint32(r.size()))
	if r.alone {
		chunk = binary.BigEndian.AppendUint16(chunk, 1)
		chunk = binary.BigEndian.AppendUint32(chunk, uint32(len(r.bytes)))
	}
	return append(chunk, r.bytes...)
}

// wellFormed reports whether the body of a DataRow has the values that it says it has, and nothing
// else.
func wellFormed(body []byte) bool {
	if len(body) < 2 {
		return false
	}
	at := 2
	for range binary.BigEndian.Uint16(body) {
		if len(body)-at < 4 {
			return false
		}
		size := int(int32(binary.BigEndian.Uint32(body[at:])))
		at += 4
		switch {
		case size < -1 || size > len(body)-at:
			return false
		case size > 0:
			at += size
		}
	}
	return at == len(body)
}

// A rowCursor walks over a rowStore.
type rowCursor struct {
	store *rowStore
	rest  []byte // of the piece, after the rows that were seen
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
