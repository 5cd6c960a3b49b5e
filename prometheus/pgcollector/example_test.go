package pgcollector_test

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/prometheus/pgcollector"
)

func Example() {
	conn, err := pg.Open("postgres://me@db.example/app")
	if err != nil {
		panic(err)
	}
	defer conn.Close(context.Background())
	prometheus.MustRegister(pgcollector.New(conn, "main")) // of repaint/prometheus/pgcollector
	// Output:
}
