package db_test

import (
	"context"
	"fmt"
	"log"

	"github.com/seed1239206e/repaint/db"
)

func ExampleExecUpsert() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	if _, err := engine.Exec(ctx, "create table visits(page text primary key, n integer not null, last text not null)"); err != nil {
		log.Fatal(err)
	}
	type visit struct {
		Page string
		N    int
		Last string
	}
	u := db.Upsert{
		Table:   "visits",
		Columns: []string{"page", "n", "last"},
		Key:     []string{"page"},
		Update:  []string{"last"},
		Add:     []string{"n"},
	}
	for _, visits := range [][]visit{{{"/", 1, "ada"}}, {{"/", 2, "bob"}, {"/help", 1, "bob"}}} {
		if _, err := db.ExecUpsert(ctx, engine, u, visits); err != nil {
			log.Fatal(err)
		}
	}
	all, err := db.All[visit](ctx, engine, "select * from visits order by page")
	fmt.Println(all, err)
	text, err := db.UpsertText(engine.Dialect(), u)
	fmt.Println(text, err)
	// Output:
	// [{/ 3 bob} {/help 1 bob}] <nil>
	// insert into "visits" ("page", "n", "last") values (:page, :n, :last) on conflict ("page") do update set "last" = excluded."last", "n" = "visits"."n" + excluded."n" <nil>
}

func ExampleEngine_SQL() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	sqlDB := engine.SQL() // for GORM, sqlx, bun, …
	if _, err := sqlDB.ExecContext(ctx, "create table t(v text)"); err != nil {
		log.Fatal(err)
	}
	if _, err := sqlDB.ExecContext(ctx, "insert into t values (?)", "written through database/sql"); err != nil {
		log.Fatal(err)
	}
	fmt.Println(db.Scalar[string](ctx, engine, "select v from t"))
	// Output: written through database/sql <nil>
}
