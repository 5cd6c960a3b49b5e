// Package backend is what authors of dialects implement and call. Users of databases need package
// db only.
//
// A [Dialect] says how a database writes SQL and what its errors mean. Its [Connector] opens
// connections, each a [Session]. The interfaces have a small core; what a database can do beyond
// it are interfaces of their own, such as [Streamer] and [Shared], which package db looks for. A type
// that is meant to be one says so, so that the compiler checks it:
//
//	var _ backend.Streamer = (*session)(nil)
//
// For a blocking driver of database/sql, package sqlbackend has Connector and Session: only the
// Dialect is left to write. Package dbconform is the test that every dialect passes. docs/dialects.md
// walks through one.
//
// # Errors
//
// A Session returns its driver's errors as they are, and Dialect.Fault reads them: it finds the
// condition, such as [ErrUnique], that the caller asks for by errors.Is. Four errors say more:
//
//   - driver.ErrBadConn: nothing reached the database. It may be tried again on another connection.
//   - [UnknownOutcome]: something was sent, and the answer never came.
//   - [BadArgument]: an argument can't be sent.
//   - driver.ErrSkip, where a method's comment allows it: do it the usual way.
//
// # Contexts
//
// When the context of a call ends, the Session stops the work and returns, but not before the
// connection is quiet. What ends something, a rollback or Close, runs even if its context has ended,
// in the limited time of [Ending].
package backend
