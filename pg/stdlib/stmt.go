package stdlib

import (
	"context"
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed1239206e/repaint/pg"
)

// A stmt is a statement's text, and the number of its parameters if that is known.
type stmt struct {
	conn   *Conn
	query  string
	inputs int // or unknown
}

// unknown tells database/sql not to count the arguments. The server does.
const unknown = -1

var (
	_ driver.StmtExecContext  = (*stmt)(nil)
	_ driver.StmtQueryContext = (*stmt)(nil)
)

func (s *stmt) Close() error { return nil }

func (s *stmt) NumInput() int { return s.inputs }

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.ExecContext(ctx, s.query, args)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.QueryContext(ctx, s.query, args)
}

// Exec and Query implement driver.Stmt. database/sql calls the forms with a context instead.

func (s *stmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.ExecContext(context.Background(), named(args))
}

func (s *stmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.QueryContext(context.Background(), named(args))
}

func named(args []driver.Value) []driver.NamedValue {
	vs := make([]driver.NamedValue, len(args))
	for i, a := range args {
		vs[i] = driver.NamedValue{Ordinal: i + 1, Value: a}
	}
	return vs
}

// A describer tells the parameters of a text.
type describer interface {
	describe(ctx context.Context, sql string) (*pgconn.StatementDescription, error)
}

type (
	onLane    struct{ *pg.DB }
	inSession struct{ *pg.Session }
	inTx      struct{ *pg.Tx }
)

func (l onLane) describe(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	return l.DB.Describe(ctx, sql)
}

func (s inSession) describe(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	return s.Prepare(ctx, "", sql)
}

func (t inTx) describe(ctx context.Context, sql string) (*pgconn.StatementDescription, error) {
	return t.Prepare(ctx, "", sql)
}

// A result is the number of rows that a statement has changed.
type result int64

func (r result) RowsAffected() (int64, error) { return int64(r), nil }

func (result) LastInsertId() (int64, error) {
	return 0, errors.New("pg/stdlib: LastInsertId is not supported: PostgreSQL has no such number; write INSERT … RETURNING id, and read it with QueryRow")
}
