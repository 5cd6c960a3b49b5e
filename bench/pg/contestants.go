package main

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/python"
)

// A contestant is a driver, and how its callers run, or another client.
type contestant struct {
	name string
	// takesPart reports whether it can do the workload with so many callers, and whether that is
	// worth the time.
	takesPart func(w workload, callers int) bool
	// open opens it for one case, whose rounds it then serves.
	open func(ctx context.Context, server testserver.Target, w workload, callers int) (entrant, error)
}

// An entrant is a contestant in a case. rate is its own rate of the previous round, or another's,
// in calls a second.
type entrant interface {
	measure(ctx context.Context, length time.Duration, rate float64) (measure.Sample, error)
	close(ctx context.Context) error
}

const (
	oursGoroutines   = "pg, goroutines"
	oursLoop         = "pg, one loop"
	readerGoroutines = "pg Reader, goroutines"
	readerLoop       = "pg Reader, one loop"
	oursBatch        = "pg SendBatch of 16"
	ofPgxpool        = "pgxpool of " // and its size
	ofPgxBatch       = "pgx SendBatch of 16"
	ofBlaster        = "wire blaster, " // and its connections
	ofPgbench        = "pgbench"
	ofPipeline       = "pgbench, \\startpipeline of 16"
	ofAsyncpg        = "asyncpg"
	ofUnreset        = "asyncpg, no reset"
	ofSQLAlchemy     = "SQLAlchemy async"
)

// contestants returns all contestants that are there, in the order of the tables, and what is
// missing.
func contestants() (all []contestant, missing []string) {
	for _, size := range []int{4, 16, 32, 64} {
		all = append(all, contestant{
			fmt.Sprint(ofPgxpool, size),
			func(_ workload, callers int) bool { return size <= max(callers, 4) },
			driver(pool(size), measure.Callers{}),
		})
	}
	always := func(workload, int) bool { return true }
	reads := func(w workload, _ int) bool { return w.reads }
	batched := func(w workload, callers int) bool { return w.batch != nil && callers >= 2*batchSize }
	all = append(all,
		contestant{oursGoroutines, always, driver(lanes, measure.Callers{})},
		contestant{oursLoop, always, driver(lanes, measure.Callers{Loop: true})},
		contestant{readerGoroutines, reads, driver(reader, measure.Callers{})},
		contestant{readerLoop, reads, driver(reader, measure.Callers{Loop: true})},
		contestant{ofPgxBatch, batched, driver(pool(16), measure.Callers{Unit: batchSize})},
		contestant{oursBatch, batched, driver(lanes, measure.Callers{Unit: batchSize})})
	for _, connections := range []int{4, 16} {
		all = append(all, contestant{
			fmt.Sprint(ofBlaster, "up to ", connections, " connections"),
			func(w workload, callers int) bool {
				return w.blast.text != "" && (connections <= callers || callers == 1 && connections == 4)
			},
			func(ctx context.Context, server testserver.Target, w workload, callers int) (entrant, error) {
				return openBlaster(ctx, server.URL(), w.blast, callers, min(connections, callers))
			},
		})
	}
	if program, err := findPgbench(); err != nil {
		missing = append(missing, err.Error())
	} else {
		all = append(all,
			contestant{ofPgbench, func(w workload, _ int) bool { return w.script != "" }, bencher(program, 1)},
			contestant{ofPipeline, func(w workload, callers int) bool { return w.chain && callers >= 2*batchSize }, bencher(program, batchSize)})
	}
	for _, peer := range []struct{ name, driver, modules, packages string }{
		{ofAsyncpg, "asyncpg", "asyncpg", "python3-asyncpg"},
		{ofUnreset, "asyncpg-unreset", "asyncpg", "python3-asyncpg"},
		{ofSQLAlchemy, "sqlalchemy", "sqlalchemy.ext.asyncio, asyncpg, greenlet", "python3-sqlalchemy python3-asyncpg python3-greenlet"},
	} {
		interpreter, err := python.Find(peer.modules, peer.packages)
		if err != nil {
			missing = append(missing, peer.name+": "+err.Error())
			continue
		}
		all = append(all, contestant{peer.name, func(w workload, _ int) bool { return w.python != "" }, script(interpreter, peer.driver)})
	}
	return all, missing
}

// A goDriver is a contestant that is measured in this process.
type goDriver struct {
	db          database
	do          func(ctx context.Context, db database, i int) error
	callers     measure.Callers
	connections func() int
	shut        func(ctx context.Context) error
}

// An opener opens a database. It also returns how many connections that has, and the function that
// closes it.
type opener func(ctx context.Context, url string) (db database, connections func() int, shut func(context.Context) error, err error)

func driver(open opener, how measure.Callers) func(context.Context, testserver.Target, workload, int) (entrant, error) {
	return func(ctx context.Context, server testserver.Target, w workload, callers int) (entrant, error) {
		db, connections, shut, err := open(ctx, server.URL())
		if err != nil {
			return nil, err
		}
		how, do := how, w.do
		how.N = callers
		if how.Unit > 1 {
			how.N, do = callers/how.Unit, w.batch
		}
		return &goDriver{db, do, how, connections, shut}, nil
	}
}

func (d *goDriver) measure(ctx context.Context, length time.Duration, _ float64) (measure.Sample, error) {
	s, err := d.callers.Run(ctx, length, func(ctx context.Context, i int) error { return d.do(ctx, d.db, i) })
	s.Connections = float64(d.connections())
	return s, err
}

func (d *goDriver) close(ctx context.Context) error { return d.shut(ctx) }

func pool(n int) opener {
	return func(ctx context.Context, url string) (database, func() int, func(context.Context) error, error) {
		p, err := pgxpool.New(ctx, fmt.Sprint(url, "&pool_max_conns=", n))
		if err != nil {
			return nil, nil, nil, err
		}
		return p, func() int { return int(p.Stat().TotalConns()) }, func(context.Context) error { p.Close(); return nil }, nil
	}
}

func lanes(_ context.Context, url string) (database, func() int, func(context.Context) error, error) {
	db, err := pg.Open(url)
	if err != nil {
		return nil, nil, nil, err
	}
	return db, func() int { return db.Stats().Lanes }, db.Close, nil
}

func reader(_ context.Context, url string) (database, func() int, func(context.Context) error, error) {
	db, err := pg.Open(url)
	if err != nil {
		return nil, nil, nil, err
	}
	r := db.Reader()
	return r, func() int { return r.Stats().Lanes }, db.Close, nil
}

// limited sets a deadline for contestants that Callers don't measure.
func limited(ctx context.Context, length time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, length+2*time.Minute)
}

func bencher(program string, unit int) func(context.Context, testserver.Target, workload, int) (entrant, error) {
	return func(ctx context.Context, server testserver.Target, w workload, callers int) (entrant, error) {
		ctx, cancel := limited(ctx, 0)
		defer cancel()
		return openPgbench(ctx, program, server, w.script, callers, unit)
	}
}

//go:embed peer.py
var peer string

// A scripted peer is a process that takes commands. In each round it opens a pool, with one
// connection for each caller, but 16 at most.
type scripted struct {
	process  *python.Process
	question question
}

type question struct {
	Driver   string  `json:"driver"`
	URL      string  `json:"url"`
	Workload string  `json:"workload"`
	Callers  int     `json:"callers"`
	Pool     int     `json:"pool"`
	Seconds  float64 `json:"seconds"`
}

func script(interpreter, driver string) func(context.Context, testserver.Target, workload, int) (entrant, error) {
	return func(ctx context.Context, server testserver.Target, w workload, callers int) (entrant, error) {
		process, err := python.Start(ctx, interpreter, python.Answering+peer)
		if err != nil {
			return nil, err
		}
		return &scripted{process, question{driver, server.URL(), w.python, callers, min(callers, 16), 0}}, nil
	}
}

func (s *scripted) measure(ctx context.Context, length time.Duration, _ float64) (sample measure.Sample, err error) {
	ctx, cancel := limited(ctx, length)
	defer cancel()
	s.question.Seconds = length.Seconds()
	err = s.process.Call(ctx, s.question, &sample)
	return sample, err
}

func (s *scripted) close(context.Context) error { return s.process.Close() }
