package db

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint/db/internal/scanning"
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

// First returns the first row of a query as a T, see [All], or ErrNoRows. Further
// rows it ignores.
func First[T any](ctx context.Context, q Querier, query string, args ...any) (T, error) {
	var v T
	rows, err := queryMax(ctx, q, 1, query, args)
	if err != nil {
		return v, err
	}
	defer rows.Close()
	if !rows.Next() {
		return v, noRows(&rows.call)
	}
	scan, err := scanning.For[T](rows.call.columns())
	if err == nil {
		row, _ := rows.row("scan")
		err = scan(row, &v)
	}
	return v, rows.call.scanned(err)
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
