// Package db gives blue functions a database. The same function runs in a plain goroutine, where
// it blocks, and in a greenlet of a loop, where it suspends only itself. The architecture is that
// of SQLAlchemy's Core: dialects, a pool, named parameters, nested transactions. Values and columns
// follow the rules of database/sql.
//
//	import (
//		"github.com/seed1239206e/repaint/db"
//		_ "github.com/seed1239206e/repaint/db/sqlite"
//	)
//
//	engine, err := db.Open(ctx, "sqlite:///app.db")
//	if err != nil {
//		return err
//	}
//	defer engine.Close(ctx)
//
//	id, err := db.Scalar[int64](ctx, engine,
//		"insert into users(name) values (:name) returning id", db.Named("name", "ada"))
//
// An [Engine] is a database with its pool of connections. A [Conn] is one of
// them, checked out. A [Tx] is a transaction, or a savepoint in one. All three are
// a [Querier]: a function that takes one works alone, on a connection, and as a
// part of its caller's transaction.
//
// # Transactions
//
// Statements of an Engine or Conn commit by themselves. InTx runs a function in
// a transaction and commits it; if the function returns an error, panics or
// exits, everything is rolled back. InTx in a transaction makes a savepoint.
//
//	err := engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
//		_, err := tx.Exec(ctx, "update accounts set balance = balance - 10 where id = :id", db.Named("id", 7))
//		…
//	})
//
// BeginTx, Commit and Rollback do the same by hand. While a transaction is open
// on a Conn, or a savepoint in a transaction, only the innermost Tx can be used.
// BEGIN, COMMIT and the like aren't accepted as statements. A transaction begins
// with its first statement: until then it waits for nothing and keeps no other caller waiting.
//
// [ReadOnly] and [Isolation] are options of a transaction, of a Conn and of an Engine; the
// latter two pass them on to their transactions. With [AutoBegin] the statements of a Conn form a
// transaction that its Commit ends. [Retry] runs a transaction again after a
// deadlock or a serialization failure.
//
// # Parameters
//
// Parameters are written :name, for every database, and get their values from
// [Named] values, maps with string keys, and structs:
//
//	db.Named("id", 7)
//	map[string]any{"id": 7}
//	User{ID: 7}
//
// A field's name is the one in its tag `db:"name"`, or else its own in any mixture of
// case and underscores: CreatedAt is created_at. Every parameter needs a value,
// and every Named value and map key a parameter; otherwise [ErrParameter] says
// which name is wrong. Package sqltext defines what a parameter is; \: is a colon.
//
// A parameter that stands alone in the parentheses of an IN, or after IN without parentheses, takes
// a list. No value is in an empty list, not even NULL:
//
//	db.All[User](ctx, engine, "select * from users where id in (:ids)", db.Named("ids", ids))
//
// [ExecMany] and [QueryMany] run a statement for many rows of arguments. They send the rows of an
// INSERT many at a time.
//
// # Results
//
// A result is complete when Query returns: reading it does no I/O, so no value secretly waits
// for the database. [All], [One], [First] and [Scalar] return Go values. [Rows] and [Row] are
// scanned by hand, and [Each] and [Partitions] iterate.
//
// Stream reads a result that is too large for memory. It fetches rows in pieces while the
// caller reads them, and keeps the connection until the last one.
//
// Columns go into Go variables by the rules of database/sql: NULL needs a pointer,
// a sql.Null or another sql.Scanner; a number that doesn't fit is an error. In
// addition a time.Time takes text, and a struct takes columns by name. A number
// arrives exactly or is an error: a float32 can't be 16777217, and an integer takes a
// float or a decimal only if it has no fraction. Only fractions are rounded to what a float can
// hold. Scanned values share no memory with the driver.
//
// A column of JSON goes into maps, structs, slices and pointers to them, which package
// encoding/json fills; a string gets the JSON itself. [JSON] does so for any column and
// any type, and is an argument as well. Where a database has no type for JSON
// (SQLite, MariaDB), a column of text that is scanned into a map, struct or slice counts
// as JSON.
//
// # Errors
//
// An error of the database is an [*Error], which has the statement, the parameters and
// the database's code. Its condition is the same on all databases:
//
//	if errors.Is(err, db.ErrUnique) { … }
//
// The text of an error shows the names and Go types of parameters. It shows neither their values
// nor values that the database quotes in its message, unless [ShowParameters] asks for them. A
// program finds the values in the fields.
//
// When a context ends, errors.Is finds context.Canceled or DeadlineExceeded and
// the context's cause. A write that was cancelled on its way may or may not have taken
// effect. In a transaction everything up to the next savepoint therefore
// fails with [ErrTxFailed].
//
// # Connections
//
// The pool serves waiters in the order in which they came. If a waiter gives up, the next one gets
// its connection, also one that is still being made. If connecting fails, the slot goes to the
// next waiter. The pool replaces a connection that was lost, whose state isn't known, or that
// keeps settings of its last user. Where a dialect can, it also undoes what a Conn has left behind
// without showing it in a text; docs/leftovers.md lists what stays. Cancelling a query costs no
// connection. PoolSize, MaxOverflow, PoolTimeout, MaxLifetime, PrePing and ReportLeaks are options
// of Open. The garbage collector finds a Conn or Tx that was forgotten.
//
// An Engine may be used from any number of goroutines, loops and tasks. One task at a time uses a
// Conn or Tx: a call during another one gets [ErrInUse], which names the places of both calls.
//
// [OnEvents] registers functions for what happens. [Log] writes it to a logger.
//
// Features that only a driver has are within reach: [Engine.Driver] returns what the Engine uses,
// and [Conn.Raw] and [Tx.Raw] lend the driver's connection.
//
// # What it is not
//
// Package db is no ORM. It writes no SQL except in [UpsertText], creates no schema, and retries
// only in [Retry]. [Inspect] describes a schema. [Engine.SQL] is the door for libraries that use
// database/sql, ORMs among them. From a loop, a driver that blocks is called in another
// goroutine: that keeps the loop going, but makes nothing faster.
//
// # Names that you can skip
//
// These are deprecated. They are for authors of dialects, who find them in packages db/backend and
// db/backend/sqlbackend, and version 1.0 won't have them here: BadArgument, Broken, Call, Column,
// Connector, Cursor, Ending, FailedTx, Idle, InTx, Limits, LostOf, OutOfRange, ParseBool,
// ParseDuration, Register, Resetter, Session, Shared, SQLConn, SQLConnector, SQLDriver, Statement,
// Status, Streamer, Traits, TraitsOf and UnknownOutcome.
package db
