package pg

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/sqltext"
)

// CopyFrom inserts rows into a table with COPY, and returns how many: all or none. Meanwhile it
// owns a session. Values are sent in binary, as pgx sends them, so the type map must know the types
// of the columns. CopyFrom calls the source only while the server takes data, in the caller's
// goroutine or task. An error of the source is part of the [*StatementError] that it returns.
func (db *DB) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	s, err := db.Acquire(ctx)
	if err != nil {
		return 0, err
	}
	defer s.giveBack(false)
	return s.CopyFrom(ctx, table, columns, rows)
}

// CopyFromReader runs a COPY … FROM STDIN with the bytes of the reader, in the format that the text
// says. In a loop another goroutine calls the reader, so the reader may block. If the context ends,
// CopyFromReader returns after the reader's current call. A text that isn't such a COPY gets
// [ErrUnsupported].
func (db *DB) CopyFromReader(ctx context.Context, r io.Reader, sql string) (pgconn.CommandTag, error) {
	s, err := db.Acquire(ctx)
	if err != nil {
		return pgconn.CommandTag{}, err
	}
	defer s.giveBack(false)
	return s.CopyFromReader(ctx, r, sql)
}

// CopyFrom is [DB.CopyFrom] in the session.
func (s *Session) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return s.s.executor().copySource(ctx, s.start, table, columns, rows)
}

// CopyFromReader is [DB.CopyFromReader] in the session.
func (s *Session) CopyFromReader(ctx context.Context, r io.Reader, sql string) (pgconn.CommandTag, error) {
	return s.s.executor().copyReader(ctx, s.start, r, sql)
}

// CopyFrom is [DB.CopyFrom] in the transaction.
func (tx *Tx) CopyFrom(ctx context.Context, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (int64, error) {
	return tx.s.executor().copySource(ctx, tx.start, table, columns, rows)
}

// CopyFromReader is [DB.CopyFromReader] in the transaction.
func (tx *Tx) CopyFromReader(ctx context.Context, r io.Reader, sql string) (pgconn.CommandTag, error) {
	return tx.s.executor().copyReader(ctx, tx.start, r, sql)
}

// CopyFromSeq makes an iterator the source of a CopyFrom. If the iterator yields an error, nothing
// is inserted. The caller must call stop after the CopyFrom. The iterator runs in a coroutine of
// its own, so it must not wait for anything in a loop.
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

func (s executor) copyReader(ctx context.Context, start opening, r io.Reader, sql string) (pgconn.CommandTag, error) {
	q := &query{text: sql}
	if !classify(sql).effects.Any(sqltext.CopiesIn) {
		return pgconn.CommandTag{}, q.failed(StageCheck, fmt.Errorf("%w: the text isn't a COPY … FROM STDIN", ErrUnsupported))
	}
	r, err := gatheredBytes(ctx, r)
	if err != nil {
		return pgconn.CommandTag{}, q.failed(StageRead, err)
	}
	err = s.copyIn(ctx, start, q, nil, func(ctx context.Context, buf []byte) ([]byte, bool, error) {
		buf = slices.Grow(buf, copyPiece)
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

func (s executor) copySource(ctx context.Context, start opening, table pgx.Identifier, columns []string, rows pgx.CopyFromSource) (_ int64, err error) {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = pgx.Identifier{c}.Sanitize()
	}
	list := strings.Join(names, ", ")
	q := &query{text: fmt.Sprintf("copy %s (%s) from stdin binary", table.Sanitize(), list)}
	if t, ok := s.db.config.Tracer.(pgx.CopyFromTracer); ok {
		ctx = t.TraceCopyFromStart(ctx, nil, pgx.TraceCopyFromStartData{TableName: table, ColumnNames: columns})
		err = errUnwound
		defer func() {
			end := pgx.TraceCopyFromEndData{Err: err}
			if err == nil {
				end.CommandTag = q.steps[len(q.steps)-1].tag
			}
			t.TraceCopyFromEnd(ctx, nil, end)
		}()
	}
	rows = gathered(rows)
	for attempt := 1; ; attempt++ {
		types, err := s.columnTypes(fmt.Sprintf("select %s from %s", list, table.Sanitize()), s.tx)
		if err != nil {
			return 0, q.failed(StagePrepare, err)
		}
		touched := false
		err = s.copyRows(ctx, start, q, types, rows, &touched)
		if err == nil {
			return q.steps[len(q.steps)-1].tag.RowsAffected(), nil
		}
		switch failure, again := s.outcome(types); {
		case again && !touched && attempt < maxAttempts && ctx.Err() == nil:
			q = &query{text: q.text} // another's cancel has hit the question
		case failure != nil:
			return 0, q.failed(StageColumns, failure)
		default:
			return 0, err
		}
	}
}

// columnTypes makes the segment that asks for the types of a table's columns. It travels before
// each COPY, in the same write, and costs no round trip. The types aren't kept for the next COPY:
// another session may change the table meanwhile, and the server doesn't always refuse binary data
// of the wrong type.
func (s executor) columnTypes(sql string, inTx bool) (*segment, error) {
	g := &segment{lease: s.lease, sql: sql, harmless: true, inTx: inTx, then: func() {}}
	payload, err := describeUnnamed(nil, sql)
	g.steps = append(g.oneStep[:0], step{describes: true, payload: payload})
	return g, err
}

// outcome returns the server's error for a segment that no caller waits for, and whether the
// segment should be sent again.
func (s *line) outcome(g *segment) (failure error, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if g.state == stateFinished && g.failure != nil {
		return g.failure, g.again
	}
	return nil, false
}

// copyRows runs a COPY with the rows of a source, whose values are encoded for the columns that
// types finds.
func (s executor) copyRows(ctx context.Context, start opening, q *query, types *segment, rows pgx.CopyFromSource, touched *bool) error {
	one := s.db.codec() // if a value's method panics it isn't given back
	var fields []pgconn.FieldDescription
	err := s.copyIn(ctx, start, q, types, func(_ context.Context, buf []byte) ([]byte, bool, error) {
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
		for len(buf) < copyPiece/2 && !q.copyIn.stopped.Load() {
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
	s.db.release(one)
	return err
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

// copyText encodes a value that the type accepts only as text, by decoding that text first.
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
