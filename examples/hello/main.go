package main

import (
	"context"
	"fmt"
	"log"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/sqlite"
)

// visit is blue: plain sequential code that doesn't say where it runs.
func visit(ctx context.Context, q db.Querier, name string) (int, error) {
	id, err := db.Scalar[int](ctx, q, `insert into visit (name) values (:name) returning id`, db.Named("name", name))
	if err != nil {
		return 0, err
	}
	return db.Scalar[int](ctx, q, `select count(*) from visit where id <= :id`, db.Named("id", id))
}

func main() {
	ctx := context.Background()
	engine, err := db.Open(ctx, "sqlite://")
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close(ctx)
	if _, err := engine.Exec(ctx, `create table visit (id integer primary key, name text)`); err != nil {
		log.Fatal(err)
	}

	// Blocking, in this goroutine, as usual.
	n, err := visit(ctx, engine, "Ada")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("visitor", n)

	// The same function, repainted: a thousand greenlets in one event loop.
	err = repaint.Run(ctx, func(ctx context.Context) error {
		tasks := make([]*repaint.Task[int], 1000)
		for i := range tasks {
			tasks[i] = repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				return visit(ctx, engine, fmt.Sprint("Ada's friend ", i))
			})
		}
		for _, task := range tasks {
			if n, err = repaint.Await(ctx, task); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("visitor", n)
}
