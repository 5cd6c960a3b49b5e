package db_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/seed1239206e/repaint/db"
)

func ExampleArgs() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	fmt.Println(db.Scalar[int](ctx, engine, "select :a + :more.b", db.Args{"a": 1, "more": db.Args{"b": 2}}))
	// Output: 3 <nil>
}

// A join fills structs in a struct.
func ExampleAll_join() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	if _, err := engine.Exec(ctx, `create table people(id integer primary key, name text);
		create table posts(id integer primary key, author int, editor int);
		insert into people values (1, 'ada'), (2, 'bob');
		insert into posts values (1, 1, 2), (2, 2, null)`); err != nil {
		log.Fatal(err)
	}
	type person struct {
		ID   int
		Name string
	}
	type post struct {
		ID     int
		Author person
		Editor *person
	}
	posts, err := db.All[post](ctx, engine, `select p.id, a.id as "author.id", a.name as "author.name", e.id as "editor.id", e.name as "editor.name"
		from posts p join people a on a.id = p.author left join people e on e.id = p.editor order by p.id`)
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range posts {
		fmt.Println(p.ID, p.Author.Name, p.Editor)
	}
	// Output:
	// 1 ada &{2 bob}
	// 2 bob <nil>
}

func ExampleMap() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	fmt.Println(db.Map[string, int](ctx, engine, "values ('one', 1), ('two', 2)"))
	// Output: map[one:1 two:2] <nil>
}

func ExampleExecOne() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	if _, err := engine.Exec(ctx, "create table t(id integer primary key)"); err != nil {
		log.Fatal(err)
	}
	err = db.ExecOne(ctx, engine, "delete from t where id = :id", db.Args{"id": 7})
	fmt.Println(errors.Is(err, db.ErrNoRows))
	// Output: true
}
