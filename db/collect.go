package db

import (
	"context"
	"fmt"

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

// Map returns the rows of a query, which have two columns, as a map from the first to the second. Two
// rows with the same first value are ErrMultipleRows.
func Map[K comparable, V any](ctx context.Context, q Querier, query string, args ...any) (map[K]V, error) {
	rows, err := queryMax(ctx, q, 0, query, args)
	if err != nil {
		return nil, err
	}
	columns := rows.call.columns()
	if n := len(columns.All); n != 2 {
		return nil, rows.call.scanned(fmt.Errorf("the row has %d columns (%s), Map takes two", n, columns.Names()))
	}
	all := make(map[K]V, rows.call.Count())
	for rows.Next() {
		var key K
		var value V
		if err := rows.Scan(&key, &value); err != nil {
			return nil, err
		}
		if _, twice := all[key]; twice {
			return nil, rows.call.explain(&Error{Op: "query", Fault: Fault{Condition: ErrMultipleRows,
				Hint: fmt.Sprintf("column %q isn't unique; use All", columns.All[0].Name)}})
		}
		all[key] = value
	}
	return all, rows.Err()
}

// ExecOne runs a statement that changes one row. It returns ErrNoRows if it has changed none, and
// ErrMultipleRows if it has changed more: these stay changed, outside of a transaction that is rolled
// back. A row counts that an UPDATE has left with the values that it had.
func ExecOne(ctx context.Context, q Querier, query string, args ...any) error {
	result, err := q.Exec(ctx, query, args...)
	if err != nil {
		return err
	}
	var wrong error
	switch n := result.RowsAffected(); {
	case n == 0:
		wrong = ErrNoRows
	case n > 1:
		wrong = ErrMultipleRows
	default:
		return nil
	}
	return &Error{Op: "exec", Statement: query, Fault: Fault{Condition: wrong}}
}
