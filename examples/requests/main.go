// Requests runs one blue function, which inserts a value into a database and selects it back: a
// hundred times one after another, then in a thousand tasks at once.
package main

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/mysql"
	_ "github.com/seed1239206e/repaint/db/postgres"
	_ "github.com/seed1239206e/repaint/db/sqlite"
)

func main() {
	url := flag.String("url", "sqlite://", "the database, such as postgres://user:password@host/name")
	flag.Parse()
	err := repaint.Run(context.Background(), func(ctx context.Context) error {
		return requests(ctx, os.Stdout, *url, 100, 1000)
	})
	if err != nil {
		log.Fatal(err)
	}
}

// keyOf maps each dialect to the definition of a column whose values the database generates.
var keyOf = map[string]string{
	"sqlite":     "integer primary key",
	"mysql":      "bigint auto_increment primary key",
	"mariadb":    "bigint auto_increment primary key",
	"postgres":   "bigint generated always as identity primary key",
	"postgresql": "bigint generated always as identity primary key",
}

// addAndSelect is blue: nothing in it says that it runs in an event loop.
func addAndSelect(ctx context.Context, conn db.Querier, data string) error {
	id, err := db.Scalar[int64](ctx, conn, "insert into record (data) values (:data) returning id", db.Named("data", data))
	if err != nil {
		return err
	}
	got, err := db.Scalar[string](ctx, conn, "select data from record where id = :id", db.Named("id", id))
	if err != nil {
		return err
	}
	if got != data {
		return fmt.Errorf("record %d: inserted %q, selected %q", id, data, got)
	}
	return nil
}

// requests is red: it spawns blue functions and awaits them.
func requests(ctx context.Context, w io.Writer, url string, oneByOne, atOnce int) error {
	engine, err := db.Open(ctx, url)
	if err != nil {
		return err
	}
	defer engine.Close(context.WithoutCancel(ctx))
	if _, err := engine.Exec(ctx, "create table record (id "+keyOf[engine.Dialect().Name()]+", data varchar(64) not null)"); err != nil {
		return err
	}
	defer engine.Exec(context.WithoutCancel(ctx), "drop table record")

	// Each task checks out a connection of its own. If there are fewer connections than tasks,
	// tasks wait.
	request := func(ctx context.Context) (string, error) {
		conn, err := engine.Connect(ctx)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		data := rand.Text()
		return data, addAndSelect(ctx, conn, data)
	}

	for range oneByOne {
		if _, err := repaint.Await(ctx, repaint.Spawn(ctx, request)); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%d requests one after another: all correct\n", oneByOne)

	tasks := make([]*repaint.Task[string], atOnce)
	for i := range tasks {
		tasks[i] = repaint.Spawn(ctx, request)
	}
	for _, task := range tasks {
		if _, err := repaint.Await(ctx, task); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "%d tasks at once: all correct, up to %d of them waiting\n", atOnce, repaint.CurrentStats().MaxWaiting)

	rows, err := db.Scalar[int](ctx, engine, "select count(distinct data) from record")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d values in the table\n", rows)
	return nil
}
