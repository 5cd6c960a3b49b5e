package db_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed1239206e/repaint/db"
)

// shop opens a database in memory with tables to inspect.
func shop(ctx context.Context) *db.Engine {
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	for _, text := range []string{
		"create table customers (id integer primary key, mail varchar(80) not null, nick text, constraint one_mail unique (mail))",
		`create table orders (
			customer integer not null, number integer not null, cents integer not null default 0, euros real as (cents / 100.0) stored,
			constraint pk primary key (customer, number),
			constraint buyer foreign key (customer) references customers (id) on delete cascade,
			constraint positive check (cents >= 0))`,
		"create index expensive on orders (cents desc, number) where cents > 10000",
		"create view sums as select customer, sum(cents) cents from orders group by customer",
	} {
		if _, err := engine.Exec(ctx, text); err != nil {
			log.Fatal(err)
		}
	}
	return engine
}

// orders describes one of the tables.
func orders(ctx context.Context, engine *db.Engine) *db.Table {
	table, err := db.Inspect(engine).Table(ctx, "", "orders")
	if err != nil {
		log.Fatal(err)
	}
	return table
}

func ExampleInspector() {
	ctx := context.Background()
	engine := shop(ctx)
	defer engine.Close(ctx)
	inspector := db.Inspect(engine)

	schema, err := inspector.DefaultSchema(ctx)
	if err != nil {
		log.Fatal(err)
	}
	tables, err := inspector.Tables(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(schema, tables)

	_, err = inspector.Table(ctx, "", "order")
	fmt.Println(err)
	// Output:
	// main [customers orders]
	// db: inspect: there is no table or view "order" in the schema "main"
}

func ExampleTable() {
	ctx := context.Background()
	engine := shop(ctx)
	defer engine.Close(ctx)
	table := orders(ctx, engine)
	fmt.Println(table.Schema, table.Name, len(table.Columns), len(table.ForeignKeys), len(table.Checks), len(table.Indexes))
	fmt.Println(table.Column("cents").Type, table.Column("no such column") == nil)
	// Output:
	// main orders 4 1 1 1
	// INTEGER true
}

func ExampleTableColumn() {
	ctx := context.Background()
	engine := shop(ctx)
	defer engine.Close(ctx)
	for _, c := range orders(ctx, engine).Columns {
		fmt.Printf("%s %s nullable=%v default=%q generated=%q stored=%v\n", c.Name, c.Type, c.Nullable, c.Default, c.Generated, c.Stored)
	}
	// Output:
	// customer INTEGER nullable=false default="" generated="" stored=false
	// number INTEGER nullable=false default="" generated="" stored=false
	// cents INTEGER nullable=false default="0" generated="" stored=false
	// euros REAL nullable=true default="" generated="cents / 100.0" stored=true
}

func ExampleKey() {
	ctx := context.Background()
	engine := shop(ctx)
	defer engine.Close(ctx)
	if key := orders(ctx, engine).PrimaryKey; key != nil { // nil means that the table has none
		fmt.Println(key.Name, key.Columns)
	}
	customers, err := db.Inspect(engine).Table(ctx, "", "customers")
	if err != nil {
		log.Fatal(err)
	}
	for _, key := range customers.Unique {
		fmt.Println(key.Name, key.Columns)
	}
	// Output:
	// pk [customer number]
	// one_mail [mail]
}

func ExampleForeignKey() {
	ctx := context.Background()
	engine := shop(ctx)
	defer engine.Close(ctx)
	for _, f := range orders(ctx, engine).ForeignKeys {
		for i, column := range f.Columns {
			fmt.Printf("%s: %s refers to %s.%s, on delete %s\n", f.Name, column, f.RefTable, f.RefColumns[i], f.OnDelete)
		}
	}
	// Output:
	// buyer: customer refers to customers.id, on delete CASCADE
}

func ExampleCheck() {
	ctx := context.Background()
	engine := shop(ctx)
	defer engine.Close(ctx)
	for _, c := range orders(ctx, engine).Checks {
		fmt.Println(c.Name, c.Expression)
	}
	// Output:
	// positive cents >= 0
}

func ExampleIndex() {
	ctx := context.Background()
	engine := shop(ctx)
	defer engine.Close(ctx)
	for _, i := range orders(ctx, engine).Indexes {
		fmt.Println(i.Name, i.Unique, i.Where)
	}
	// Output:
	// expensive false cents > 10000
}

func ExampleIndexPart() {
	ctx := context.Background()
	engine := shop(ctx)
	defer engine.Close(ctx)
	for _, part := range orders(ctx, engine).Indexes[0].Parts {
		fmt.Println(part.Column, part.Desc) // or part.Expression, if the part isn't a column
	}
	// Output:
	// cents true
	// number false
}

func ExampleView() {
	ctx := context.Background()
	engine := shop(ctx)
	defer engine.Close(ctx)
	views, err := db.Inspect(engine).Views(ctx, "")
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range views {
		fmt.Println(v.Name, v.Materialized, v.Definition)
	}
	// Output:
	// sums false select customer, sum(cents) cents from orders group by customer
}
