package db

import "context"

// Querier is what Engine, Conn and Tx, and an Engine's Reader, have in common. A function that takes one
// can be called with any of them: alone, on a connection, or as part of its
// caller's transaction. Rows of a Querier are buffered.
type Querier interface {
	// Exec runs a statement, or a script without parameters, that returns no rows.
	Exec(ctx context.Context, query string, args ...any) (Result, error)
	// Query runs a statement and returns all its rows.
	Query(ctx context.Context, query string, args ...any) (*Rows, error)
	// QueryRow runs a statement for its first row. Errors come from Row.Scan.
	QueryRow(ctx context.Context, query string, args ...any) *Row
	// InTx runs fn in a transaction, or in a savepoint where there is a
	// transaction, and commits it; it rolls back if fn returns an error,
	// panics or exits its goroutine.
	InTx(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error

	// Begin is InTx.
	//
	// Deprecated: use InTx.
	Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error
}

var (
	_ Querier = (*Engine)(nil)
	_ Querier = (*Conn)(nil)
	_ Querier = (*Tx)(nil)
)

// queryMax fetches at most max rows where the Querier can do that; of a type
// from elsewhere it takes them all.
func queryMax(ctx context.Context, q Querier, max int, query string, args []any) (*Rows, error) {
	if q, ok := q.(interface {
		queryMax(ctx context.Context, max int, query string, args []any) (*Rows, error)
	}); ok {
		return q.queryMax(ctx, max, query, args)
	}
	return q.Query(ctx, query, args...)
}
