package sqlbackend

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/seed1239206e/repaint/db/backend"
)

// This file prepares a connection for a statement. A transaction begins with its first statement.

// Begin puts BEGIN off until the transaction's first statement.
func (s *session) Begin(_ context.Context, opts backend.TxOptions) error {
	s.status, s.pending = backend.InTx, s.d.BeginText(opts)
	s.wanted = s.accessOfTx(opts.ReadOnly)
	s.haste.reads, s.haste.lengthy = opts.ReadOnly, false
	return nil
}

// ready makes sure that the connection can take a statement, and begins a pending transaction.
func (s *session) ready(ctx context.Context) error { return s.unreached(ctx, s.prepare(ctx)) }

// unreached marks an error from before a statement if the connection is lost: the statement itself
// was not sent then.
func (s *session) unreached(ctx context.Context, err error) error {
	if err == nil || ctx.Err() != nil || errors.Is(err, driver.ErrBadConn) {
		return err
	}
	v, ok := s.conn.conn.(driver.Validator)
	if s.d.Lost != nil && s.d.Lost(err) || ok && !v.IsValid() {
		return fmt.Errorf("%w: %w", driver.ErrBadConn, err)
	}
	return err
}

func (s *session) prepare(ctx context.Context) error {
	if s.status == backend.Idle {
		if r, ok := s.conn.conn.(driver.SessionResetter); ok {
			if err := r.ResetSession(ctx); err != nil {
				if errors.Is(err, driver.ErrBadConn) {
					s.status = backend.Broken
				}
				return err
			}
		}
	}
	if len(s.pending) == 0 {
		return nil
	}
	if err := s.setAccess(ctx, s.wanted); err != nil {
		return err
	}
	var err error
	pace := s.c.paces.begin(s.haste.reads)
	began := pace.Begin()
	for i, text := range s.pending {
		if _, err = s.conn.exec(ctx, text, arguments{}, !s.d.SendsText); err != nil {
			s.halfway = s.halfway || i > 0
			break
		}
	}
	s.timed(pace, began)
	if err != nil && s.refused(err) {
		return err // the next attempt begins the transaction
	}
	if err == nil {
		s.pending, s.halfway = nil, false
		return nil
	}
	// A driver can report the end of the context though the transaction has begun.
	if (s.d.TxOpen != nil || s.d.TxState != nil) && s.stillInTx(ctx, err) {
		if s.execSoon(ctx, "rollback") != nil {
			s.status = backend.Broken
		}
	}
	if ctx.Err() == nil {
		s.dropTx(ctx)
	} // otherwise only this statement's context has ended: the next statement begins the transaction
	return err
}

// dropTx forgets a transaction that hasn't begun. Settings sent before BEGIN hold for the next
// transaction, which may be another user's. So dropTx begins that transaction and ends it.
func (s *session) dropTx(ctx context.Context) {
	begin := s.pending[len(s.pending)-1]
	if s.halfway && s.status != backend.Broken {
		if s.soon(ctx, func(ctx context.Context) error { return s.texts(ctx, begin, "rollback") }) != nil {
			s.status = backend.Broken
		}
	}
	s.pending, s.halfway = nil, false
	if s.status != backend.Broken {
		s.status = backend.Idle
	}
}
