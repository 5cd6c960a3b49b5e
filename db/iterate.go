package db

import (
	"iter"

	"github.com/seed1239206e/repaint/db/internal/scanning"
)

// Each returns an iterator over the rows that are left, each as a T, see [All]. It closes the rows when
// it ends, also if a break or a panic leaves the loop. It ends with the first error: of the query, if
// the rows are streamed, or of a row that doesn't fit a T.
//
//	for user, err := range db.Each[User](rows) {
//		if err != nil {
//			return err
//		}
//		…
//	}
func Each[T any](rows *Rows) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		defer rows.Close() // whatever ends the loop
		var none T
		scan, err := scanning.For[T](rows.call.columns())
		if err != nil {
			_ = rows.Close() // the first error says more
			yield(none, rows.call.scanned(err))
			return
		}
		for rows.Next() {
			row, err := rows.row("scan")
			var v T
			if err == nil {
				err = rows.call.scanned(scan(row, &v))
			}
			if err != nil {
				_ = rows.Close()
				yield(none, err)
				return
			}
			if !yield(v, nil) {
				return
			}
		}
		err = rows.Err()
		if e := rows.Close(); err == nil {
			err = e
		}
		if err != nil {
			yield(none, err)
		}
	}
}

// Partitions is [Each] with n rows at a time; the last part may have fewer. The caller may keep a
// part. An n below 1 is [ErrMisuse].
func Partitions[T any](rows *Rows, n int) iter.Seq2[[]T, error] {
	return func(yield func([]T, error) bool) {
		if n < 1 {
			_ = rows.Close()
			yield(nil, misuse("partitions", "a part needs at least 1 row, not %d", n))
			return
		}
		var part []T
		for v, err := range Each[T](rows) {
			if err != nil {
				yield(nil, err)
				return
			}
			if part = append(part, v); len(part) == n {
				if !yield(part, nil) {
					return
				}
				part = nil
			}
		}
		if part != nil {
			yield(part, nil)
		}
	}
}
