package faultproxy

import "encoding/binary"

// Frames says how to split the bytes of a connection into messages. It returns the length of the
// first message in data, or 0 if it can't tell yet. first is true for the first message in a
// direction.
type Frames func(d Direction, first bool, data []byte) int

// Postgres splits PostgreSQL's protocol, without encryption. It takes the settings that a server
// reports at the start of a connection, a dozen messages in a row that clients treat alike, as one
// message: silence after each of them would be the same case again and again.
func Postgres(d Direction, first bool, data []byte) int {
	const parameterStatus = 'S'
	n := postgresMessage(d, first, data)
	for d == ToClient && 0 < n && n < len(data) && data[0] == parameterStatus && data[n] == parameterStatus {
		next := postgresMessage(d, false, data[n:])
		if next <= 0 || n+next > len(data) {
			break
		}
		n += next
	}
	return n
}

func postgresMessage(d Direction, first bool, data []byte) int {
	head := 1 // the kind of the message
	if d == ToServer && first {
		head = 0 // the startup message, or a request to cancel, has none
	}
	if len(data) < head+4 {
		return 0
	}
	return head + int(binary.BigEndian.Uint32(data[head:]))
}

// MySQL splits the protocol of MySQL and MariaDB, without encryption and compression.
func MySQL(_ Direction, _ bool, data []byte) int {
	if len(data) < 4 {
		return 0
	}
	return 4 + int(data[0]) + int(data[1])<<8 + int(data[2])<<16
}

// A splitter collects bytes until they make up a message.
type splitter struct {
	frames Frames
	dir    Direction
	later  bool // there was a message before
	data   []byte
}

func (p *Proxy) splitter(d Direction) *splitter {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frames == nil {
		return nil
	}
	return &splitter{frames: p.frames, dir: d}
}

// next adds more to the bytes that have come, and returns the next message if it is complete.
func (s *splitter) next(more []byte) ([]byte, bool) {
	s.data = append(s.data, more...)
	n := s.frames(s.dir, !s.later, s.data)
	if n <= 0 || n > len(s.data) {
		return nil, false
	}
	message := s.data[:n:n]
	s.data = s.data[n:]
	s.later = true
	return message, true
}
