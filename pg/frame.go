package pg

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5/pgproto3"
)

// A framer splits what a server sends into messages. Rows make most of it: those are left as they
// are, so that each is copied once, to where it's kept. The other messages are decoded by pgproto3.
//
// https://www.postgresql.org/docs/current/protocol-message-formats.html
type framer struct {
	src      io.Reader
	buf      []byte
	from, to int // what has been read and not been handed out
	most     int // how long a body may be; 0: as long as it wants
	usual    []byte
	small    int // messages since the last one that didn't fit into usual

	// One of each is enough: a message is done with when the next one is read.
	ready     pgproto3.ReadyForQuery
	bound     pgproto3.BindComplete
	parsed    pgproto3.ParseComplete
	closed    pgproto3.CloseComplete
	noData    pgproto3.NoData
	complete  pgproto3.CommandComplete
	empty     pgproto3.EmptyQueryResponse
	params    pgproto3.ParameterDescription
	fields    pgproto3.RowDescription
	failure   pgproto3.ErrorResponse
	notice    pgproto3.NoticeResponse
	notify    pgproto3.NotificationResponse
	parameter pgproto3.ParameterStatus
	copyIn    pgproto3.CopyInResponse
	copyOut   pgproto3.CopyOutResponse
	copyData  pgproto3.CopyData
	copyDone  pgproto3.CopyDone
}

const (
	readBuffer   = 64 << 10
	keptBuffer   = 1 << 20 // a larger one isn't kept for the next message of its size
	keptFor      = 100     // nor is a smaller one after so many messages that don't need it
	frameHeader  = 1 + 4   // the type, and the length of all but that
	messageOfRow = 'D'

	messageOfError = 'E'
)

func newFramer(src io.Reader, most int) framer {
	usual := make([]byte, readBuffer)
	return framer{src: src, most: most, buf: usual, usual: usual}
}

// next returns the next message. Its body is valid until the next call. When the source returns an
// error, what has come of a message stays, and the next call goes on.
func (f *framer) next() (kind byte, body []byte, err error) {
	if err := f.have(frameHeader); err != nil {
		return 0, nil, err
	}
	kind = f.buf[f.from]
	size := int(int32(binary.BigEndian.Uint32(f.buf[f.from+1:])))
	switch {
	case size < 4:
		return 0, nil, fmt.Errorf("%w: a message of the length %d", ErrProtocol, size)
	case f.most > 0 && size-4 > f.most:
		return 0, nil, &pgproto3.ExceededMaxBodyLenErr{MaxExpectedBodyLen: f.most, ActualBodyLen: size - 4}
	}
	if err := f.have(1 + size); err != nil {
		return 0, nil, err
	}
	if 1+size > len(f.usual) {
		f.small = 0
	} else {
		f.small++
	}
	body = f.buf[f.from+frameHeader : f.from+1+size]
	f.from += 1 + size
	return kind, body, nil
}

// back takes back the last message that next has returned, so that it is the next one again.
func (f *framer) back(body []byte) { f.from -= frameHeader + len(body) }

// have sees to it that n bytes are in the buffer.
func (f *framer) have(n int) error {
	for f.to-f.from < n {
		f.makeRoom(n)
		k, err := f.src.Read(f.buf[f.to:])
		f.to += k
		switch {
		case f.to-f.from >= n:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		}
	}
	return nil
}

// makeRoom makes room for more of n bytes. A buffer that is too small doubles, and isn't made as
// large as a message says that it is: it might lie.
func (f *framer) makeRoom(n int) {
	if f.from == f.to {
		f.from, f.to = 0, 0
		if len(f.buf) > len(f.usual) && n <= len(f.usual) && (len(f.buf) > keptBuffer || f.small > keptFor) {
			f.buf = f.usual
		}
	}
	switch {
	case f.to < len(f.buf) && len(f.buf)-f.from >= n:
	case f.from > 0 && f.to-f.from < len(f.buf):
		f.to = copy(f.buf, f.buf[f.from:f.to])
		f.from = 0
	case f.to == len(f.buf):
		larger := make([]byte, min(n, 2*len(f.buf)))
		f.to = copy(larger, f.buf[f.from:f.to])
		f.buf, f.from = larger, 0
	}
}

// decode returns a message other than a row. It is valid until the next call.
func (f *framer) decode(kind byte, body []byte) (pgproto3.BackendMessage, error) {
	var m pgproto3.BackendMessage
	switch kind {
	case 'Z':
		m = &f.ready
	case '2':
		m = &f.bound
	case 'C':
		m = &f.complete
	case '1':
		m = &f.parsed
	case '3':
		m = &f.closed
	case 'n':
		m = &f.noData
	case 'I':
		m = &f.empty
	case 't':
		m = &f.params
	case 'T':
		m = &f.fields
	case 'E':
		m = &f.failure
	case 'N':
		m = &f.notice
	case 'A':
		m = &f.notify
	case 'S':
		m = &f.parameter
	case 'G':
		m = &f.copyIn
	case 'H':
		m = &f.copyOut
	case 'd':
		m = &f.copyData
	case 'c':
		m = &f.copyDone
	default:
		return nil, fmt.Errorf("%w: a message of the type %q", ErrProtocol, kind)
	}
	if err := m.Decode(body); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return m, nil
}
