package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun/dialect/mysqldialect"
	"github.com/uptrace/bun/dialect/pgdialect"
	"github.com/uptrace/bun/dialect/sqlitedialect"
	"github.com/uptrace/bun/schema"
	_ "modernc.org/sqlite"

	"github.com/seed1239206e/repaint/internal/testserver"

	"github.com/seed1239206e/repaint/bench/internal/host"
)

// conns is how many connections each contestant may have to a server.
const conns = 16

// A place is a database for one contestant, or for all, and how each library finds it.
type place struct {
	name   string // the name of the kind
	url    string // the URL for db, and with other options for SQLAlchemy
	driver string // database/sql's
	dsn    string
	plain  string // the dsn for bun, which writes arguments into the text
	conns  int
	texts  texts
	bun    func() schema.Dialect
	clear  string   // empties the table bulk
	setup  []string // statements that a new place needs; nil if it needs none
	python string   // SQLAlchemy's URL without its driver, or ""
	remove func() error
}

// A kind is a kind of database. open makes a place that has all tables, or says how to make them.
type kind struct {
	name string
	open func() (*place, error)
}

const (
	memory   = "SQLite in memory"
	file     = "SQLite in a file"
	postgres = "PostgreSQL"
	maria    = "MariaDB"
)

// kinds starts the servers that the flags ask for, and returns what is missing.
func kinds(tb testing.TB, wanted func(name string) bool) (all []kind, servers, missing []string) {
	all = append(all, kind{memory, openMemory}, kind{file, openFile})
	add := func(name string, start func(tb testing.TB) kind, version func() string) {
		if !wanted(name) {
			return
		}
		var k kind
		if why := host.Lacks(tb, func(tb testing.TB) { k = start(tb) }); why != "" {
			missing = append(missing, name+": "+why)
			return
		}
		all, servers = append(all, k), append(servers, version())
	}
	var pg, my testserver.Target
	add(postgres, func(tb testing.TB) kind {
		pg = filled(tb, postgresServer(tb), postgresSchema)
		return kind{postgres, func() (*place, error) { return openPostgres(pg), nil }}
	}, func() string { return pg.MustQuery(tb, "select version()") })
	add(maria, func(tb testing.TB) kind {
		my = filled(tb, testserver.MariaDB(tb), mariaSchema)
		return kind{maria, func() (*place, error) { return openMaria(my), nil }}
	}, func() string { return "MariaDB " + my.MustQuery(tb, "select version()") })
	return all, servers, missing
}

// filled makes a database with a schema.
func filled(tb testing.TB, server *testserver.Server, schema []string) testserver.Target {
	at := server.Database(tb)
	for _, text := range schema {
		at.MustQuery(tb, text)
	}
	return at
}

func postgresServer(tb testing.TB) *testserver.Server {
	return testserver.Postgres(tb, testserver.HBA("local all all trust", "host all all 127.0.0.1/32 trust"))
}

var sqliteSchema = []string{
	"create table world (id integer primary key, number integer not null, name text not null)",
	fmt.Sprint("with recursive n(i) as (select 1 union all select i + 1 from n where i < ", worldRows, ") insert into world select i, i * 7, 'name ' || i from n"),
	"create table written (id integer primary key, number integer not null)",
	"create table bulk (id integer primary key, number integer not null, name text not null)",
}

var postgresSchema = []string{
	"create table world (id bigint primary key, number bigint not null, name text not null)",
	fmt.Sprint("insert into world select i, i * 7, 'name ' || i from generate_series(1, ", worldRows, ") i"),
	"create table written (id bigserial primary key, number bigint not null)",
	"create table bulk (id bigserial primary key, number bigint not null, name text not null)",
	"analyze world",
}

var mariaSchema = []string{
	"create table world (id bigint primary key, number bigint not null, name varchar(100) not null)",
	fmt.Sprint("insert into world select seq, seq * 7, concat('name ', seq) from seq_1_to_", worldRows),
	"create table written (id bigint primary key auto_increment, number bigint not null)",
	"create table bulk (id bigint primary key auto_increment, number bigint not null, name varchar(100) not null)",
}

var memories atomic.Int64

// openMemory makes a database that all connections of a pool would see. But a second connection
// that writes would fail at once, where it must wait.
func openMemory() (*place, error) {
	dsn := fmt.Sprintf("file:/bench-%d?vfs=memdb&_pragma=foreign_keys(1)", memories.Add(1))
	return &place{
		name: memory, url: "sqlite://", driver: "sqlite", dsn: dsn, plain: dsn, conns: 1, texts: questionTexts,
		bun: func() schema.Dialect { return sqlitedialect.New() }, clear: "delete from bulk", setup: sqliteSchema,
		remove: func() error { return nil },
	}, nil
}

// openFile makes a file with the settings of package sqlite, except synchronous: the disk isn't
// what is measured.
func openFile() (*place, error) {
	dir, err := os.MkdirTemp("", "repaint-bench-")
	if err != nil {
		return nil, err
	}
	name := filepath.ToSlash(dir) + "/bench.db"
	dsn := "file:" + name + "?_pragma=busy_timeout(60000)&_pragma=foreign_keys(1)&_pragma=journal_mode(wal)&_pragma=synchronous(off)&_txlock=immediate"
	p := &place{
		name: file, url: "sqlite:///" + name + "?synchronous=off", driver: "sqlite", dsn: dsn, plain: dsn, conns: 4, texts: questionTexts,
		bun: func() schema.Dialect { return sqlitedialect.New() }, clear: "delete from bulk", python: "sqlite:///" + name,
		remove: func() error { return os.RemoveAll(dir) },
	}
	pool, err := sql.Open(p.driver, p.dsn)
	if err != nil {
		return nil, errors.Join(err, p.remove())
	}
	for _, text := range sqliteSchema {
		if _, err = pool.ExecContext(context.Background(), text); err != nil {
			break
		}
	}
	if err = errors.Join(err, pool.Close()); err != nil {
		return nil, errors.Join(err, p.remove())
	}
	return p, nil
}

func openPostgres(at testserver.Target) *place {
	return &place{
		name: postgres, url: at.URL(), driver: "pgx", dsn: at.URL(), plain: at.URL() + "&default_query_exec_mode=simple_protocol", conns: conns, texts: dollarTexts,
		bun: func() schema.Dialect { return pgdialect.New() }, clear: "truncate bulk", python: at.URL(),
		remove: func() error { return nil },
	}
}

func openMaria(at testserver.Target) *place {
	// Without it each statement that isn't prepared takes three round trips.
	dsn := at.DSN() + "?interpolateParams=true"
	return &place{
		name: maria, url: at.URL(), driver: "mysql", dsn: dsn, plain: dsn, conns: conns, texts: questionTexts,
		bun: func() schema.Dialect { return mysqldialect.New() }, clear: "truncate table bulk", python: at.URL(),
		remove: func() error { return nil },
	}
}
