// Package backend has what authors of dialects implement and call. Users of databases only need
// package db.
//
// A [Dialect] says how a database writes SQL and what its errors mean. Its [Connector] opens
// connections, each of which is a [Session]. These interfaces are small. Further abilities have
// interfaces of their own, such as [Streamer] and [Shared]: package db finds them by type
// assertion. A type that implements one should say so, and the compiler checks it:
//
//	var _ backend.Streamer = (*session)(nil)
//
// A type that embeds another dialect's struct, such as sqlite.Dialect, has its abilities, too. A
// type that embeds an interface, such as Session, has only the methods of that interface: a wrapper
// around a Session hides that the Session is a Streamer, and says itself what it is.
//
// For a blocking database/sql driver, package sqlbackend has the Connector and the Session; only
// the Dialect is left to write. Package dbconform is the test suite that every dialect passes.
// docs/dialects.md walks through the writing of a dialect.
//
// # Errors
//
// A Session returns its driver's errors as they are. Dialect.Fault finds the condition in them,
// such as [ErrUnique], which callers test with errors.Is. Four errors say more:
//
//   - driver.ErrBadConn: nothing reached the database. Package db may try again on another connection.
//   - [UnknownOutcome]: something was sent, and the answer never came.
//   - [BadArgument]: an argument can't be sent.
//   - driver.ErrSkip, where a method's comment allows it: package db does it the usual way.
//
// # Contexts
//
// When the context of a call ends, the Session stops the work, and returns when the connection is
// quiet. A rollback, a reset or Close runs even if its context has ended, in the limited time of
// [Ending].
package backend
