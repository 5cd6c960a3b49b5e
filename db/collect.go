package db

import (
	"context"

	"github.com/seed1239206e/repaint/db/internal/scanning"
)

// Querier is what Engine, Conn and Tx have in common. A function that takes one
// can be called with any of them: alone, on a connection, or as part of its
// caller's transaction. Rows of a Querier are buffered.
type Querier interface {
	// Exec runs a statement, or a script without parameters, that returns no rows.
	Exec(ctx context.Context, query string, args ...any) (Result, error)
	// Query runs a statement and returns all its rows.
	Query(ctx context.Context, query string, args ...any) (*Rows, error)
	// QueryRow runs a statement for its first row. Errors come from Row.Scan.
	QueryRow(ctx context.Context, query string, args ...any) *Row
	// Begin runs fn in a transaction, or in a savepoint where there is a
	// transaction, and commits it; it rolls back if fn returns an error,
	// panics or exits its goroutine.
	Begin(ctx context.Context, fn func(ctx context.Context, tx *Tx) error, opts ...TxOption) error
}

var (
	_ Querier = (*Engine)(nil)
	_ Querier = (*Conn)(nil)
	_ Querier = (*Tx)(nil)
)

// All returns every row of a query as a T. If T is a struct, or a pointer to
// one, the columns go to its fields by name; otherwise there must be one column.
func All[T any](ctx context.Context, q Querier, query string, args ...any) ([]T, error) {
	rows, err := queryMax(ctx, q, 0, query, args)
	if err != nil {
		return nil, err
	}
	scan, err := scanning.For[T](rows.call.columns())
	if err != nil {
		return nil, rows.call.scanned(err)
	}
	all := make([]T, rows.call.Count())
	for i := range all {
		rows.Next()
		row, _ := rows.row("scan")
		if err := scan(row, &all[i]); err != nil {
			return nil, rows.call.scanned(err)
		}
	}
	return all, nil
}

// One returns the only row of a query as a T, see [All]. It returns ErrNoRows or
// ErrMultipleRows if there isn't exactly one. What an UPDATE … RETURNING has changed
// by then stays changed, outside of a transaction that is rolled back.
func One[T any](ctx context.Context, q Querier, query string, args ...any) (T, error) {
	var v T
	rows, err := queryMax(ctx, q, 2, query, args)
	if err != nil {
		return v, err
	}
	err = rows.one(func() error {
		scan, err := scanning.For[T](rows.call.columns())
		if err != nil {
			return err
		}
		return scan(rows.call.Values[:len(rows.call.Columns)], &v)
	})
	return v, err
}

// Scalar returns the only value of a query: one row of one column. It returns
// ErrNoRows or ErrMultipleRows if there isn't exactly one row; for statements that
// change something see [One].
func Scalar[T any](ctx context.Context, q Querier, query string, args ...any) (T, error) {
	var v T
	rows, err := queryMax(ctx, q, 2, query, args)
	if err != nil {
		return v, err
	}
	err = rows.one(func() error {
		columns := rows.call.columns()
		if err := columns.One("Scalar"); err != nil {
			return err
		}
		return columns.Row(rows.call.Values, []any{&v})
	})
	return v, err
}

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

// one calls scan if there is exactly one row.
func (r *Rows) one(scan func() error) error {
	switch n := r.call.Count(); {
	case n == 0:
		return noRows(&r.call)
	case n > 1:
		return r.call.explain(&Error{Op: "query", Fault: Fault{Condition: ErrMultipleRows,
			Hint: "use All, or QueryRow for the first one only"}})
	}
	return r.call.scanned(scan())
}
