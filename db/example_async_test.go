package db_test

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
)

func ExampleEngine_Async() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	err := repaint.Run(ctx, func(ctx context.Context) error {
		red := engine.Async()
		one := red.Exec(ctx, "insert into users(name) values ('ada')")
		two := red.Exec(ctx, "insert into users(name) values ('grace')")
		if _, err := repaint.Await(ctx, one); err != nil {
			return err
		}
		result, err := repaint.Await(ctx, two)
		fmt.Println(result.RowsAffected())
		return err
	})
	fmt.Println(err)
	// Output:
	// 1
	// <nil>
}

func ExampleRunSync() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	err := repaint.Run(ctx, func(ctx context.Context) error {
		count := db.RunSync(ctx, engine.Async(), func(ctx context.Context, conn *db.Conn) (int, error) {
			return db.Scalar[int](ctx, conn, "select count(*) from users") // blue code, which blocks
		})
		n, err := repaint.Await(ctx, count)
		fmt.Println(n)
		return err
	})
	fmt.Println(err)
	// Output:
	// 0
	// <nil>
}
