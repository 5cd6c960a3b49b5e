package main

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/mysql"
	dbpostgres "github.com/seed1239206e/repaint/db/postgres"
	_ "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/pg"

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/python"
)

// A contestant is a library, and how its callers run.
type contestant struct {
	name string
	// takesPart reports whether it can use the database, and whether it is compared in that
	// workload.
	takesPart func(kind string, w workload) bool
	loop      bool
	open      func(ctx context.Context, p *place) (side, error)
	python    func(ctx context.Context, p *place, w workload, callers int) (*scripted, error) // instead of open
}

const (
	oursGoroutines = "db, goroutines"
	oursLoop       = "db, one loop"
	oursStdlib     = "db over pgx's stdlib, goroutines"
	ofPg           = "pg by itself"
	ofPgAgain      = "another pg by itself" // how much of a difference is chance
	ofPgLoop       = "pg alone, one loop"
	ofSQL          = "database/sql"
	ofPrepared     = "database/sql, prepared"
	ofOne          = "database/sql, prepared, 1 connection"
	ofSqlx         = "sqlx"
	ofBun          = "bun"
	ofCore         = "SQLAlchemy Core"
	ofAsyncCore    = "SQLAlchemy async Core"
)

// contestants returns all contestants that are there, in the order of the tables, and what is
// missing.
func contestants() (all []contestant, missing []string) {
	always := func(string, workload) bool { return true }
	inTurns := func(_ string, w workload) bool { return !w.byCall }
	on := func(name string) func(string, workload) bool {
		return func(kind string, _ workload) bool { return kind == name }
	}
	all = []contestant{
		{name: oursGoroutines, takesPart: always, open: openDB},
		{name: oursLoop, takesPart: inTurns, loop: true, open: openDB},
		{name: oursStdlib, takesPart: on(postgres), open: openDBOverStdlib},
		{name: ofPg, takesPart: on(postgres), open: openPg},
		{name: ofPgLoop, takesPart: func(kind string, w workload) bool { return kind == postgres && w.name == transaction }, loop: true, open: openPg},
		{name: ofPgAgain, takesPart: func(kind string, w workload) bool { return kind == postgres && w.byCall }, open: openPg},
		{name: ofSQL, takesPart: always, open: openSQL(false, 0)},
		{name: ofPrepared, takesPart: always, open: openSQL(true, 0)},
		{name: ofOne, takesPart: func(kind string, w workload) bool { return kind == file && !w.byCall }, open: openSQL(true, 1)},
		{name: ofSqlx, takesPart: inTurns, open: openSqlx},
		{name: ofBun, takesPart: inTurns, open: openBun},
	}
	const core, packages = "sqlalchemy, greenlet", "python3-sqlalchemy python3-greenlet"
	for _, peer := range []struct{ name, kind, url, modules, packages string }{
		{ofCore, file, "sqlite", "sqlite3", "python3"},
		{ofAsyncCore, file, "sqlite+aiosqlite", "aiosqlite", "python3-aiosqlite"},
		{ofCore, postgres, "postgresql+psycopg2", "psycopg2", "python3-psycopg2"},
		{ofAsyncCore, postgres, "postgresql+asyncpg", "asyncpg", "python3-asyncpg"},
		{ofCore, maria, "mysql+pymysql", "pymysql", "python3-pymysql"},
	} {
		interpreter, err := python.Find(core+", "+peer.modules, packages+" "+peer.packages)
		if err != nil {
			missing = append(missing, fmt.Sprintf("%s on %s: %v", peer.name, peer.kind, err))
			continue
		}
		all = append(all, contestant{
			name: peer.name, takesPart: func(kind string, w workload) bool { return kind == peer.kind && w.python != "" },
			python: func(ctx context.Context, p *place, w workload, callers int) (*scripted, error) {
				return openScript(ctx, interpreter, peer.url, p, w, callers)
			},
		})
	}
	return all, missing
}

func openDB(ctx context.Context, p *place) (side, error) {
	e, err := db.Open(ctx, p.url, db.PoolSize(poolSize(p)), db.MaxOverflow(0))
	return dbSide{e}, err
}

// poolSize leaves the size for SQLite to package sqlite.
func poolSize(p *place) int { return max(p.conns, 4) }

func openDBOverStdlib(ctx context.Context, p *place) (side, error) {
	pool, err := openPool(p, p.dsn, 0)
	if err != nil {
		return nil, err
	}
	e, err := dbpostgres.OpenDB(ctx, pool, db.PoolSize(p.conns), db.MaxOverflow(0))
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return overStdlib{dbSide{e}, pool}, nil
}

// overStdlib also closes the pool, which its Engine doesn't own.
type overStdlib struct {
	dbSide
	pool *sql.DB
}

func (s overStdlib) close(ctx context.Context) error {
	return errors.Join(s.dbSide.close(ctx), s.pool.Close())
}

func openPg(_ context.Context, p *place) (side, error) {
	d, err := pg.Open(p.url)
	return pgSide{d}, err
}

// openPool opens a pool with the place's number of connections, unless the caller gives another.
func openPool(p *place, dsn string, n int) (*sql.DB, error) {
	pool, err := sql.Open(p.driver, dsn)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		n = p.conns
	}
	pool.SetMaxOpenConns(n)
	pool.SetMaxIdleConns(n)
	return pool, nil
}

func openSQL(prepare bool, n int) func(context.Context, *place) (side, error) {
	return func(ctx context.Context, p *place) (side, error) {
		pool, err := openPool(p, p.dsn, n)
		if err != nil {
			return nil, err
		}
		// The statements that it prepares need the tables.
		for _, text := range p.setup {
			if _, err := pool.ExecContext(ctx, text); err != nil {
				return nil, errors.Join(err, pool.Close())
			}
		}
		p.setup = nil
		return newSQLSide(ctx, pool, p.texts, prepare)
	}
}

func openSqlx(_ context.Context, p *place) (side, error) {
	pool, err := openPool(p, p.dsn, 0)
	if err != nil {
		return nil, err
	}
	return newSqlxSide(pool, p.driver, p.texts), nil
}

func openBun(_ context.Context, p *place) (side, error) {
	pool, err := openPool(p, p.plain, 0)
	if err != nil {
		return nil, err
	}
	return newBunSide(pool, p.bun()), nil
}

//go:embed peer.py
var peer string

// A scripted peer is a process that takes commands.
type scripted struct {
	process  *python.Process
	question question
}

type question struct {
	URL      string  `json:"url"`
	Workload string  `json:"workload"`
	Callers  int     `json:"callers"`
	Pool     int     `json:"pool"`
	Seconds  float64 `json:"seconds"`
}

func openScript(ctx context.Context, interpreter, scheme string, p *place, w workload, callers int) (*scripted, error) {
	_, rest, _ := strings.Cut(p.python, "://")
	url := scheme + "://" + rest
	if strings.HasSuffix(scheme, "asyncpg") {
		url = strings.ReplaceAll(url, "sslmode=", "ssl=")
	}
	process, err := python.Start(ctx, interpreter, python.Answering+peer)
	if err != nil {
		return nil, err
	}
	return &scripted{process, question{url, w.python, callers, min(callers, p.conns), 0}}, nil
}

func (s *scripted) measure(ctx context.Context, length time.Duration) (sample measure.Sample, err error) {
	ctx, cancel := context.WithTimeout(ctx, length+2*time.Minute)
	defer cancel()
	s.question.Seconds = length.Seconds()
	err = s.process.Call(ctx, s.question, &sample)
	return sample, err
}
