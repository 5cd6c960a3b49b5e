package db

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint/db/internal/scanning"
)

// All returns every row of a query as a T. If T is a struct, or a pointer to one, the columns go to
// its fields by name; otherwise there must be one column. A value that doesn't fit is [ErrScan]. All
// fetches every row into memory; use Stream and [Each] for a large result.
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

// One returns the only row of a query as a T, see [All]. It returns [ErrNoRows] or
// [ErrMultipleRows] if there isn't exactly one row. That doesn't undo the changes of an UPDATE …
// RETURNING; only rolling back its transaction does.
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

// Scalar returns the only value of a query: one row of one column. It returns [ErrNoRows] or
// [ErrMultipleRows] if there isn't exactly one row, see [One], and [ErrScan] if there isn't exactly
// one column.
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

// one calls scan for the only row, or returns ErrNoRows or ErrMultipleRows.
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

// First returns the first row of a query as a T, see [All], or [ErrNoRows]. It ignores further rows.
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

// Map returns the rows of a query, which must have two columns, as a map from the first column to the
// second. Two rows with the same first value are [ErrMultipleRows].
func Map[K comparable, V any](ctx context.Context, q Querier, query string, args ...any) (map[K]V, error) {
	rows, err := queryMax(ctx, q, 0, query, args)
	if err != nil {
		return nil, err
	}
	columns := rows.call.columns()
	if n := len(columns.All); n != 2 {
		return nil, rows.call.scanned(fmt.Errorf("the row has %d columns (%s), but Map needs two", n, columns.Names()))
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

// ExecOne runs a statement that changes one row. It returns [ErrNoRows] if the statement has changed
// none, and [ErrMultipleRows] if it has changed several. That doesn't undo the changes; only rolling
// back the transaction does. A row that an UPDATE leaves with the same values counts as changed.
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
