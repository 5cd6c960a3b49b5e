package sqlbackend

import (
	"context"
	"strings"

	"github.com/seed1239206e/repaint/db/backend"
)

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
	if len(s.pending) > 0 { // the transaction has done nothing
		if s.halfway {
			return s.block(ctx, func(ctx context.Context) error {
				s.dropTx(ctx)
				return nil
			})
		}
		s.pending, s.status = nil, backend.Idle
		return nil
	}
	commit := text == "commit"
	return s.soonest(ctx, s.EndsSoon(commit), text, func(ctx context.Context) error {
		var err error
		if commit {
			err = s.committable()
		}
		if err == nil {
			pace := s.endPace(commit)
			began := pace.Begin()
			err = s.mark(commit, func() error {
				_, err := s.conn.exec(ctx, text, arguments{}, !s.d.SendsText)
				return err
			})
			s.timed(pace, began)
		}
		if err != nil && s.refused(err) {
			return err // the transaction is unchanged
		}
		s.conn.statements.undo(true)
		if err != nil && s.status != backend.Broken && s.stillInTx(ctx, err) {
			// A failed commit leaves the transaction open.
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

// control runs statements about savepoints.
func (s *session) control(ctx context.Context, texts ...string) error {
	return s.soonest(ctx, s.controlsSoon(), texts[0], func(ctx context.Context) error {
		err := s.ready(ctx)
		began := s.c.paces.control.Begin()
		defer func() { s.timed(&s.c.paces.control, began) }()
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
			s.status = backend.InTx // the transaction is back before the error
		}
		return err
	})
}
