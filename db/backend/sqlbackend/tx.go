package sqlbackend

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
)

// This file finds out the state of a blocking driver's transaction.

// committable returns an error if the driver knows that the transaction can't be committed: the
// database would only roll back what is left of it, and report success.
func (s *session) committable() error {
	if s.d.TxState == nil {
		return nil
	}
	switch s.d.TxState(&s.conn) {
	case backend.FailedTx:
		return backend.Errorf(backend.ErrTxFailed, "the database has rolled the transaction back: a statement in it had failed")
	case backend.Idle:
		return backend.Errorf(backend.ErrTxFailed, "the transaction was ended before")
	}
	return nil
}

// txStatus returns the state of a transaction after an error.
func (s *session) txStatus(ctx context.Context, err error) backend.Status {
	switch {
	case s.d.TxState != nil:
		return s.d.TxState(&s.conn)
	case !s.stillInTx(ctx, err):
		return backend.Idle
	case s.d.FailsTx != nil && s.d.FailsTx(err):
		return backend.FailedTx
	}
	return backend.InTx
}

func (s *session) stillInTx(ctx context.Context, err error) bool {
	switch {
	case s.d.TxState != nil:
		return s.d.TxState(&s.conn) != backend.Idle
	case s.d.TxOpen == nil:
		return true
	}
	open := true
	_ = s.soon(ctx, func(ctx context.Context) error {
		open = s.d.TxOpen(ctx, &s.conn, err)
		return nil
	})
	return open
}

// aroundCode is the name of the savepoint before a statement that runs code.
const aroundCode = "repaint_code"

// watched calls run, which runs a statement in a transaction. It fails if the statement has ended
// the transaction.
func (s *session) watched(ctx context.Context, run func() error) error {
	if err := s.texts(ctx, "savepoint "+aroundCode); err != nil {
		return err
	}
	err := run()
	var gone error
	for tries := 0; tries < 3 && s.status != backend.Broken; tries++ { // a late interrupt may hit one attempt
		if gone = s.execSoon(ctx, "release savepoint "+aroundCode); gone == nil {
			return err
		}
	}
	if s.status == backend.Broken || s.execSoon(ctx, "rollback") != nil { // the statement may have begun another transaction
		s.status = backend.Broken
		return andThen(err, gone)
	}
	s.status = backend.Idle
	if err == nil {
		err = backend.Errorf(backend.ErrTxFailed, "what it ran has ended the transaction: %w", gone)
	}
	return err
}
