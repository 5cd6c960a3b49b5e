// Service-http is a small web service with users, posts and comments in PostgreSQL, over package
// pg.
//
//	DATABASE_URL=postgres://me@localhost/app go run ./examples/service-http -addr localhost:8080
//
//	POST /users                {"name": "ada"}
//	POST /users/{id}/posts     {"title": "On engines", "text": "…"}
//	POST /posts/{id}/comments  {"user_id": 2, "text": "Indeed."}
//	GET  /posts                the newest posts, with authors and comments
//	GET  /posts/{id}
//	GET  /healthz
//
// Each request has a goroutine, as always with net/http. A request that reads many things reads
// each in a task of a loop of its own. So the code reads one thing after another, and a Loader
// joins the tasks' queries into one statement.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/seed1239206e/repaint/pg"
)

func main() {
	addr := flag.String("addr", "localhost:8080", "the address to listen on")
	flag.Parse()
	url := os.Getenv("DATABASE_URL")
	if url == "" {
		log.Fatal("set DATABASE_URL, for example to postgres://me@localhost/app")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // so that a second signal ends the process at once
	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	if err := serve(ctx, l, url); err != nil {
		log.Fatal(err)
	}
}

// shutdownLimit is how long running requests and statements may go on when the service ends.
const shutdownLimit = 10 * time.Second

// serve runs the service until the context ends. Then it accepts no more requests, waits for the
// running ones, and closes the database.
func serve(ctx context.Context, l net.Listener, url string) (err error) {
	db, err := pg.Open(url)
	if err != nil {
		l.Close()
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.Background(), shutdownLimit)
		defer cancel()
		err = errors.Join(err, db.Close(closing))
	}()
	s := &store{db}
	if err := s.migrate(ctx); err != nil {
		l.Close()
		return fmt.Errorf("preparing the database: %w", err)
	}
	server := &http.Server{Handler: handler(s), ReadHeaderTimeout: 5 * time.Second}
	log.Printf("serving on http://%s", l.Addr())
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), shutdownLimit)
	defer cancel()
	if err := server.Shutdown(ending); err != nil {
		return errors.Join(err, server.Close())
	}
	return nil
}
