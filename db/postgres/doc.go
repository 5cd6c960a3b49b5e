// Package postgres is the dialect of PostgreSQL for package db. Importing it is
// enough:
//
//	import (
//		"github.com/seed1239206e/repaint/db"
//		_ "github.com/seed1239206e/repaint/db/postgres"
//	)
//
//	engine, err := db.Open(ctx, "postgres://user:password@localhost/app")
//
// The driver is package pg. [OpenDB] takes an open database of pgx's stdlib instead.
//
// # URLs
//
//	postgres://user:password@host:5432/database?option=value
//	postgres://user@/database?host=/run/postgresql        by a Unix socket
//	postgres://user@one,two:5433/database                 the first that accepts
//	postgresql://…                                        the same
//
// Options, in addition to those of package db, are those of libpq (sslmode, sslrootcert,
// target_session_attrs, connect_timeout, application_name, …), the settings search_path,
// statement_timeout, lock_timeout, timezone and some more, and pg's own: pool_lanes, pool_queue,
// pool_reader_lanes, reader_group, cancel_timeout, pipeline, pipeline_depth, result_limit,
// statement_cache_capacity, default_query_exec_mode. Write any other setting as options=-c
// name=value.
//
// # Lanes and connections
//
// An Engine's single statements need no connection from the pool. They travel on pg's lanes
// together with the statements of all other callers, and no statement waits for another's round
// trip. A Conn, a Tx and a stream have a connection of their own; pool_size and the like limit
// those connections.
//
// A statement that leaves something behind, such as SET, LISTEN, CREATE TEMPORARY TABLE, set_config
// or a session-level advisory lock, would have no effect on a lane. So the Engine refuses it,
// except in a script that goes on after it. On a Conn it works, and the pool closes the connection
// after the Conn. The text doesn't show what a function or procedure leaves behind: call such ones
// on a Conn. docs/leftovers.md lists the effects.
//
// Behind a PgBouncer in transaction mode, set default_query_exec_mode=exec; see the documentation
// of pg.
//
// There are no lanes with pipeline=off, nor with an Events.Connect, which only sets up connections
// of the pool.
//
// # Transactions
//
// BEGIN travels with the first statement. After an error of the server, a transaction can only be
// rolled back: db.ErrTxFailed says so, together with the original error. A savepoint limits that to
// the part after it. [db.Deferrable] is for serializable transactions that only read.
//
// # Cancelling
//
// When a context ends, its caller goes on at once. The driver asks the server to cancel the running
// statement, and uses the connection again after the server has. A transaction in which that
// happened can only be rolled back.
//
// # Values
//
//	int64            smallint, integer, bigint, oid
//	float64          real, double precision
//	bool             boolean
//	string           text, varchar, char, numeric, uuid, json, jsonb, enums, inet, …
//	[]byte           bytea
//	time.Time        timestamptz; timestamp and date, in UTC
//	string           time and interval, such as 12:34:56.5 or 2 days 03:00:00
//	string           ranges, multiranges, records and composites, as the server writes them: [1,10), (1,a)
//	[]any            arrays
//
// A column of json or jsonb goes into maps, structs and slices, see db.JSON. Scan also fills the
// types of pgtype that hold more than one value: pgtype.Range, Multirange, Array and
// CompositeFields. The first three can be arguments too.
//
// An interval without months can be scanned into a time.Duration; its days have 24 hours. A
// time.Duration as an argument is an interval. An array can be scanned into a slice if its elements
// can be scanned into the slice's elements. Slices can be arguments for arrays. Times are sent in
// UTC, truncated to microseconds. A time that the server can't store is an error, and so is a year
// beyond 0 to 9999 in a column of text. Infinite times are text.
//
// The server determines the type of each parameter. If it can't, as in "select :a", it assumes
// text; write cast(:a as integer) then.
//
// # What it is not
//
// COPY and notifications belong to package pg: Tx.Raw gives a pgx.Tx, Conn.Raw a *pg.Session, and
// Engine.Driver returns the *pg.DB; see the examples.
package postgres
