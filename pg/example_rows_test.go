package pg_test

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint/pg"
)

// Rows are in memory when Query returns, so they may be left unread.
func ExampleRows() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		rows, err := db.Query(ctx, "select n, n * n from generate_series(1, 3) n")
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var n, square int
			if err := rows.Scan(&n, &square); err != nil {
				return err
			}
			fmt.Println(n, square)
		}
		return rows.Err()
	})
	// Prints: 1 1
	// 2 4
	// 3 9
}

// The difference of two readings of the figures says what happened in between.
func ExampleStats() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		before := db.Stats()
		for range 3 {
			if _, err := db.Exec(ctx, "select 1"); err != nil {
				return err
			}
		}
		after := db.Stats()
		fmt.Println(after.Statements-before.Statements, "statements,", after.Queued, "wait")
		return nil
	})
	// Prints: 3 statements, 0 wait
}
