package postgres_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/postgres"
)

// A thousand tasks share a few connections, and none waits for another's round trip.
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
