package db_test

import (
	"context"
	"fmt"

	"github.com/seed1239206e/repaint/db"
)

func ExampleJSON() {
	ctx := context.Background()
	engine := newEngine(ctx)
	defer engine.Close(ctx)
	type settings struct {
		Theme string
		Tags  []string
	}
	engine.Exec(ctx, "create table profiles (name text, settings json)")
	engine.Exec(ctx, "insert into profiles values ('ada', :s), ('grace', null)",
		db.Named("s", db.JSON[settings]{V: settings{"dark", []string{"math"}}}))

	ada, err := db.Scalar[db.JSON[settings]](ctx, engine, "select settings from profiles where name = 'ada'")
	fmt.Println(ada.V.Theme, ada.V.Tags, err)

	// NULL is a nil pointer.
	grace, err := db.Scalar[db.JSON[*settings]](ctx, engine, "select settings from profiles where name = 'grace'")
	fmt.Println(grace.V, err)

	// A column of JSON fills plain structs and maps, too.
	type profile struct {
		Name     string
		Settings map[string]any
	}
	all, err := db.All[profile](ctx, engine, "select * from profiles order by name")
	fmt.Println(all[0].Settings["Theme"], all[1].Settings == nil, err)
	// Output:
	// dark [math] <nil>
	// <nil> <nil>
	// dark true <nil>
}
