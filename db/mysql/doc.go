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
// The driver is github.com/go-sql-driver/mysql. [OpenDB] takes an open database of it. The tests
// run against MariaDB; where MySQL differs, this package follows its manual.
//
// # URLs
//
//	mysql://user:password@host:3306/database?option=value
//	mysql://user@/database?socket=/run/mysqld/mysqld.sock
//	mysql://user:password@one,two:3307/database     the first that accepts
//	mariadb://…                                     the same
//
// Options, in addition to those of package db:
//
//	socket=/path             a Unix socket instead of a host
//	tls=preferred            off, preferred (encrypted if the server can, to any server), required
//	                         (encrypted, to any server), verify (to the one that the certificate names)
//	tls_ca=file              the authorities to trust instead of the system's; implies tls=verify
//	tls_cert=file&tls_key=…  the client's own certificate
//	tls_server_name=name     the name in the certificate, if it isn't the host
//	allow_cleartext_passwords=true   the server may ask for the plain password (PAM, LDAP, IAM
//	                         tokens); only with tls=verify or tls=required
//	charset=utf8mb4          or utf8mb3 for servers without utf8mb4
//	collation=…              of literals and parameters
//	time_zone=+00:00         a fixed offset, see below
//	sql_mode=…               instead of the server's with STRICT_ALL_TABLES
//	connect_timeout=10s      of one attempt, at one host
//	read_timeout, write_timeout   of one read or write on the network; none
//	cancel_timeout=3s        for the server to stop a statement, see below
//	max_allowed_packet=67108864   bytes of one statement
//	prepared_statements=128  how many each connection keeps
//	compress=off
//	returning=native         emulated: also where the server has RETURNING, see below
//
// # Cancelling
//
// When a statement's context ends, the Engine tells the server to stop it: it sends KILL QUERY
// through a connection made for that. The statement's connection and transaction stay as good as
// before. Only if the server hasn't stopped after cancel_timeout, the Engine closes the connection.
//
// # Transactions
//
// MySQL silently commits a transaction before it creates, alters or drops something. Such a
// statement is an error in a Tx, except for temporary tables. After a deadlock the server has
// rolled everything back, and the Tx says so; a lock timeout costs only the statement. See
// [db.Retry].
//
// A procedure can commit or roll back the transaction that calls it, too, and the server doesn't
// report that. So in a Tx, a CALL (or EXECUTE, or BEGIN NOT ATOMIC) runs between a savepoint and
// its release. The release fails if the transaction has ended, and the CALL then fails with
// db.ErrTxFailed.
//
// # Values
//
// Text is a string, and so is DECIMAL, to stay exact. TIME is text such as 26:03:04.5, which Scan
// converts for a *time.Duration; a time.Duration as an argument is a TIME. BIT is an integer.
// BOOLEAN, which MySQL makes a TINYINT, is 0 or 1. Integers beyond int64 are a uint64. A value that
// doesn't fit is an error. JSON is text, which goes into maps, structs and slices, see db.JSON.
// MariaDB has no type for JSON, so there any text may go into them.
//
// Times are truncated to microseconds, the server's precision. They are sent and read in the
// connection's time zone, which is UTC unless time_zone says otherwise. A TIMESTAMP is the same
// moment for every client. A DATETIME has no zone, and keeps what was sent. A date with zeros, such
// as 0000-00-00, stays text: scanning it into a time.Time is an error.
//
// An UPDATE reports the rows that it found, as other databases do, not only those that it changed.
// For an INSERT of several rows, LastInsertID is the key of the first.
//
// # RETURNING
//
// MariaDB has INSERT, REPLACE and DELETE … RETURNING. For UPDATE … RETURNING, and on MySQL for all
// of them, this package runs several statements in a transaction or between savepoints: all of them
// take effect, or none. That needs a primary key.
//
// It selects the rows of INSERT … VALUES and REPLACE by the keys that the statement gives, or by
// those that the server generates: these are consecutive for such a statement, which InnoDB
// promises in all its innodb_autoinc_lock_modes. For an UPDATE or DELETE of one table, it first
// selects the keys of the rows FOR UPDATE, then changes these rows, up to 65,535 less the number of
// the statement's other parameters. The result has the values as they are stored.
//
// If that wouldn't be exact, the statement fails with db.ErrUnsupported, which says why and what to
// write instead. This concerns INSERT … SELECT, IGNORE, ON DUPLICATE KEY UPDATE, keys from
// expressions, a table without a primary key, an UPDATE of the key itself, several tables, and
// subqueries in the condition or in the RETURNING list. A trigger that changes keys is noticed if
// rows aren't found again; it must not give a row the key of another row.
//
// # Comments and scripts
//
// Comments that the server executes, /*! … */ and /*M! … */, are part of the statement, and
// parameters in them are parameters. The Engine assumes that the server executes them, whatever
// version they ask for.
//
// The Engine sends a script statement by statement. It knows where a routine, a trigger, an event
// or a block ends, in Oracle mode, too. It refuses the DELIMITER lines of the command line client.
//
// # What it is not
//
// LOAD DATA LOCAL isn't possible, nor are the SQL modes ANSI_QUOTES and NO_BACKSLASH_ESCAPES: this
// package, too, must know where literals end.
package mysql
