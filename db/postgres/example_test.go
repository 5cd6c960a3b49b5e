package postgres_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/pg"
)

// A thousand tasks share a few connections, and no task waits for another's round trip.
func Example() {
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		engine, err := db.Open(ctx, "postgres://user:password@localhost/app?pool_lanes=4")
		if err != nil {
			return err
		}
		defer engine.Close(ctx)
		group := repaint.NewGroup(ctx)
		for id := range 1000 {
			group.Go(func(ctx context.Context) error {
				name, err := db.Scalar[string](ctx, engine, "select name from users where id = :id", db.Named("id", id))
				if err == nil {
					fmt.Println(id, name)
				}
				return err
			})
		}
		return group.Wait()
	})
	if err != nil {
		log.Fatal(err)
	}
}

// Slices are arrays, and intervals are durations.
func Example_values() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "postgres://user:password@localhost/app")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	type song struct {
		Title  string
		Tags   []string
		Length time.Duration
	}
	songs, err := db.All[song](ctx, engine, "select title, tags, length from songs where tags && :tags and length < :most",
		db.Named("tags", []string{"jazz", "blues"}), db.Named("most", 5*time.Minute))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(songs)
}

// COPY, like everything else that only pgx's interface has, is part of a transaction just as its
// statements are.
func Example_copy() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "postgres://user:password@localhost/app")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	err = engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, "delete from prices"); err != nil {
			return err
		}
		return tx.Raw(ctx, func(ctx context.Context, conn any) error {
			prices := pgx.CopyFromRows([][]any{{"tea", 3}, {"coffee", 4}})
			_, err := conn.(pgx.Tx).CopyFrom(ctx, pgx.Identifier{"prices"}, []string{"name", "price"}, prices)
			return err
		})
	})
	if err != nil {
		log.Fatal(err)
	}
}

// Package pg listens on a connection, and makes a new one when that is lost.
func Example_listen() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "postgres://user:password@localhost/app")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	news, err := engine.Driver().(*pg.DB).Listen(ctx, "news")
	if err != nil {
		log.Fatal(err)
	}
	defer news.Close() // before the Engine
	for n, err := range news.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(n.Channel, n.Payload)
	}
}

// A Conn has a session of its own, including settings and temporary objects.
func Example_session() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "postgres://user:password@localhost/app")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	conn, err := engine.Connect(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close() // no other caller gets the connection with these settings
	if _, err := conn.Exec(ctx, "set work_mem = '256MB'"); err != nil {
		log.Fatal(err)
	}
	err = conn.Raw(ctx, func(ctx context.Context, conn any) error {
		_, err := conn.(*pg.Session).CopyTo(ctx, os.Stdout, "copy (select * from prices order by name) to stdout")
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A Dialect writes texts without a database.
func ExampleDialect() {
	u := db.Upsert{Table: "visits", Columns: []string{"page", "n"}, Key: []string{"page"}, Add: []string{"n"}}
	fmt.Println(db.UpsertText(postgres.Dialect{}, u))
	// Output: insert into "visits" ("page", "n") values (:page, :n) on conflict ("page") do update set "n" = "visits"."n" + excluded."n" <nil>
}
