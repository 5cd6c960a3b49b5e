package pgcollector_test

import (
	"context"
	"fmt"

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

// A DB and its Reader are Sources; each has the name of a pool of its own.
func ExampleSource() {
	conn, err := pg.Open("postgres://me@db.example/app")
	if err != nil {
		panic(err)
	}
	defer conn.Close(context.Background())
	registry := prometheus.NewRegistry()
	for pool, of := range map[string]pgcollector.Source{"main": conn, "reads": conn.Reader()} {
		registry.MustRegister(pgcollector.New(of, pool))
	}
	figures, err := registry.Gather()
	fmt.Println(len(figures) > 0, err)
	// Output: true <nil>
}
