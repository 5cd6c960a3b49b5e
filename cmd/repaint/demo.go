package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v3"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/link"
	"github.com/seed1239206e/repaint/internal/terminal"
)

func demoCommand(stdout, stderr io.Writer) *cli.Command {
	d := &demo{out: stdout, errOut: stderr}
	return &cli.Command{
		Name:  "demo",
		Usage: "show what repaint does, in three acts",
		Description: "1. Many requests at once read a page and then its author: on goroutines, as\n" +
			"   greenlets with the same function, and with a Loader.\n" +
			"2. Two withdrawals race. The schedule that pays out twice is found and shown.\n" +
			"3. A loop says what its tasks wait for.\n\n" +
			"The demo makes tables of its own and drops them at the end.",
		Flags: []cli.Flag{
			databaseFlag(&d.url),
			&cli.IntFlag{
				Name:        "requests",
				Usage:       "make `N` requests in each way of act 1",
				Value:       1000,
				Destination: &d.requests,
			},
			&cli.IntFlag{
				Name:        "tasks",
				Usage:       "have `N` goroutines, and then greenlets, share the requests",
				DefaultText: "one for each request, 1000 at most",
				Destination: &d.tasks,
			},
			&cli.DurationFlag{
				Name:        "delay",
				Usage:       "put a network with this `TIME` of round trip in front of the server, such as 1ms",
				Destination: &d.delay,
			},
			&cli.StringFlag{
				Name:        "trace",
				Usage:       "write a timeline of some greenlets of act 1 to this HTML `FILE`",
				Destination: &d.trace,
			},
		},
		Commands:     []*cli.Command{raceCommand(stdout, stderr)},
		OnUsageError: usageError,
		Action: func(ctx context.Context, cmd *cli.Command) error {
			if cmd.Args().Present() {
				return &usage{fmt.Errorf("demo takes no arguments, but got %q; see repaint demo --help", cmd.Args().First())}
			}
			if !cmd.IsSet("tasks") {
				d.tasks = max(1, min(d.requests, 1000))
			}
			switch {
			case d.requests < 1 || d.tasks < 1:
				return &usage{errors.New("--requests and --tasks must be at least 1")}
			case d.delay < 0 || d.delay > time.Second:
				return &usage{fmt.Errorf("--delay is %v, but must be from 0 to 1s", d.delay)}
			}
			if err := creatable(d.trace); err != nil {
				return fmt.Errorf("write the timeline: %w", err)
			}
			return d.run(ctx)
		},
	}
}

// creatable returns an error if the directory of a file that is to be written at the end isn't
// there. An empty name is no file.
func creatable(file string) error {
	if file == "" {
		return nil
	}
	_, err := os.ReadDir(filepath.Dir(file))
	return err
}

// databaseFlag is the flag of the commands that use a database.
func databaseFlag(url *string) cli.Flag {
	return &cli.StringFlag{
		Name: "url",
		Usage: "the `DATABASE`: sqlite:///file.db, sqlite:// for one in memory,\n" +
			"postgres://user:password@host/name or mysql://user:password@host/name",
		DefaultText: "an SQLite file in a temporary directory",
		Sources:     cli.EnvVars("DATABASE_URL"),
		Destination: url,
	}
}

// A demo has a database of its own and shows things on it.
type demo struct {
	out, errOut io.Writer
	url         string
	requests    int
	tasks       int
	delay       time.Duration
	trace       string // the file for a timeline of act 1; empty for none
	page        string // the file for act 2's schedule

	engine     *db.Engine
	prefix     string       // the prefix of the tables' names; empty if the database is the demo's own
	statements atomic.Int64 // how many have been executed
	correct    int          // the requests of act 1, in each way

	// request is what act 1 runs. Tests replace it.
	request func(ctx context.Context, p *pages, id int64) error
}

// run shows the three acts.
func (d *demo) run(ctx context.Context) error {
	begun := false
	err := d.with(ctx, func(ctx context.Context) error {
		begun = true
		if err := d.showPages(ctx); err != nil {
			return err
		}
		if err := d.showRace(ctx, 0); err != nil {
			return err
		}
		return d.showWaiting(ctx)
	})
	if !begun {
		return err
	}
	var status exitStatus
	if err != nil && !errors.As(err, &status) {
		d.complain(err)
		err = exitStatus(exitFailed)
	}
	d.conclude(ctx)
	return err
}

// These are how long the parts of the clean-up may take after an interrupt, which then ends the
// demo within a second.
const (
	dropTime  = 600 * time.Millisecond
	closeTime = 300 * time.Millisecond
)

// cleanUpTime is how long a step of the clean-up may take otherwise.
const cleanUpTime = 10 * time.Second

// with opens the database and calls fn.
func (d *demo) with(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	u, err := d.database()
	if err != nil {
		return err
	}
	if u == nil {
		dir, err := os.MkdirTemp("", "repaint-demo-")
		if err != nil {
			return fmt.Errorf("make a temporary directory for the database: %w", err)
		}
		defer os.RemoveAll(dir)
		if u, err = db.ParseURL("sqlite:///" + filepath.ToSlash(filepath.Join(dir, "demo.db"))); err != nil {
			return err
		}
		d.introduce("database: an SQLite file in a temporary directory")
	} else {
		fmt.Fprintln(d.out, terminal.Fit("database: "+u.String(), d.width()))
		d.prefix = "repaint_demo_" + strings.ToLower(rand.Text()[:8]) + "_"
	}
	if d.delay > 0 {
		slow, err := link.New(u, d.delay)
		if err != nil {
			return err
		}
		defer slow.Close()
		d.introduce("network: %v for each round trip, made by a proxy", d.delay)
	}
	count := db.Events{AfterExecute: func(context.Context, *db.Execution) { d.statements.Add(1) }}
	d.engine, err = db.OpenURL(ctx, u, db.PoolSize(connections), db.MaxOverflow(0), db.PoolTimeout(0), db.OnEvents(count))
	if err != nil {
		return interrupted(ctx, err)
	}
	defer func() {
		end, cancel := ending(ctx, closeTime)
		defer cancel()
		end, stop := context.WithTimeout(end, cleanUpTime)
		defer stop()
		if e := d.engine.Close(end); err == nil && ctx.Err() == nil {
			err = e
		}
	}()
	return fn(ctx)
}

// connections is the largest number of connections that the demo uses.
const connections = 16

// database returns the user's URL, or nil for a file of the demo's own.
func (d *demo) database() (*db.URL, error) {
	if d.url == "" {
		if d.delay > 0 {
			return nil, link.ErrNoServer
		}
		return nil, nil
	}
	return db.ParseURL(d.url)
}

// ending returns the context for clean-up that is needed even after an interrupt, but then within
// limit.
func ending(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	end, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(limit, cancel) })
	return end, func() { stop(); cancel() }
}

// withTables makes tables, calls fn and drops them. Each table is its name and its columns.
func (d *demo) withTables(ctx context.Context, tables [][2]string, fn func() error) (err error) {
	// An interrupt doesn't cut off a statement at once. Otherwise the server could make a table
	// after it was asked to drop it.
	end, cancel := ending(ctx, dropTime)
	defer cancel()
	exec := func(text string) error {
		limited, cancel := context.WithTimeout(end, cleanUpTime)
		defer cancel()
		_, err := d.engine.Exec(limited, text)
		return err
	}
	for _, t := range tables {
		if ctx.Err() != nil {
			return interrupted(ctx, ctx.Err())
		}
		failed := exec("create table " + d.prefix + t[0] + " (" + t[1] + ")")
		defer func() { // even after an error: the server may have made the table
			e := exec("drop table if exists " + d.prefix + t[0])
			if errors.Is(failed, db.ErrUnknownOutcome) {
				e = errors.Join(failed, e)
			}
			switch {
			case e != nil && ctx.Err() != nil && d.prefix != "": // there was little time
				fmt.Fprintf(d.errOut, "demo: there may still be a table %s%s, which couldn't be dropped: %v\n", d.prefix, t[0], e)
			case err == nil:
				err = e
			}
		}()
		if failed != nil {
			return interrupted(ctx, failed)
		}
	}
	return fn()
}

// interrupted returns the status of an interrupt instead of the error that it has caused.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return exitStatus(exitInterrupted)
	}
	return err
}
