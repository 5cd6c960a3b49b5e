package db_test

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint/db"
)

func ExampleEngine_Stream() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	engine.Exec(ctx, "insert into users(name) values ('ada'), ('grace'), ('barbara')")

	rows, err := engine.Stream(ctx, "select name from users order by id")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(name)
	}
	fmt.Println(rows.Err())
	// Output:
	// ada
	// grace
	// barbara
	// <nil>
}

func ExampleEach() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	engine.Exec(ctx, "insert into users(name) values ('ada'), ('grace')")
	rows, err := engine.Query(ctx, "select id, name from users order by id")
	if err != nil {
		fmt.Println(err)
		return
	}
	type user struct {
		ID   int
		Name string
	}
	for u, err := range db.Each[user](rows) {
		fmt.Println(u.ID, u.Name, err)
	}
	// Output:
	// 1 ada <nil>
	// 2 grace <nil>
}

func ExamplePartitions() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	engine.Exec(ctx, "insert into users(name) values ('ada'), ('grace'), ('barbara')")
	rows, err := engine.Query(ctx, "select name from users order by id")
	if err != nil {
		fmt.Println(err)
		return
	}
	for names, err := range db.Partitions[string](rows, 2) {
		fmt.Println(names, err)
	}
	// Output:
	// [ada grace] <nil>
	// [barbara] <nil>
}

func ExampleFirst() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	engine.Exec(ctx, "insert into users(name) values ('ada'), ('grace')")
	name, err := db.First[string](ctx, engine, "select name from users order by name desc")
	fmt.Println(name, err)
	// Output: grace <nil>
}

func ExampleGet() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	rows, _ := engine.Query(ctx, "select 'ada' as name, 36 as age")
	for rows.Next() {
		age, err := db.Get[int](rows, "age")
		fmt.Println(age, err)
	}
	// Output: 36 <nil>
}
