package db_test

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint/db"
)

func Example_inList() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	engine.Exec(ctx, "insert into users(name) values ('ada'), ('grace'), ('barbara')")

	const query = "select name from users where id in (:ids) order by id"
	for _, ids := range [][]int{{1, 3}, {}} {
		names, err := db.All[string](ctx, engine, query, db.Named("ids", ids))
		fmt.Println(names, err)
	}
	// Output:
	// [ada barbara] <nil>
	// [] <nil>
}
