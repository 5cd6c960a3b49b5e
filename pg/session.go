package pg

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// A Session is a connection that its owner has for itself, from [DB.Acquire] to Release or Close. Here everything is allowed:
// settings, temporary tables, advisory locks, BEGIN.
//
// It may be used by several goroutines or tasks at once: their statements are pipelined in the order in which they come.
// Whether that makes sense, for example in a transaction, is for the owner to know.
type Session struct {
	s  lease
	db *DB
}

// Release gives the connection back. It doesn't wait: what is under way ends, an open transaction is
// rolled back, and roles, settings, cursors, listens, locks, temporary tables and what else has been
// left behind is undone before the next owner gets it. If a statement has shown that it leaves
// something behind, what this driver has prepared goes, too. Further calls do nothing.
func (s *Session) Release() {
	if s.s.close() {
		s.db.pool.recycle(&s.s, true)
	}
}

// Close ends the connection, instead of giving it back, and makes room for another one in the pool. What is under way there is cancelled, and its callers get an error;
// an open transaction is rolled back by the server. Afterwards every call says [ErrClosed]. Close waits until the server has ended what is under way, as long as the context
// and Config.CancelTimeout allow; an error says that it may still be running. After Release, and further calls, do nothing.
func (s *Session) Close(ctx context.Context) error {
	if !s.s.close() {
		return nil
	}
	err := s.db.endAll(ctx, []*scheduler{s.s.scheduler})
	s.db.pool.lost(s.s.scheduler)
	if err != nil {
		return fmt.Errorf("pg: closing a session: its statement may still be running on the server: %w", err)
	}
	return nil
}

// Exec is [DB.Exec] in the session.
func (s *Session) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	return s.s.exec(ctx, &query{text: sql, args: args})
}

// Query is [DB.Query] in the session.
func (s *Session) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	r := s.s.query(ctx, &query{text: sql, args: args})
	return r, r.err
}

// QueryRow is [DB.QueryRow] in the session.
func (s *Session) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return (*row)(s.s.query(ctx, &query{text: sql, args: args}))
}

// SendBatch is [DB.SendBatch] in the session.
func (s *Session) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return s.s.batch(ctx, b, nil)
}

// Begin starts a transaction in the session. It ends before the session is released, or is rolled back then.
func (s *Session) Begin(ctx context.Context) (pgx.Tx, error) { return s.BeginTx(ctx, pgx.TxOptions{}) }

// BeginTx is Begin with options.
func (s *Session) BeginTx(_ context.Context, options pgx.TxOptions) (pgx.Tx, error) {
	if s.s.ended() {
		return nil, errReleased
	}
	tx := newTx(options)
	tx.s.scheduler, tx.s.within = s.s.scheduler, &s.s
	return tx, nil
}

// Ping asks the server for a sign of life.
func (s *Session) Ping(ctx context.Context) error {
	return s.s.ping(ctx)
}

// PID returns the process id of the server's backend, 0 if the connection is lost or isn't the session's any more.
func (s *Session) PID() uint32 {
	s.s.mu.Lock()
	defer s.s.mu.Unlock()
	if len(s.s.conns) == 0 || s.s.ended() {
		return 0
	}
	return s.s.conns[0].w.pid
}
