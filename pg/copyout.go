package pg

import (
	"context"
	"fmt"
	"io"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/sqltext"
)

// CopyTo runs a COPY … TO STDOUT and writes what comes, in bounded memory. Meanwhile it owns a
// session. In a loop another goroutine calls the writer, so the writer may block. An error of the
// writer has the stage [StageWrite]. A text that isn't such a COPY gets [ErrUnsupported].
func (db *DB) CopyTo(ctx context.Context, w io.Writer, sql string) (pgconn.CommandTag, error) {
	return copyTo(ctx, w, sql, db.copyOut(ctx, sql))
}

// CopyOut runs a COPY … TO STDOUT. The iterator yields the data as they come, in bounded memory:
// with the formats text and csv, each piece is a row. The loop must not keep a piece. An error
// comes last. Leaving the loop early cancels the statement; in a transaction it reads the rest and
// throws it away instead. The statement begins with the loop, and anew with each loop.
func (db *DB) CopyOut(ctx context.Context, sql string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { copyEach(db.copyOut(ctx, sql), yield) }
}

func (db *DB) copyOut(ctx context.Context, sql string) *Rows {
	s := new(lease)
	if err := db.pool.acquire(ctx, s); err != nil {
		return failedCopy(&query{text: sql}, StageWait, err)
	}
	return s.executor().copyOut(ctx, nil, sql, func() { db.pool.recycle(s, false) })
}

// CopyTo is [DB.CopyTo] in the session.
func (s *Session) CopyTo(ctx context.Context, w io.Writer, sql string) (pgconn.CommandTag, error) {
	return copyTo(ctx, w, sql, s.s.executor().copyOut(ctx, s.within, sql, nil))
}

// CopyOut is [DB.CopyOut] in the session.
func (s *Session) CopyOut(ctx context.Context, sql string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) { copyEach(s.s.executor().copyOut(ctx, s.within, sql, nil), yield) }
}

// CopyTo is [DB.CopyTo] in the transaction.
func (tx *Tx) CopyTo(ctx context.Context, w io.Writer, sql string) (pgconn.CommandTag, error) {
	return copyTo(ctx, w, sql, tx.s.executor().copyOut(ctx, tx.within, sql, nil))
}

// CopyOut is [DB.CopyOut] in the transaction.
func (tx *Tx) CopyOut(ctx context.Context, sql string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		copyEach(tx.s.executor().copyOut(ctx, tx.within, sql, nil), yield)
	}
}

func failedCopy(q *query, stage Stage, err error) *Rows {
	q.row.err, q.row.closed = q.failed(stage, err), true
	return &q.row
}

// copyOut returns a stream whose rows are the messages of the COPY.
func (s executor) copyOut(ctx context.Context, within inside, sql string, release func()) *Rows {
	q := &query{text: sql, mode: pgx.QueryExecModeSimpleProtocol}
	q.copyOut = true
	if !classify(sql).effects.Any(sqltext.CopiesOut) {
		if release != nil {
			release()
		}
		return failedCopy(q, StageCheck, fmt.Errorf("%w: the text isn't a COPY … TO STDOUT", ErrUnsupported))
	}
	return s.streamRows(ctx, q, release, func() error {
		if within == nil {
			return s.run(ctx, q)
		}
		return within(ctx, q, func() error { return s.run(ctx, q) })
	})
}

func copyEach(r *Rows, yield func([]byte, error) bool) {
	defer r.Close()
	for r.Next() {
		if !yield(r.row.value(), nil) {
			return
		}
	}
	if r.err != nil {
		yield(nil, r.err)
	}
}

func copyTo(ctx context.Context, w io.Writer, sql string, r *Rows) (pgconn.CommandTag, error) {
	defer r.Close()
	buf := make([]byte, 0, copyPiece)
	flush := func() error {
		if len(buf) == 0 {
			return nil
		}
		_, err := repaint.Block(ctx, func(context.Context) (int, error) { return w.Write(buf) })
		buf = buf[:0]
		if err != nil {
			return &StatementError{SQL: shorten(sql), Stage: StageWrite, Err: err}
		}
		return nil
	}
	for r.Next() {
		if buf = append(buf, r.row.value()...); len(buf) >= copyPiece {
			if err := flush(); err != nil {
				return pgconn.CommandTag{}, err
			}
		}
	}
	if r.err != nil {
		return pgconn.CommandTag{}, r.err
	}
	return r.tag, flush()
}
