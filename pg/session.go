package pg

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A Session is a connection that one owner has for itself, from [DB.Acquire] to Release or Close. A
// session allows every statement: settings, temporary tables, advisory locks, BEGIN. The owner must
// release or close it.
//
// Several goroutines or tasks may use it at once: their statements are pipelined in the order in
// which they come. Methods return a [*StatementError], as those of DB do. After the end of the
// session errors.Is finds [ErrClosed] in it, and while a stream, a COPY or Pgx occupies the
// session, [ErrInUse].
//
// If the connection breaks before it has executed a statement for the owner, for example because
// the server restarts, the session gets another connection, and statements without an effect are
// sent again there. After that, losing the connection loses everything that the session had, so
// every call returns a [LostError].
//
// While a transaction is open that Begin began, the session's own statements are part of it, too:
// the server knows only one transaction. If such a statement is the first one, BEGIN travels with
// it.
type Session struct {
	s  lease
	db *DB
	tx atomic.Pointer[Tx] // the transaction that was begun last; nil if none was
}

// Release gives the connection back. It doesn't wait. Statements under way end first. Before the
// next owner gets the connection, the driver rolls back an open transaction and undoes everything
// that was left behind: the role, settings, cursors, LISTENs, locks, temporary tables. If a
// statement was of a kind that leaves state behind, the driver also removes its own prepared
// statements. Further calls do nothing.
func (s *Session) Release() { s.giveBack(true) }

// giveBack is Release. Unless it is thorough, it undoes only what was noticed, as after a
// transaction.
func (s *Session) giveBack(thorough bool) {
	if s.s.close() {
		s.db.pool.recycle(&s.s, thorough)
	}
}

// Close ends the connection, instead of giving it back, and makes room for another one in the pool.
// Statements under way are cancelled, and their callers get an error. The server rolls back an open
// transaction. Afterwards every call returns [ErrClosed]. Close waits until the server has ended
// the statements, as long as the context and Config.CancelTimeout allow. Its error means that a
// statement may still be running. Further calls, and calls after Release, do nothing.
func (s *Session) Close(ctx context.Context) error {
	if !s.s.close() {
		return nil
	}
	err := s.db.endAll(ctx, []*line{s.s.line})
	s.db.pool.lost(s.s.session())
	if err != nil {
		return fmt.Errorf("pg: closing the session: its statement may still be running on the server: %w", err)
	}
	return nil
}

// Exec is [DB.Exec] in the session.
func (s *Session) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	q := &query{text: sql, args: args}
	var tag pgconn.CommandTag
	err := s.within(ctx, q, func() (err error) {
		tag, err = s.s.executor().exec(ctx, q)
		return err
	})
	return tag, err
}

// within runs a query of the session's own. If a transaction is open whose BEGIN hasn't been sent,
// it sends that first.
func (s *Session) within(ctx context.Context, q *query, run func() error) error {
	if explorer() != nil {
		if err := s.start(ctx, q); err != nil {
			return err
		}
		return run()
	}
	for attempt := 1; ; attempt++ {
		tx := s.tx.Load()
		if tx == nil || !tx.isOpen() {
			return run()
		}
		begin, err := tx.enter(ctx)
		switch {
		case errors.Is(err, pgx.ErrTxClosed):
			return run()
		case err != nil:
			return q.notBegun(err)
		}
		q.inTx = begin != ""
		again, err := tx.lead(ctx, q, begin, attempt, run)
		if begin != "" && errors.Is(err, errTxOver) { // it ended before this statement was sent
			q.renew()
			q.begin, q.begins, q.inTx, again = "", nil, false, true
		}
		if !again {
			return err
		}
	}
}

// start is within for a query that can't share a segment with BEGIN.
func (s *Session) start(ctx context.Context, q *query) error {
	if tx := s.tx.Load(); tx != nil && tx.isOpen() {
		if err := tx.start(ctx, q); err != nil && !errors.Is(err, pgx.ErrTxClosed) {
			return err
		}
		q.inTx = false // it can't be known: it may end before the query is sent
	}
	return nil
}

// Query is [DB.Query] in the session.
func (s *Session) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	r := s.query(ctx, sql, args)
	return r, r.err
}

// QueryRow is [DB.QueryRow] in the session.
func (s *Session) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return (*row)(s.query(ctx, sql, args))
}

func (s *Session) query(ctx context.Context, sql string, args []any) *Rows {
	q := &query{text: sql, args: args}
	if err := s.within(ctx, q, func() error { return s.s.executor().query(ctx, q).err }); err != nil {
		q.row.err, q.row.closed = err, true
	}
	return &q.row
}

// SendBatch is [DB.SendBatch] in the session.
func (s *Session) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	if beginsTx(b) {
		tx, err := s.beginTx(optionsOf(b))
		if err != nil {
			return pgx.FailedBatchResults(b, err)
		}
		return tx.beginWith(ctx, b)
	}
	return s.s.executor().batch(ctx, b, s.within)
}

// Begin starts a transaction in the session. If it is still open when the session is released, it
// is rolled back. There can be one at a time: while it is open, Begin returns [ErrInUse]. Begin of
// the transaction makes a savepoint.
func (s *Session) Begin(ctx context.Context) (pgx.Tx, error) { return s.BeginTx(ctx, pgx.TxOptions{}) }

// NewTx is [DB.NewTx] in the session.
func (s *Session) NewTx(_ context.Context, options pgx.TxOptions) (*Tx, error) {
	return s.beginTx(options)
}

// BeginTx is Begin with options. It neither waits nor sends: BEGIN travels with the first
// statement.
func (s *Session) BeginTx(_ context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	tx, err := s.beginTx(options)
	if err != nil {
		return nil, err
	}
	return tx, nil
}

func (s *Session) beginTx(options pgx.TxOptions) (*Tx, error) {
	if s.s.ended() {
		return nil, errReleased
	}
	tx := newTx(options)
	tx.s.line, tx.s.within = s.s.line, &s.s
	for {
		before := s.tx.Load()
		if before != nil && before.isOpen() {
			return nil, errOneTx
		}
		if before != nil {
			before.replaced()
		}
		if s.tx.CompareAndSwap(before, tx) {
			return tx, nil
		}
	}
}

var errOneTx = fmt.Errorf("%w: it has an open transaction: end that one first, or make a savepoint with its Begin", ErrInUse)

// Ping sends the server an empty statement and waits for the answer.
func (s *Session) Ping(ctx context.Context) error {
	return s.s.executor().ping(ctx)
}

// PID returns the process id of the server's backend, or 0 if the connection is lost or the session
// has ended. Once the owner knows the id, the driver no longer replaces the connection if it
// breaks.
func (s *Session) PID() uint32 {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	if len(s.s.conns) == 0 || s.s.ended() {
		return 0
	}
	s.s.session().unused = false // its owner knows it by that number now
	return s.s.conns[0].w.pid
}
