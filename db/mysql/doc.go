// Package mysql is the dialect of MySQL and MariaDB for package db. Importing it
// is enough:
//
//	import (
//		"github.com/seed1239206e/repaint/db"
//		_ "github.com/seed1239206e/repaint/db/mysql"
//	)
//
//	engine, err := db.Open(ctx, "mysql://user:password@localhost/app")
//
// The driver is github.com/go-sql-driver/mysql. [OpenDB] takes an open database
// of it. The tests run against MariaDB; what is different on MySQL follows its manual.
//
// # URLs
//
//	mysql://user:password@host:3306/database?option=value
//	mysql://user@/database?socket=/run/mysqld/mysqld.sock
//	mysql://user:password@one,two:3307/database     the first that accepts
//	mariadb://…                                     the same
//
// Options, beside those of package db:
//
//	socket=/path             a Unix socket instead of a host
//	tls=preferred            off, preferred (encrypted if the server can, to any server), required
//	                         (encrypted, to any server), verify (to the one that the certificate names)
//	tls_ca=file              whom to trust, instead of the system's authorities; makes it tls=verify
//	tls_cert=file&tls_key=…  to identify ourselves
//	tls_server_name=name     in the certificate, if it isn't the host
//	allow_cleartext_passwords=true   the server may ask for the password as it is (PAM, LDAP, IAM
//	                         tokens); only with tls=verify or tls=required
//	charset=utf8mb4          or utf8mb3 for servers that know no better
//	collation=…              of literals and parameters
//	time_zone=+00:00         a fixed offset, see below
//	sql_mode=…               instead of the server's with STRICT_ALL_TABLES
//	connect_timeout=10s      of one attempt, at one host
//	read_timeout, write_timeout   of one read or write on the network; none
//	cancel_timeout=3s        for the server to stop a statement, see below
//	max_allowed_packet=67108864   bytes of one statement
//	prepared_statements=128  how many a connection keeps
//	compress=off
//	returning=native         emulated: also where the server has RETURNING, see below
//
// # Cancelling
//
// When a statement's context ends, the server is told to stop it: KILL QUERY,
// through a connection made for that. The statement's connection, and its
// transaction, are as good as before. Only if the server hasn't stopped after
// cancel_timeout the connection is closed.
//
// # Transactions
//
// MySQL commits a transaction before it creates, alters or drops something, and
// says nothing. Such statements are an error in a Tx here; temporary tables
// aren't affected. After a deadlock the server has rolled everything back, and the
// Tx says so; a lock that isn't free in time costs the statement only.
// See [db.Retry].
//
// A procedure, too, can commit or roll back the transaction in which it is called. The server
// doesn't tell, so in a Tx a CALL (EXECUTE, BEGIN NOT ATOMIC) stands between a savepoint and its
// release, which fails if the transaction has ended. Then the CALL fails with db.ErrTxFailed.
//
// # Values
//
// Text is a string, DECIMAL too, so that it stays exact. TIME is text such as
// 26:03:04.5, which Scan converts for a *time.Duration; a time.Duration as an
// argument is a TIME. BIT is an integer, BOOLEAN, which MySQL makes a TINYINT, is 0
// or 1. Integers beyond int64 are a uint64. What doesn't fit is an error. JSON is text, which
// goes into maps, structs and slices, see db.JSON; for MariaDB, where it is no type of its own,
// any text may.
//
// Times are cut to microseconds, which is what the server can store. They are
// sent, and read, in the connection's time zone, UTC unless time_zone says
// otherwise. A TIMESTAMP is a moment for every client; a DATETIME has no zone and
// is what was sent. A date with zeros, such as 0000-00-00, stays text: scanning it
// into a time.Time is an error.
//
// An UPDATE reports the rows that it found, as other databases do, not
// only those that it changed. LastInsertID is that of the first row of an INSERT
// that has several.
//
// # RETURNING
//
// MariaDB has INSERT, REPLACE and DELETE … RETURNING. UPDATE … RETURNING, and on MySQL
// all of them, are made of several statements, in a transaction or between savepoints:
// all of it is done, or nothing. That needs a primary key.
//
// Rows of INSERT … VALUES and REPLACE are selected by the keys that they were given, or
// by those that the server made: these are consecutive for such a statement, which InnoDB
// promises in all its innodb_autoinc_lock_modes. An UPDATE or DELETE of one table
// first selects the keys of its rows FOR UPDATE, then changes these rows, up to 65,535 less
// its other parameters. What is returned has the values as they are stored.
//
// Where that wouldn't be exact it is db.ErrUnsupported, with the reason and what
// to write instead: INSERT … SELECT, IGNORE, ON DUPLICATE KEY UPDATE, keys from expressions, a
// table without a primary key, an UPDATE of the key itself, several tables, and subqueries
// in the condition or in what is returned. A trigger that changes keys is noticed
// if rows aren't found again; it must not give a row the key of another one.
//
// # Comments and scripts
//
// What the server executes of a comment, /*! … */ and /*M! … */, is a part of the statement, and
// parameters in it are parameters. It is taken for executed, whatever version it asks for.
//
// Scripts are sent statement by statement. Where a routine, a trigger, an event or a block ends is
// known, in Oracle mode, too; the DELIMITER lines of the command line client are refused.
//
// # What it is not
//
// LOAD DATA LOCAL isn't possible, nor are the SQL modes ANSI_QUOTES and
// NO_BACKSLASH_ESCAPES: what is a literal must be known here too.
package mysql
