package pg

import (
	"context"

	"github.com/jackc/pgx/v5/pgconn"
)

// Describe asks the server for the types of a statement's parameters and columns, without executing
// it. It isn't needed for speed: every statement is described when it is first used. In a session,
// and in a transaction, that is Prepare.
func (db *DB) Describe(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	if db.config.Pipeline {
		return db.lanes.executor().prepare(ctx, "", sql, false)
	}
	s, err := db.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer s.Release()
	return s.Prepare(ctx, "", sql)
}
