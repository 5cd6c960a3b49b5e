package db

import "context"

// Querier is what Engine, Reader, Conn and Tx have in common. A function that takes a Querier works
// with any of them: by itself, on a connection, or as part of its caller's transaction. Its rows are
// buffered. Which goroutines may use it at once is what the type behind it says: any for Engine and
// Reader, one at a time for Conn and Tx.
//
// Errors are an [*Error]; errors.Is finds a condition such as [ErrUnique] in them, and the error of
// the context if that has ended.
type Querier interface {
	// Exec runs a statement, or a script without parameters, that returns no rows.
	Exec(ctx context.Context, query string, args ...any) (Result, error)
	// Query runs a statement and returns all its rows.
	Query(ctx context.Context, query string, args ...any) (*Rows, error)
	// QueryRow runs a statement and returns its first row. Its error is that of Row.Err and Row.Scan.
	QueryRow(ctx context.Context, query string, args ...any) *Row
	// InTx runs fn in a transaction, or in a savepoint if there is a transaction, and commits it.
	// It rolls back if fn returns an error, panics or exits its goroutine.
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

// queryMax fetches at most max rows, or all of them if the Querier is a type of another package.
func queryMax(ctx context.Context, q Querier, max int, query string, args []any) (*Rows, error) {
	if q, ok := q.(interface {
		queryMax(ctx context.Context, max int, query string, args []any) (*Rows, error)
	}); ok {
		return q.queryMax(ctx, max, query, args)
	}
	return q.Query(ctx, query, args...)
}
