package pg

import (
	"encoding/binary"
	"sync"
)

// A rowStore keeps the rows of a result as they came, in a few chunks of memory. A row lies in one
// chunk: its size, and the body of its DataRow. That is the number of its values, and for each one
// its length, or -1 for null, and its bytes.
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

// add appends a copy of a row.
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

// chunks has chunks of the largest size, so that one large result after the other needn't allocate
// new ones.
var chunks = sync.Pool{New: func() any { return new([mostChunk]byte) }}

func newChunk(size int) []byte {
	if size == mostChunk {
		return chunks.Get().(*[mostChunk]byte)[:0]
	}
	return make([]byte, 0, size)
}

// recycle gives the memory of the rows back for reuse. The caller must not use the rows any more.
func (s *rowStore) recycle() {
	for _, b := range append(s.full, s.last) {
		if cap(b) == mostChunk {
			chunks.Put((*[mostChunk]byte)(b[:mostChunk]))
		}
	}
	*s = rowStore{}
}

// An arrivingRow is a row in the memory of the connection's reader. It is the body of a DataRow, or
// a single value.
type arrivingRow struct {
	bytes []byte
	alone bool
}

// size returns how many bytes the row takes in a rowStore.
func (r arrivingRow) size() int {
	if r.alone {
		return rowHeader + 4 + len(r.bytes)
	}
	return 4 + len(r.bytes)
}

// appendTo appends the row to a chunk that has room for it.
func (r arrivingRow) appendTo(chunk []byte) []byte {
	chunk = binary.BigEndian.AppendUint32(chunk, uint32(r.size()))
	if r.alone {
		chunk = binary.BigEndian.AppendUint16(chunk, 1)
		chunk = binary.BigEndian.AppendUint32(chunk, uint32(len(r.bytes)))
	}
	return append(chunk, r.bytes...)
}

// wellFormed reports whether the body of a DataRow has exactly the values that it announces.
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
	rest  []byte // of the chunk, after the rows that were seen
	seen  int    // rows
	chunk int    // the index of the next one
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

// A storedRow is the unread part of a row.
type storedRow struct {
	bytes []byte
	count int // of values
}

// value removes and returns the first value; nil is null.
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
