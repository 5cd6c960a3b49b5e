package postgres

import (
	"context"

	"github.com/seed1239206e/repaint/db/backend"
)

// Driver returns the *pg.DB.
func (c *connector) Driver() any { return c.pool }

// Raw calls fn with the session or, in a transaction, with the transaction, because the server
// learns of that from its first statement. If readOnly is set outside of a transaction, a setting
// makes the server refuse writes; the setting ends with the connection.
func (s *session) Raw(ctx context.Context, readOnly bool, fn func(ctx context.Context, conn any) error) error {
	var conn any = s.own
	switch {
	case s.tx != nil:
		conn = s.tx
		if s.reading { // after a query, fn can't make the transaction read-write
			if err := s.control(ctx, "select 1"); err != nil {
				return err
			}
		}
	case readOnly:
		s.calling = true
		_, err := s.own.Exec(ctx, "set default_transaction_read_only = on")
		if err = s.done(err); err != nil {
			return err
		}
	}
	s.calling = true
	err := fn(ctx, conn)
	s.calling = false
	switch {
	case err == nil:
	case isLost(err):
		s.status = backend.Broken
	case s.status == backend.InTx && fromServer(err):
		s.status = backend.FailedTx
	}
	return err
}
