package sqlbackend

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"github.com/seed1239206e/repaint/db/backend"
)

// How a connection is made ready for a statement, and a transaction begins with its first one.

// Begin puts the statement off until there is something to do.
func (s *session) Begin(_ context.Context, opts backend.TxOptions) error {
	s.status, s.pending = backend.InTx, s.d.BeginText(opts)
	s.wanted = s.accessOfTx(opts.ReadOnly)
	s.haste.reads, s.haste.lengthy = opts.ReadOnly, false
	return nil
}

// ready makes sure that the connection can take a statement, and begins the
// transaction that is pending.
func (s *session) ready(ctx context.Context) error { return s.unreached(ctx, s.prepare(ctx)) }

// unreached marks the error of what comes before a statement if the connection turned out to be lost:
// then the statement itself was not sent.
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
		return err // it begins with the next attempt
	}
	if err == nil {
		s.pending, s.halfway = nil, false
		return nil
	}
	// A driver can report that the context has ended though the transaction
	// has begun.
	if (s.d.TxOpen != nil || s.d.TxState != nil) && s.stillInTx(ctx, err) {
		if s.execSoon(ctx, "rollback") != nil {
			s.status = backend.Broken
		}
	}
	if ctx.Err() == nil {
		s.dropTx(ctx)
	} // or else it was only this statement's context: the next one begins it
	return err
}

// dropTx forgets a transaction that hasn't begun. What was said for it before BEGIN holds for the next
// one, which may be another user's; so that is begun, and ended.
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
