// Service-gorm is the web service of examples/service-http on GORM: users, posts and comments in
// PostgreSQL.
//
//	DATABASE_URL=postgres://me@localhost/app go run ./service-gorm -addr localhost:8080
//
// Only the function open knows of repaint. The rest is the same with any other driver. The requests
// share a few connections.
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

	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
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

// open opens GORM on repaint.
func open(url string) (db *gorm.DB, closeAll func() error, err error) {
	under, err := pg.Open(url)
	if err != nil {
		return nil, nil, err
	}
	pool := stdlib.OpenDB(under)
	closeAll = func() error {
		ctx, cancel := context.WithTimeout(context.Background(), shutdownLimit)
		defer cancel()
		return errors.Join(pool.Close(), under.Close(ctx))
	}
	db, err = gorm.Open(postgres.New(postgres.Config{Conn: pool}), &gorm.Config{TranslateError: true, Logger: logger.Discard})
	if err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return db, closeAll, nil
}

// serve runs the service until the context ends. Then it accepts no more requests, waits for the
// running ones, and closes the database.
func serve(ctx context.Context, l net.Listener, url string) (err error) {
	defer l.Close()
	db, closeAll, err := open(url)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	if err := migrate(ctx, db); err != nil {
		return fmt.Errorf("preparing the database: %w", err)
	}
	server := &http.Server{Handler: handler(db), ReadHeaderTimeout: 5 * time.Second}
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
