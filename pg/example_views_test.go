package pg_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/pg"
)

// A function that takes an Async leaves it to its caller when to wait.
func ExampleAsync() {
	count := func(ctx context.Context, red pg.Async) *loop.Future[pgx.Row] {
		return red.QueryRow(ctx, "select count(*) from generate_series(1, 10)")
	}
	withDB(func(ctx context.Context, db *pg.DB) error {
		return repaint.Run(ctx, func(ctx context.Context) error {
			counting := count(ctx, db.Async())
			// Other work comes here.
			row, err := repaint.Await(ctx, counting)
			if err != nil {
				return err
			}
			var n int
			err = row.Scan(&n)
			fmt.Println(n)
			return err
		})
	})
	// Prints: 10
}

// The server refuses what writes. An AsyncReader's futures say so.
func ExampleAsyncReader() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		return repaint.Run(ctx, func(ctx context.Context) error {
			red := db.Reader().Async()
			read, written := red.Exec(ctx, "select 1"), red.Exec(ctx, "create table t (id int)")
			tag, err := repaint.Await(ctx, read)
			fmt.Println(tag, err)
			_, err = repaint.Await(ctx, written)
			fmt.Println(err != nil)
			return nil
		})
	})
	// Prints: SELECT 1 <nil>
	// true
}

// A Reader takes the place of a DB in code that only reads, such as pgx's functions for rows.
func ExampleReader() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		reader := db.Reader()
		rows, err := reader.Query(ctx, "select name from (values ('ada'), ('grace')) as users (name)")
		if err != nil {
			return err
		}
		names, err := pgx.CollectRows(rows, pgx.RowTo[string])
		fmt.Println(names)
		return err
	})
	// Prints: [ada grace]
}

// Between two fetches the transaction can run other statements.
func ExampleCursor() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		tx, err := db.NewTx(ctx, pgx.TxOptions{})
		if err != nil {
			return err
		}
		defer tx.Rollback(ctx)
		c, err := tx.Cursor(ctx, "select generate_series(1, 1000000)")
		if err != nil {
			return err
		}
		rows, err := c.Fetch(ctx, 3)
		if err != nil {
			return err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int])
		if err != nil {
			return err
		}
		var sum int
		err = tx.QueryRow(ctx, "select sum(id) from unnest($1::int[]) id", ids).Scan(&sum)
		fmt.Println(ids, sum)
		return errors.Join(err, c.Close(ctx)) // the other rows aren't computed
	})
	// Prints: [1 2 3] 6
}

// A listener wakes for a Notification, and reads everything again after one that says Missed.
func ExampleNotification() {
	handle := func(n pg.Notification) {
		if n.Missed {
			fmt.Println("read everything again")
			return
		}
		fmt.Println("read", n.Payload, "of", n.Channel)
	}
	handle(pg.Notification{Channel: "orders", Payload: "42", PID: 4711})
	handle(pg.Notification{Missed: true})
	// Output:
	// read 42 of orders
	// read everything again
}

// A Holder says where a session was acquired that is missed now.
func ExampleHolder() {
	withDB(func(ctx context.Context, db *pg.DB) error {
		config := *db.Config()
		config.Sessions = 1
		small, err := pg.OpenConfig(&config)
		if err != nil {
			return err
		}
		defer small.Close(ctx)
		s, err := small.Acquire(ctx)
		if err != nil {
			return err
		}
		defer s.Release()
		soon, cancel := context.WithTimeout(ctx, time.Millisecond)
		defer cancel()
		_, err = small.Acquire(soon)
		var exhausted *pg.ExhaustedError
		if errors.As(err, &exhausted) {
			for _, h := range exhausted.Holders {
				file, _, _ := strings.Cut(filepath.Base(h.Place), ":")
				fmt.Println(file, !h.Since.IsZero())
			}
		}
		return nil
	})
	// Prints: example_views_test.go true
}
