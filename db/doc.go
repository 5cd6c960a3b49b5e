// Package db is a database for blue functions: written once, they run in plain
// goroutines, where they block, and as greenlets of a loop, where they suspend
// only themselves. It is the architecture of SQLAlchemy's Core in Go's terms.
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
// BeginTx, Commit and Rollback are the same by hand. While a transaction is open
// on a Conn, or a savepoint in a transaction, only the innermost Tx can be used.
// BEGIN, COMMIT and their like aren't accepted as statements. A transaction begins
// with its first statement: until then it waits for nothing and keeps no other caller waiting.
//
// [ReadOnly] and [Isolation] are options of a transaction, of a Conn for all of its
// own, and of the Engine. With [AutoBegin] the statements of a Conn make a
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
// A field has the name in its tag `db:"name"`, or else its own in any mixture of
// case and underscores: CreatedAt is created_at. Every parameter needs a value,
// and every Named value and map key a parameter; mistakes are errors that say
// which name is wrong. Package sqltext tells what is a parameter; \: is a colon.
//
// A parameter alone in the parentheses of an IN, or after it without any, takes a list. Nothing
// is in an empty one, not even NULL:
//
//	db.All[User](ctx, engine, "select * from users where id in (:ids)", db.Named("ids", ids))
//
// [ExecMany] and [QueryMany] run a statement for many rows of arguments, and send
// rows to be inserted many at a time.
//
// # Results
//
// A result is complete when Query returns: reading it does no I/O, so there is no
// place where a value secretly waits for the database. [All], [One], [First] and
// [Scalar] return Go values; [Rows] and [Row] are there for doing it by hand, and
// [Each] and [Partitions] for iterating.
//
// A result that is too large for that is read with Stream, which fetches rows in
// pieces while they are read, and keeps the connection until they are.
//
// Columns go into Go variables by the rules of database/sql: NULL needs a pointer,
// a sql.Null or another sql.Scanner, a number that doesn't fit is an error. In
// addition text is read as a time.Time, and structs take columns by name. Numbers
// arrive exactly, or it is an error: a float32 can't be 16777217, and an integer takes a
// float or a decimal that has no fraction. Only a fraction is rounded to what a float can
// hold. What is scanned is the caller's own memory.
//
// A column of JSON goes into maps, structs, slices and pointers to them, which package
// encoding/json fills; a string gets the JSON itself. [JSON] does so for any column and
// any type, and is an argument for one as well. Where a database has no type for JSON
// (SQLite, MariaDB), a column of text that is scanned into a map, struct or slice is taken
// for JSON.
//
// # Errors
//
// Errors of the database are an [*Error], which has statement, parameters and
// the database's code. What they mean is the same for all databases:
//
//	if errors.Is(err, db.ErrUnique) { … }
//
// The text of an error has the names and Go types of parameters, not their values, nor those that a
// database quotes in its message. [ShowParameters] shows them; a program finds them in the fields.
//
// When a context ends, errors.Is finds context.Canceled or DeadlineExceeded and
// the context's cause. A write that was cancelled on its way may have taken effect or
// not; in a transaction it therefore makes everything up to the next savepoint
// fail, and [ErrTxFailed] says so.
//
// # Connections
//
// Waiters for a connection are served in the order they came. A waiter that gives up leaves the
// line; what had been handed to it goes to the next. A connection that is being made when its
// caller gives up is made all the same, and goes to the next. If connecting fails, the slot goes to
// the next waiter. A connection that was lost, whose state isn't known, or that has settings of
// its last user, is replaced. What a Conn has left behind that no text shows is undone, where the
// dialect can; docs/leftovers.md tells what isn't. A query that was cancelled costs no connection.
// PoolSize, MaxOverflow, PoolTimeout, MaxLifetime, PrePing and ReportLeaks are options of Open. A
// Conn or Tx that is forgotten is found by the garbage collector.
//
// One task at a time uses a Conn or Tx. A call during another one gets [ErrInUse],
// which names the places of both calls; the Engine can be used by all.
//
// [OnEvents] registers functions for what happens, [Log] writes it to a logger.
//
// What only a driver can do is within reach: [Engine.Driver] is what the Engine uses, and
// [Conn.Raw] and [Tx.Raw] lend the driver's connection.
//
// # What it is not
//
// It is no ORM. It builds no SQL but [UpsertText]'s, makes no schema, and retries nothing that
// wasn't asked for. [Inspect] reads what a schema is; [Engine.SQL] is the door for libraries on
// database/sql, ORMs among them. Drivers that block are called on other goroutines from a loop: the
// loop doesn't stand still, but nothing gets faster by that.
package db
