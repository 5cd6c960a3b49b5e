package db_test

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint/db"
)

func ExampleExecMany() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	type user struct{ Name string }
	result, err := db.ExecMany(ctx, engine, "insert into users(name) values (:name)", []user{{"ada"}, {"grace"}, {"barbara"}})
	fmt.Println(result.RowsAffected(), err)
	// Output: 3 <nil>
}

func ExampleQueryMany() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	rows := []map[string]any{{"name": "ada"}, {"name": "grace"}}
	ids, err := db.QueryMany[int](ctx, engine, "insert into users(name) values (:name) returning id", rows)
	fmt.Println(ids, err)
	// Output: [1 2] <nil>
}
