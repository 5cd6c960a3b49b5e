// Package sqlite is the SQLite dialect of package db. Importing it is enough:
//
//	import (
//		"github.com/seed1239206e/repaint/db"
//		_ "github.com/seed1239206e/repaint/db/sqlite"
//	)
//
//	engine, err := db.Open(ctx, "sqlite:///app.db")
//
// The driver is modernc.org/sqlite, which is SQLite in pure Go. [OpenDB] takes
// an open database of another driver, such as mattn/go-sqlite3 or
// ncruces/go-sqlite3.
//
// # URLs
//
//	sqlite:///relative/file.db
//	sqlite:////absolute/file.db
//	sqlite://                    in memory; so is sqlite:///:memory:
//
// A database in memory belongs to its Engine: all connections see the same one,
// no other Engine does, and it is gone when the Engine is closed.
//
// Options, beside those of package db (SQLite's name for each is the PRAGMA):
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
// synchronous=normal is several times as fast for small transactions. A crash of
// the machine can then undo the last of them, but never damages the file.
//
// # Writing
//
// SQLite has one writer at a time. It makes the others poll, and fail with
// "database is locked" when they are out of luck. Here they wait in the Engine,
// first come first served: a waiting greenlet suspends itself, a waiting
// goroutine blocks. A statement counts as a write unless it surely is none:
// select, values, explain, and pragmas that only tell something. Reads never
// wait for writes in a file, thanks to its write-ahead log; in memory a
// transaction that writes has the database for itself.
//
// A transaction is begun with BEGIN IMMEDIATE, so that it never fails halfway for want of the lock;
// [db.ReadOnly] makes it a plain BEGIN, which waits for no other caller, and in which writing is an error
// (by PRAGMA query_only). There are no transactions that turn from reading to writing: SQLite can't
// do that once another connection has written.
//
// What follows from one writer at a time: inside a transaction use its Tx. A
// write through the Engine would wait for the transaction, which waits for it;
// after pool_timeout it fails with db.ErrBusy. In memory so does a read.
// Another process that holds the file's lock is waited for by polling,
// for busy_timeout; then the error is db.ErrBusy too.
//
// # In a loop
//
// A call that is known to be short is made in the loop, see [db.InlineLimit]; others are made by
// another goroutine, so that the loop goes on. A call never waits in the loop for a lock of another
// process. A context that ends during a call in the loop has no effect on that call, so a deadline
// doesn't bound it: db.InlineLimit(0) is for statements that are short with some arguments and long
// with others, and have to keep a deadline.
//
// # Values
//
// A time is stored as text in UTC with nanoseconds, which sorts by time, and
// read as a time.Time in UTC from columns declared DATE, DATETIME or TIMESTAMP;
// other columns give the text, which Scan converts for a *time.Time. Years are 0 to
// 9999; others are an error. Booleans are stored as 0 and 1. An integer beyond int64
// and a float that a narrower Go variable can't hold are errors. JSON is text, whatever
// the column's type is: see db.JSON.
//
// # What it is not
//
// It has no API of its own for custom functions or the like; register those with the
// driver before opening. [Backup] copies a database that is in use.
// ATTACH, temporary tables and changed PRAGMAs last as long as the Conn that
// made them, and no longer: its connection isn't given to another caller.
package sqlite
