package db_test

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
)

// Outside of a loop, the calls run in goroutines, and Await blocks.
func ExampleAsyncEngine() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	inserted := engine.Async().Exec(ctx, "insert into users(name) values (:name)", db.Named("name", "ada"))
	result, err := repaint.Await(ctx, inserted)
	fmt.Println(result.RowsAffected(), err)
	// Output: 1 <nil>
}

func ExampleAsyncReader() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	var n int
	row, err := repaint.Await(ctx, engine.Reader().Async().QueryRow(ctx, "select count(*) from users"))
	if err == nil {
		err = row.Scan(&n)
	}
	fmt.Println(n, err)
	// Output: 0 <nil>
}

func ExampleAsyncConn() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	conn, err := repaint.Await(ctx, engine.Async().Connect(ctx))
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, err := repaint.Await(ctx, conn.Query(ctx, "select 6 * 7 as answer"))
	fmt.Println(rows.Columns(), err)
	_, err = repaint.Await(ctx, conn.Close(ctx))
	fmt.Println(err)
	// Output:
	// [answer] <nil>
	// <nil>
}

func ExampleAsyncTx() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	tx, err := repaint.Await(ctx, engine.Async().BeginTx(ctx))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = repaint.Await(ctx, tx.Exec(ctx, "insert into users(name) values ('ada')"))
	fmt.Println(err)
	_, err = repaint.Await(ctx, tx.Rollback(ctx))
	fmt.Println(err)
	fmt.Println(db.Scalar[int](ctx, engine, "select count(*) from users"))
	// Output:
	// <nil>
	// <nil>
	// 0 <nil>
}

func ExampleAsyncRows() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	err := repaint.Run(ctx, func(ctx context.Context) error {
		rows, err := repaint.Await(ctx, engine.Async().Stream(ctx, "select value from json_each('[1, 2]')"))
		if err != nil {
			return err
		}
		for {
			more, err := repaint.Await(ctx, rows.Next(ctx))
			if err != nil || !more {
				return err
			}
			var n int
			if err := rows.Sync().Scan(&n); err != nil {
				return err
			}
			fmt.Println(n)
		}
	})
	fmt.Println(err)
	// Output:
	// 1
	// 2
	// <nil>
}
