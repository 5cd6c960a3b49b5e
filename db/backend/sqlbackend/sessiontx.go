package sqlbackend

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
)

// Begin puts the statement off until there is something to do.
func (s *session) Begin(_ context.Context, opts backend.TxOptions) error {
	s.status, s.pending = backend.InTx, s.d.BeginText(opts)
	s.wanted = s.accessOfTx(opts.ReadOnly)
	return nil
}

func (s *session) Commit(ctx context.Context) error {
	return s.endTx(ctx, "commit")
}

func (s *session) Rollback(ctx context.Context) error {
	if s.status != backend.InTx && s.status != backend.FailedTx {
		return nil
	}
	return s.endTx(ctx, "rollback")
}

func (s *session) endTx(ctx context.Context, text string) error {
	if len(s.pending) > 0 { // nothing was done in it
		s.pending, s.status = nil, backend.Idle
		return nil
	}
	return s.block(ctx, func(ctx context.Context) error {
		commit := text == "commit"
		var err error
		if commit {
			err = s.committable()
		}
		if err == nil {
			err = s.mark(commit, func() error {
				_, err := s.conn.exec(ctx, text, arguments{}, !s.d.SendsText)
				return err
			})
		}
		s.conn.statements.undo(true)
		if err != nil && s.status != backend.Broken && s.stillInTx(ctx, err) {
			// A commit that failed leaves the transaction open.
			if s.execSoon(ctx, "rollback") != nil {
				s.status = backend.Broken
			}
		}
		if s.status != backend.Broken {
			s.status = backend.Idle
		}
		return err
	})
}

func (s *session) Savepoint(ctx context.Context, name string) error {
	return s.control(ctx, "savepoint "+name)
}

func (s *session) Release(ctx context.Context, name string) error {
	return s.control(ctx, "release savepoint "+name)
}

func (s *session) RollbackTo(ctx context.Context, name string) error {
	return s.control(ctx, "rollback to savepoint "+name, "release savepoint "+name)
}

// control runs statements of the transaction's own.
func (s *session) control(ctx context.Context, texts ...string) error {
	return s.block(ctx, func(ctx context.Context) error {
		err := s.ready(ctx)
		for _, text := range texts {
			if err == nil {
				_, err = s.conn.exec(ctx, text, arguments{}, !s.d.SendsText)
			}
		}
		if strings.HasPrefix(texts[0], "rollback") {
			s.conn.statements.undo(false)
		}
		if err != nil {
			s.examine(ctx, err)
		} else if s.status == backend.FailedTx {
			s.status = backend.InTx // it went back to before the error
		}
		return err
	})
}

// ready makes sure that the connection can take a statement, and begins the
// transaction that is pending.
func (s *session) ready(ctx context.Context) error {
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
	for _, text := range s.pending {
		if _, err = s.conn.exec(ctx, text, arguments{}, !s.d.SendsText); err != nil {
			break
		}
	}
	if err == nil {
		s.pending = nil
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
		s.pending, s.status = nil, backend.Idle
	} // or else it was only this statement's context: the next one begins it
	return err
}
