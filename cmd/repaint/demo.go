package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
)

func demoCommand(stdout, stderr io.Writer) *cli.Command {
	d := &demo{out: stdout, errOut: stderr}
	return &cli.Command{
		Name:  "demo",
		Usage: "insert and select, blocking on goroutines and as greenlets in one loop",
		Description: "Each request runs one function of plain sequential code: it inserts a random value, gets\n" +
			"the new row's id, selects the value back and compares. First all requests run blocking,\n" +
			"on goroutines. Then the same function runs for each again, in greenlets of one event loop.\n" +
			"A request is correct if the right value came back both times.\n\n" +
			"The demo makes a table of its own and drops it at the end.",
		Flags: []cli.Flag{
			&cli.StringFlag{
				Name:        "url",
				Usage:       "the `DATABASE`, such as sqlite:///file.db, sqlite:// for one in memory, postgres://user:password@host/name or mysql://user:password@host/name",
				DefaultText: "an SQLite file in a temporary directory",
				Destination: &d.url,
			},
			&cli.IntFlag{
				Name:        "requests",
				Usage:       "run `N` requests in each colour",
				Value:       1000,
				Destination: &d.requests,
			},
			&cli.IntFlag{
				Name:        "tasks",
				Usage:       "share the requests among `N` goroutines, and then among `N` greenlets",
				DefaultText: "one for each request",
				Destination: &d.tasks,
			},
		},
		OnUsageError: usageError,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return &usage{fmt.Errorf("demo takes no arguments, but got %q; see repaint demo --help", cmd.Args().First())}
			}
			if !cmd.IsSet("tasks") {
				d.tasks = d.requests
			}
			if d.requests < 1 || d.tasks < 1 {
				return &usage{errors.New("--requests and --tasks must be at least 1")}
			}
			return d.run(ctx)
		},
	}
}

// A demo runs the same requests in both colours.
type demo struct {
	out, errOut io.Writer
	url         string
	requests    int
	tasks       int

	engine *db.Engine
	table  string
	// request is the function that the demo shows. Tests replace it.
	request func(ctx context.Context, q db.Querier, table, data string) error
}

func (d *demo) run(ctx context.Context) (err error) {
	if d.request == nil {
		d.request = addAndSelect
	}
	url := d.url
	if url == "" {
		dir, err := os.MkdirTemp("", "repaint-demo-")
		if err != nil {
			return fmt.Errorf("make a temporary directory for the database: %w", err)
		}
		defer os.RemoveAll(dir)
		url = "sqlite:///" + filepath.ToSlash(filepath.Join(dir, "demo.db"))
	}
	if d.engine, err = db.Open(ctx, url); err != nil {
		return err
	}
	// The clean-up must also work after Ctrl-C, but not last forever.
	cleanUp, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer func() {
		time.AfterFunc(10*time.Second, cancel)
		if e := d.engine.Close(cleanUp); err == nil {
			err = e
		}
	}()
	d.table = "repaint_demo_" + rand.Text()[:8]
	if _, err := d.engine.Exec(ctx, "create table "+d.table+" (id "+key(d.engine.Dialect().Name())+", data varchar(64) not null)"); err != nil {
		return err
	}
	defer func() {
		if _, e := d.engine.Exec(cleanUp, "drop table "+d.table); err == nil {
			err = e
		}
	}()

	fmt.Fprintf(d.out, "database: %s\n", d.engine.URL())
	// Otherwise the first colour would pay for opening connections and, in a file, for the growth
	// of SQLite's log. An error here will come again where it counts.
	for range min(d.requests, 1000) {
		_ = addAndSelect(ctx, d.engine, d.table, rand.Text())
	}
	first, firstErr := d.colour(ctx, "goroutines", func(ctx context.Context, work func(context.Context) error) (repaint.Stats, error) {
		return repaint.Stats{}, work(ctx)
	})
	second, secondErr := d.colour(ctx, "greenlets", func(ctx context.Context, work func(context.Context) error) (stats repaint.Stats, err error) {
		err = repaint.Run(ctx, func(ctx context.Context) error {
			defer func() { stats = repaint.CurrentStats() }()
			return work(ctx)
		})
		return stats, err
	})
	return d.report(ctx, first, second, errors.Join(firstErr, secondErr))
}

// key returns the definition of a column whose values the database generates.
func key(dialect string) string {
	switch dialect {
	case "mysql", "mariadb":
		return "bigint auto_increment primary key"
	case "postgres", "postgresql":
		return "bigint generated always as identity primary key"
	}
	return "integer primary key"
}

// An outcome has the results of the requests in one colour.
type outcome struct {
	colour  string
	begun   bool
	correct []bool // by request
	took    time.Duration
	stats   repaint.Stats // zero for goroutines
}

// colour runs all requests in the surroundings that the caller provides.
func (d *demo) colour(ctx context.Context, name string, surroundings func(context.Context, func(context.Context) error) (repaint.Stats, error)) (outcome, error) {
	o := outcome{colour: name, correct: make([]bool, d.requests)}
	if ctx.Err() != nil {
		return o, nil
	}
	o.begun = true
	bar := newBar(d.out, d.errOut, name, d.requests)
	start := time.Now()
	var err error
	o.stats, err = surroundings(ctx, func(ctx context.Context) error { return d.work(ctx, o, bar) })
	o.took = time.Since(start)
	bar.finish()
	if ctx.Err() != nil {
		// Errors that the interrupt caused aren't worth reporting.
		err = nil
	}
	return o, err
}

// work is blue code: it knows nothing about the colour that it runs in.
func (d *demo) work(ctx context.Context, o outcome, bar *bar) error {
	var next atomic.Int64
	var failed failures
	group := repaint.NewGroup(ctx)
	for range min(d.tasks, d.requests) {
		group.Go(func(ctx context.Context) error {
			for {
				i := int(next.Add(1)) - 1
				if i >= d.requests || ctx.Err() != nil {
					return nil
				}
				if err := d.request(ctx, d.engine, d.table, rand.Text()); err != nil {
					failed.add(fmt.Errorf("request %d (%s): %w", i+1, o.colour, err))
				} else {
					o.correct[i] = true
				}
				bar.add()
			}
		})
	}
	return errors.Join(group.Wait(), failed.err())
}

// addAndSelect is one request.
func addAndSelect(ctx context.Context, q db.Querier, table, data string) error {
	id, err := db.Scalar[int64](ctx, q, "insert into "+table+" (data) values (:data) returning id", db.Named("data", data))
	if err != nil {
		return err
	}
	got, err := db.Scalar[string](ctx, q, "select data from "+table+" where id = :id", db.Named("id", id))
	if err != nil {
		return err
	}
	if got != data {
		return fmt.Errorf("wrong value: inserted %q as id %d, but selected %q", data, id, got)
	}
	return nil
}

// failures keeps the first few errors and counts the others. Any goroutine may use it.
type failures struct {
	mu    sync.Mutex
	first []error
	more  int
}

func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.first) < 5 {
		f.first = append(f.first, err)
	} else {
		f.more++
	}
}

func (f *failures) err() error {
	errs := f.first
	if f.more > 0 {
		errs = append(errs, fmt.Errorf("and %d more", f.more))
	}
	return errors.Join(errs...)
}
