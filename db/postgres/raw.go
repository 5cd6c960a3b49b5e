package postgres

import (
	"context"

	"github.com/seed1239206e/repaint/db"
)

// Driver returns the *pg.DB.
func (c *connector) Driver() any { return c.pool }

// Raw calls fn with the session or, in a transaction, with that, because the server is told
// of it with its first statement.
func (s *session) Raw(ctx context.Context, fn func(ctx context.Context, conn any) error) error {
	var conn any = s.own
	if s.tx != nil {
		conn = s.tx
	}
	s.calling = true
	err := fn(ctx, conn)
	s.calling = false
	switch {
	case err == nil:
	case isLost(err):
		s.status = db.Broken
	case s.status == db.InTx && fromServer(err):
		s.status = db.FailedTx
	}
	return err
}
