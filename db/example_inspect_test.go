package db_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed1239206e/repaint/db"
)

func ExampleInspect() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	for _, text := range []string{
		"create table authors(id integer primary key, name varchar(50) not null unique)",
		"create table books(id integer primary key, title text default '?', author integer not null references authors(id) on delete cascade)",
		"create index by_title on books(lower(title)) where author > 0",
	} {
		if _, err := engine.Exec(ctx, text); err != nil {
			log.Fatal(err)
		}
	}
	tables, err := db.Inspect(engine).All(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	for _, t := range tables {
		fmt.Println(t.Name, t.PrimaryKey.Columns)
		for _, c := range t.Columns {
			fmt.Printf("  column %s %s %v %q\n", c.Name, c.Type, c.Nullable, c.Default)
		}
		for _, f := range t.ForeignKeys {
			fmt.Println("  foreign key", f.Columns, f.RefTable, f.RefColumns, f.OnDelete)
		}
		for _, k := range t.Unique {
			fmt.Println("  unique", k.Columns)
		}
		for _, i := range t.Indexes {
			if !i.Constraint {
				fmt.Println("  index", i.Name, i.Parts[0].Expression, i.Where)
			}
		}
	}
	// Output:
	// authors [id]
	//   column id INTEGER false ""
	//   column name varchar(50) false ""
	//   unique [name]
	// books [id]
	//   column id INTEGER false ""
	//   column title TEXT true "'?'"
	//   column author INTEGER false ""
	//   foreign key [author] authors [id] CASCADE
	//   index by_title lower(title) author > 0
}
