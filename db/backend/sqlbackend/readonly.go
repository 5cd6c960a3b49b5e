package sqlbackend

import (
	"context"
	"database/sql/driver"

	"github.com/seed1239206e/repaint/db/backend"
)

// access says how a connection treats writes.
type access uint8

const (
	asMade  access = iota // as the driver made it
	reading               // it refuses writes
	unsure                // unknown: the change was interrupted
)

// readyFor is ready, and also sets the access for a call outside of a transaction.
func (s *session) readyFor(ctx context.Context, readOnly bool) error {
	alone := s.status == backend.Idle
	err := s.ready(ctx)
	if err != nil || !alone {
		return err
	}
	to := asMade
	if readOnly {
		to = reading
	}
	return s.unreached(ctx, s.setAccess(ctx, to))
}

// accessOfTx returns the access to set before a transaction begins. On most databases, a read-only
// transaction needs none, because its BEGIN says that it only reads.
func (s *session) accessOfTx(readOnly bool) access {
	if readOnly && (s.d.ReadOnlyTx || s.access == reading) {
		return reading
	}
	return asMade
}

func (s *session) setAccess(ctx context.Context, to access) error {
	if s.access == to || s.d.SetReadOnly == nil {
		return nil
	}
	s.access = unsure
	err := s.d.SetReadOnly(ctx, &s.conn, to == reading)
	if err == nil {
		s.access = to
	}
	return err
}

// guarded calls fn. If the call is read-only, there is no transaction, and the access of the
// connection can't be set, it calls fn in a read-only transaction.
func (s *session) guarded(ctx context.Context, readOnly bool, fn func() error) error {
	if !s.needsGuard(readOnly) {
		return fn()
	}
	err := s.texts(ctx, s.d.BeginText(backend.TxOptions{ReadOnly: true})...)
	if err == nil {
		err = fn()
	} // even after an error the transaction may have begun
	return s.endGuard(ctx, err)
}

func (s *session) needsGuard(readOnly bool) bool {
	return readOnly && s.status == backend.Idle && s.d.SetReadOnly == nil
}

// endGuard ends the transaction of guarded. It returns err or, if that is nil, its own error.
func (s *session) endGuard(ctx context.Context, err error) error {
	end := "commit"
	if err != nil {
		end = "rollback"
	}
	if e := s.soon(ctx, func(ctx context.Context) error { return s.texts(ctx, end) }); e != nil {
		s.status = backend.Broken // the transaction may still be open
		if err == nil {
			err = e
		}
	}
	return err
}

// texts runs statements without arguments.
func (s *session) texts(ctx context.Context, all ...string) error {
	for _, text := range all {
		if _, err := s.conn.exec(ctx, text, arguments{}, !s.d.SendsText); err != nil {
			return err
		}
	}
	return nil
}

// guardedRows is guarded for a query whose rows are read later. done also ends the transaction.
func (s *session) guardedRows(ctx context.Context, c *backend.Call) (rows driver.Rows, done func() error, err error) {
	if !s.needsGuard(c.ReadOnly) {
		return s.conn.rows(ctx, c.Statement, arguments{call: c})
	}
	if err := s.texts(ctx, s.d.BeginText(backend.TxOptions{ReadOnly: true})...); err != nil {
		return nil, nil, s.endGuard(ctx, err)
	}
	rows, close, err := s.conn.rows(ctx, c.Statement, arguments{call: c})
	if err != nil {
		return nil, nil, s.endGuard(ctx, err)
	}
	return rows, func() error { return s.endGuard(ctx, close()) }, nil
}
