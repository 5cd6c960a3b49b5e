// Package sqlite is the SQLite dialect of package db. Importing it is enough:
//
//	import (
//		"github.com/seed1239206e/repaint/db"
//		_ "github.com/seed1239206e/repaint/db/sqlite"
//	)
//
//	engine, err := db.Open(ctx, "sqlite:///app.db")
//
// The driver is modernc.org/sqlite, SQLite in pure Go. [OpenDB] takes an open database of another
// driver, such as mattn/go-sqlite3 or ncruces/go-sqlite3.
//
// # URLs
//
//	sqlite:///relative/file.db
//	sqlite:////absolute/file.db
//	sqlite://                    in memory; so is sqlite:///:memory:
//
// A database in memory belongs to its Engine. All connections of the Engine see it, no other Engine
// does, and it is gone when the Engine is closed.
//
// Options, in addition to those of package db (SQLite's name for each is the PRAGMA):
//
//	busy_timeout=5s     how long to wait for a lock of another process
//	journal_mode=wal    delete, truncate, persist, memory, wal or off
//	foreign_keys=on     whether they are enforced; SQLite's own default is off
//	synchronous=full    off, normal, full or extra
//	cache_size=-2000    pages, or KiB if negative
//	mmap_size=0         bytes
//	temp_store=default  default, file or memory
//	mode=rwc            ro, rw or rwc: read only, or whether to create the file
//	immutable=off       on: the file can't change, not even by other programs, as on
//	                    a read-only disk; so SQLite takes no locks. It means mode=ro
//
// With synchronous=normal, small transactions are several times as fast. A crash of the machine can
// then undo the last of them, but it never damages the file.
//
// # Writing
//
// SQLite has one writer at a time. It makes other writers poll, and an unlucky one fails with
// "database is locked". Here writers wait in the Engine, first come first served: a waiting
// greenlet suspends only itself, a waiting goroutine blocks. A statement counts as a write unless
// it is certain to be none: select, values, explain, and pragmas that only read. In a file, reads
// never wait for writes, thanks to the write-ahead log. In memory, a transaction that writes has
// the database to itself.
//
// A transaction begins with BEGIN IMMEDIATE, so that it never fails halfway because it can't get
// the lock. With [db.ReadOnly] it begins with a plain BEGIN, which waits for no other caller; a
// write in it is an error (by PRAGMA query_only). No transaction turns from reading to writing:
// SQLite can't do that once another connection has written.
//
// Because there is one writer at a time, use the Tx inside a transaction. A write through the
// Engine would wait for the transaction, which waits for the write; after pool_timeout it fails
// with db.ErrBusy. In memory, so does a read. If another process holds the file's lock, SQLite
// polls for up to busy_timeout; then the error is db.ErrBusy too.
//
// # In a loop
//
// A call that is known to be short runs in the loop, see [db.InlineLimit]; other calls run on
// another goroutine, so that the loop goes on. A call in the loop never waits for a lock of another
// process. A context that ends during such a call has no effect on it, so a deadline doesn't bound
// it. Set db.InlineLimit(0) if statements are short with some arguments and long with others, and
// must keep a deadline.
//
// # Values
//
// A time is stored as text in UTC with nanoseconds, which sorts by time. Columns declared DATE,
// DATETIME or TIMESTAMP return a time.Time in UTC; other columns return the text, which Scan
// converts for a *time.Time. Years are 0 to 9999; other years are an error. Booleans are stored as
// 0 and 1. An integer beyond int64 is an error, and so is a float that a narrower Go variable can't
// hold. JSON is text, whatever the column's type: see db.JSON.
//
// # What it is not
//
// The package has no API of its own for custom functions and the like; register those with the
// driver before opening. [Backup] copies a database that is in use. An ATTACH, a temporary table or
// a changed PRAGMA lasts as long as the Conn that made it: no other caller gets that connection. For
// PRAGMA foreign_keys through a *sql.DB, see [db.Engine.SQL].
package sqlite
