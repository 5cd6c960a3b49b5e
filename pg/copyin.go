package pg

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
)

// CopyFrom inserts rows into a table with COPY, and returns how many. Values are sent in binary, as pgx does it: the types of the columns
// must be known to the type map. It is all or nothing. It takes a session meanwhile.
func (db *DB) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	s, err := db.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer s.Release()
	return s.CopyFrom(ctx, table, columns, rows)
}

// CopyFromReader runs a COPY … FROM STDIN with what the reader has, in the format that the text says. In a loop the reader is called by another goroutine,
// so that it may block. If the context ends, CopyFromReader returns when the reader has.
func (db *DB) CopyFromReader(ctx context.Context, r io.Reader, sql string) (pgconn.CommandTag, error) {
	s, err := db.Acquire(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer s.Release()
	return s.CopyFromReader(ctx, r, sql)
}

// CopyFrom is [DB.CopyFrom] in the session.
func (s *Session) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return s.s.copySource(ctx, s.check(), nil, table, columns, rows)
}

// CopyFromReader is [DB.CopyFromReader] in the session.
func (s *Session) CopyFromReader(ctx context.Context, r io.Reader, sql string) (pgconn.CommandTag, error) {
	return s.s.copyReader(ctx, s.check(), nil, r, sql)
}

// CopyFrom is [DB.CopyFrom] in the transaction.
func (tx *Tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return tx.s.copySource(ctx, nil, tx, table, columns, rows)
}

// CopyFromReader is [DB.CopyFromReader] in the transaction.
func (tx *Tx) CopyFromReader(ctx context.Context, r io.Reader, sql string) (pgconn.CommandTag, error) {
	return tx.s.copyReader(ctx, nil, tx, r, sql)
}

// CopyFromSeq makes an iterator the source of a CopyFrom. If it yields an error, nothing is inserted. It runs in a coroutine of its own, so it
// must not wait for anything of a loop.
func CopyFromSeq(rows iter.Seq2[[]any, error]) (source pgx.CopyFromSource, stop func()) {
	next, stop := iter.Pull2(rows)
	return pgx.CopyFromFunc(func() ([]any, error) {
		row, err, ok := next()
		if !ok {
			return nil, nil
		}
		if row == nil && err == nil {
			row = []any{}
		}
		return row, err
	}), stop
}

const (
	copyPiece  = 64 << 10 // of data in a message
	copyWindow = 256 << 10
)

func (s *scheduler) copyReader(ctx context.Context, err error, tx *Tx, r io.Reader, sql string) (pgconn.CommandTag, error) {
	q := &query{text: sql}
	switch {
	case err != nil:
		return pgconn.CommandTag{}, q.failed("running", err)
	case classify(sql).class != classCopy || !strings.Contains(strings.ToUpper(sql), "STDIN"):
		return pgconn.CommandTag{}, q.failed("checking", fmt.Errorf("%w: it isn't a COPY … FROM STDIN", ErrUnsupported))
	}
	err = s.copyIn(ctx, tx, q, nil, func(ctx context.Context, buf []byte) ([]byte, bool, error) {
		n, err := repaint.Block(ctx, func(context.Context) (int, error) { return r.Read(buf[len(buf):cap(buf)]) })
		if err == io.EOF {
			return buf[:len(buf)+n], true, nil
		}
		return buf[:len(buf)+n], false, err
	})
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	return q.steps[len(q.steps)-1].tag, nil
}

func (s *scheduler) copySource(ctx context.Context, refused error, tx *Tx, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (_ int64, err error) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = pgx.Identifier{c}.Sanitize()
	}
	list := strings.Join(names, ", ")
	q := &query{text: fmt.Sprintf("copy %s (%s) from stdin binary", table.Sanitize(), list)}
	if refused != nil {
		return 0, q.failed("running", refused)
	}
	if t, ok := s.db.config.Tracer.(pgx.CopyFromTracer); ok {
		ctx = t.TraceCopyFromStart(ctx, nil, pgx.TraceCopyFromStartData{TableName: table, ColumnNames: columns})
		defer func() {
			end := pgx.TraceCopyFromEndData{Err: err}
			if err == nil {
				end.CommandTag = q.steps[len(q.steps)-1].tag
			}
			t.TraceCopyFromEnd(ctx, nil, end)
		}()
	}
	for attempt := 1; ; attempt++ {
		types, err := s.columnTypes(fmt.Sprintf("select %s from %s", list, table.Sanitize()), tx != nil)
		if err != nil {
			return 0, q.failed("preparing", err)
		}
		touched := false
		err = s.copyRows(ctx, tx, q, types, rows, &touched)
		if err == nil {
			return q.steps[len(q.steps)-1].tag.RowsAffected(), nil
		}
		switch failure, again := s.outcome(types); {
		case again && !touched && attempt < maxAttempts && ctx.Err() == nil:
			q = &query{text: q.text} // another's cancel has hit the question
		case failure != nil:
			return 0, q.failed("asking for the types of the columns of", failure)
		default:
			return 0, err
		}
	}
}

// columnTypes makes the segment that asks for the types of a table's columns. It goes before each COPY, in the same write, and costs no round trip. They aren't kept for the
// next one: binary data of another type than that of the column isn't always refused, and somebody may have changed it meanwhile.
func (s *scheduler) columnTypes(sql string, inTx bool) (*segment, error) {
	g := &segment{sched: s, sql: sql, harmless: true, inTx: inTx, then: func() {}}
	payload, err := describeUnnamed(nil, sql)
	g.steps = append(g.oneStep[:0], step{describes: true, payload: payload})
	return g, err
}

// outcome returns the server's error to a segment that nobody waits for, if it has one, and whether it should be sent again.
func (s *scheduler) outcome(g *segment) (failure error, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.state == stateFinished && g.failure != nil {
		return g.failure, g.again
	}
	return nil, false
}

// copyRows runs a COPY with the rows of a source, whose values are encoded for the columns that types finds.
func (s *scheduler) copyRows(ctx context.Context, tx *Tx, q *query, types *segment, rows pgx.CopyFromSource, touched *bool) error {
	one := s.db.codec()
	defer s.db.release(one)
	var fields []pgconn.FieldDescription
	return s.copyIn(ctx, tx, q, types, func(_ context.Context, buf []byte) ([]byte, bool, error) {
		if fields == nil {
			// The server takes data, so it has answered what was sent before.
			if types.failure != nil {
				return nil, false, types.failure
			}
			*touched = true
			fields = types.steps[0].fields
			if fields == nil {
				fields = []pgconn.FieldDescription{} // a table without columns
			}
			buf = append(buf, "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000"...)
		}
		for len(buf) < copyPiece/2 {
			if !rows.Next() {
				return append(buf, 0xff, 0xff), true, rows.Err()
			}
			values, err := rows.Values()
			if err != nil {
				return nil, false, err
			}
			if len(values) != len(fields) {
				return nil, false, fmt.Errorf("expected %d values, got %d", len(fields), len(values))
			}
			if buf, err = copyRow(one.types, buf, fields, values); err != nil {
				return nil, false, err
			}
		}
		return buf, false, nil
	})
}

// copyRow appends a row in COPY's binary format.
func copyRow(types *pgtype.Map, buf []byte, fields []pgconn.FieldDescription, values []any) ([]byte, error) {
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(values)))
	for i, v := range values {
		at := len(buf)
		buf = append(buf, 0xff, 0xff, 0xff, 0xff)
		encoded, err := types.Encode(fields[i].DataTypeOID, pgx.BinaryFormatCode, v, buf)
		if err != nil {
			if encoded, err = copyText(types, buf, fields[i].DataTypeOID, v, err); err != nil {
				return nil, fmt.Errorf("the value of column %q: %w", fields[i].Name, unknownType(types, fields[i].DataTypeOID, err))
			}
		}
		if encoded != nil {
			buf = encoded
			binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
		}
	}
	return buf, nil
}

// copyText encodes a value that the type knows only as text, by reading that text.
func copyText(types *pgtype.Map, buf []byte, oid uint32, v any, cause error) ([]byte, error) {
	text, ok := v.(string)
	if !ok {
		b, err := types.Encode(oid, pgx.TextFormatCode, v, nil)
		if err != nil {
			return nil, cause
		}
		text = string(b)
	}
	known, ok := types.TypeForOID(oid)
	if !ok {
		return nil, cause
	}
	if _, isArray := known.Codec.(*pgtype.ArrayCodec); isArray {
		var array pgtype.Array[any]
		if err := types.Scan(oid, pgx.TextFormatCode, []byte(text), &array); err != nil {
			return nil, cause
		}
		return types.Encode(oid, pgx.BinaryFormatCode, array, buf)
	}
	decoded, err := known.Codec.DecodeValue(types, oid, pgx.TextFormatCode, []byte(text))
	if err != nil {
		return nil, cause
	}
	return types.Encode(oid, pgx.BinaryFormatCode, decoded, buf)
}

// A copyIn is what a COPY from the client is while it goes on. It occupies its session.
//
//	asked   the statement was sent
//	begun   the server takes data
//	over    the end, or the news that there won't be one, has been put behind the data; or the server has said that it failed
type copyIn struct {
	s     *scheduler
	g     *segment
	types *segment // is sent before it; may be nil

	// Guarded by the scheduler's mutex.
	begun, over bool
	done        bool // the end was put, so it may be applied
	finished    bool
	evicted     bool // the session or transaction was ended
	waiter      *loop.Promise[struct{}]
}

// copyIn runs a COPY whose data are what produce appends, until it says that there is no more. If types isn't nil it is sent before, and answered
// when produce is called.
func (s *scheduler) copyIn(ctx context.Context, tx *Tx, q *query, types *segment, produce func(ctx context.Context, buf []byte) (data []byte, last bool, err error)) error {
	k := &copyIn{s: s, g: &q.segment, types: types}
	q.copyIn, q.mode, q.isExec = k, pgx.QueryExecModeSimpleProtocol, true
	var wrong error
	q.feed = func(ctx context.Context) error {
		wrong = k.feed(ctx, produce)
		return wrong
	}
	var err error
	if tx != nil {
		err = tx.start(ctx, q)
	}
	if err == nil {
		err = s.run(ctx, q)
	}
	switch { // what the server says is a consequence
	case wrong == nil || errors.Is(err, ErrConnLost):
	case ctx.Err() != nil:
		return q.gaveUp(loop.ContextError(ctx))
	default:
		return q.failed("producing the data of", wrong)
	}
	return err
}

// doCopy submits a COPY and feeds it until it is finished.
func (s *scheduler) doCopy(ctx context.Context, g *segment) error {
	k := g.copyIn
	g.then, g.noRepeat = k.finish, true
	var c *conn
	var err error
	s.mu.Lock()
	if k.types != nil {
		_, err = s.accept(k.types)
	}
	if err == nil {
		c, err = s.accept(g)
	}
	if err == nil {
		s.occupant = k
	}
	if c != nil {
		c.copying = k
		c.ensureReader()
	}
	s.finishUp(c)
	if err != nil {
		return err
	}
	killed := true
	defer func() {
		if killed { // its greenlet is being unwound
			k.abandon(context.Canceled)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.occupant == k {
			s.occupant = nil
		}
		if c != nil && c.copying == k {
			c.copying = nil
		}
	}()
	err = k.await(ctx, func() bool { return k.begun })
	if err == nil {
		err = g.feed(ctx)
		k.end(err)
		err = k.await(ctx, func() bool { return false })
	}
	if err != nil && k.abandon(err) {
		err = nil
	}
	killed = false
	return err
}

// abandon says that nobody waits any more. It returns true if the COPY was finished before: then its outcome counts.
func (k *copyIn) abandon(why error) (finished bool) {
	k.end(why)
	if k.types != nil {
		k.s.abandon(k.types)
	}
	return k.s.abandon(k.g)
}

// feed puts the data.
func (k *copyIn) feed(ctx context.Context, produce func(ctx context.Context, buf []byte) ([]byte, bool, error)) error {
	const header = 5
	buf := make([]byte, header, header+copyPiece)
	for {
		data, last, err := produce(ctx, buf[:header])
		if err == nil {
			err = loop.ContextError(ctx)
		}
		if err != nil {
			return err
		}
		if len(data) > header {
			data[0] = 'd'
			binary.BigEndian.PutUint32(data[1:], uint32(len(data)-1))
			k.put(data)
		}
		if last {
			return nil
		}
		if cap(data) <= 2*copyPiece {
			buf = data
		}
		if err := k.await(ctx, func() bool { return k.g.conn.queued-k.g.conn.written < copyWindow }); err != nil {
			return err
		}
		k.s.mu.Lock()
		over := k.over || k.finished
		k.s.mu.Unlock()
		if over {
			return nil
		}
	}
}

// put sends some bytes behind what has been sent of the segment.
func (k *copyIn) put(data []byte) {
	k.s.mu.Lock()
	var buf []byte
	c := k.g.conn
	if k.g.state == stateSent && !k.over {
		buf = c.putMore(k.g, data)
	}
	k.s.mu.Unlock()
	if buf != nil {
		c.write(buf)
	}
}

// end tells the server that there is no more, or, with an error, that it has all been in vain.
func (k *copyIn) end(err error) {
	k.s.mu.Lock()
	buf := k.endLocked(err)
	c := k.g.conn
	k.s.mu.Unlock()
	if buf != nil {
		c.write(buf)
	}
}

func (k *copyIn) endLocked(err error) []byte {
	if k.over || !k.begun || k.g.state != stateSent {
		return nil
	}
	k.over, k.done = true, err == nil
	if err == nil {
		return k.g.conn.putMore(k.g, []byte{'c', 0, 0, 0, 4})
	}
	message, encodeErr := (&pgproto3.CopyFail{Message: shorten(strings.ToValidUTF8(err.Error(), "?"))}).Encode(nil)
	if encodeErr != nil {
		message = []byte{'f', 0, 0, 0, 5, 0}
	}
	return k.g.conn.putMore(k.g, message)
}

// begins says that the server takes data. Only the reader of the connection calls it, which writes before it reads on.
func (c *conn) copyBegins(g *segment) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	k := g.copyIn
	if k == nil || k.begun {
		return fmt.Errorf("%w: the server asks for the data of a COPY", ErrProtocol)
	}
	k.begun = true
	if g.abandoned.Load() || k.evicted {
		k.endLocked(context.Canceled)
	}
	k.poke()
	return nil
}

// finish says that the segment is finished.
func (k *copyIn) finish() {
	k.s.mu.Lock()
	defer k.s.mu.Unlock()
	k.finished = true
	k.poke()
}

// poke has the one who waits look again. It needs the mutex.
func (k *copyIn) poke() {
	if k.waiter != nil {
		k.waiter.Resolve(struct{}{})
		k.waiter = nil
	}
}

// await returns when the condition, which is evaluated with the mutex, holds, or the segment is finished.
func (k *copyIn) await(ctx context.Context, condition func() bool) error {
	for {
		k.s.mu.Lock()
		if k.finished || condition() {
			k.s.mu.Unlock()
			return nil
		}
		p := loop.NewPromise[struct{}](nil)
		p.Future().SetName("the server, for " + shorten(k.g.sql))
		k.waiter = p
		k.s.mu.Unlock()
		if _, err := repaint.Await(ctx, p.Future()); err != nil {
			return err
		}
	}
}

// close ends the COPY because the session or transaction is ended.
func (k *copyIn) close() {
	k.s.mu.Lock()
	k.evicted = true
	if k.s.occupant == k {
		k.s.occupant = nil
	}
	buf := k.endLocked(fmt.Errorf("%w: the session or transaction was ended", ErrClosed))
	c := k.g.conn
	k.s.mu.Unlock()
	if buf != nil {
		c.write(buf)
	}
}

// putMore puts further bytes of the segment that was put last. It needs the mutex, and returns what is to be written.
func (c *conn) putMore(g *segment, b []byte) []byte {
	c.out = append(c.out, b...)
	c.queued += uint64(len(b))
	g.end = c.queued
	return c.startWrite()
}
