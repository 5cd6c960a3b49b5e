// Service-worker works through a queue of jobs in PostgreSQL, over package pg.
//
//	DATABASE_URL=postgres://me@localhost/app go run ./examples/service-worker -workers 8
//	psql app -c "insert into jobs (kind, payload) values ('greet', '{\"name\": \"ada\"}')"
//
// A trigger notifies the workers of new jobs, so they needn't poll. Several programs may run at the
// same time: a worker takes a job with FOR UPDATE SKIP LOCKED, and does it in the transaction that
// takes it. If the program dies, its transaction ends, and another program gets the job. A job that
// fails is tried again, later each time, up to a limit.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log"
	"os"
	"os/signal"
	"syscall"

	"github.com/jackc/pgx/v5"
)

func main() {
	workers := flag.Int("workers", 4, "how many jobs may be under way at a time")
	flag.Parse()
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		log.Fatal("set DATABASE_URL, for example to postgres://me@localhost/app")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second signal ends the process at once
	if err := work(ctx, url, *workers, handlers); err != nil {
		log.Fatal(err)
	}
}

// handlers do the jobs of each kind. The rows that a handler writes in its transaction are there
// if, and only if, the job is done.
var handlers = map[string]handler{
	"greet": func(ctx context.Context, tx pgx.Tx, payload json.RawMessage) error {
		var who struct{ Name string }
		if err := json.Unmarshal(payload, &who); err != nil {
			return fmt.Errorf("greeting: %w", err)
		}
		if who.Name == "" {
			return errors.New("greeting: there must be a name")
		}
		log.Printf("hello, %s", who.Name)
		return nil
	},
}
