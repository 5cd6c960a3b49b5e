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
// Options, beside those of package db, are those of libpq (sslmode, sslrootcert,
// target_session_attrs, connect_timeout, application_name, …), the settings search_path,
// statement_timeout, lock_timeout, timezone and some more, and pg's own: pool_lanes,
// pool_queue, pool_reader_lanes, reader_group, cancel_timeout, pipeline, pipeline_depth, result_limit,
// statement_cache_capacity, default_query_exec_mode. Other settings are given as options=-c name=value.
//
// # Lanes and connections
//
// Single statements of the Engine's own need no connection from the pool. They travel on pg's
// lanes, together with those of all other callers, and none waits for another's round trip. A Conn, a Tx and
// a stream have a connection of their own; it is to them that pool_size and the like apply.
// Statements that leave something behind, such as SET, LISTEN and CREATE TEMPORARY TABLE, would do
// nothing there, and are refused, but in a script that goes on after them; on a Conn it is closed
// with that. What can't be seen in the text, as set_config and session-level advisory locks,
// belongs on a Conn, and is to be undone by who did it.
//
// Behind a PgBouncer in transaction mode, set default_query_exec_mode=exec; see the
// documentation of pg.
//
// With pipeline=off, or an Events.Connect, which only sets up connections of the pool,
// there are no lanes.
//
// # Transactions
//
// BEGIN travels with the first statement. After an error of the server a transaction
// can only be rolled back: db.ErrTxFailed says so, with the error that was the cause. A savepoint
// limits that to what is in it. [db.Deferrable] is for serializable reading.
//
// # Cancelling
//
// When a context ends its caller goes on at once. The server is asked to cancel what it
// is executing; the connection is used again when it has. A transaction in which that happened
// can only be rolled back.
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
// A column of json or jsonb goes into maps, structs and slices, see db.JSON. The types of pgtype
// that take more than one value are variables, too: pgtype.Range, Multirange, Array and
// CompositeFields; the first three are also arguments.
//
// An interval can be scanned into a time.Duration if it has no months; its days have 24 hours. A
// time.Duration as an argument is an interval. An array can be scanned into a slice of whatever its
// elements can be scanned into, and slices are arguments for arrays. Times are sent in UTC, cut to
// microseconds; those that the server can't store, and in a column of text years beyond 0 to 9999,
// are an error. Infinite ones are text.
//
// The type of each parameter is the one that the server finds for it; where it can't, as in
// "select :a", it takes text. Write cast(:a as integer) then.
//
// # What it is not
//
// COPY and notifications are package pg's: Tx.Raw has a pgx.Tx, Conn.Raw a *pg.Session, and the
// Engine's Driver is the *pg.DB, see the examples.
package postgres
