// Package pg is a PostgreSQL driver that pipelines by itself and never mixes two callers up.
//
//	db, err := pg.Open("postgres://me@db.example/app")
//	defer db.Close(ctx)
//	err = db.QueryRow(ctx, "select name from users where id = $1", 42).Scan(&name)
//
// Its methods have the shape of pgx's, and return pgx.Rows and pgconn.CommandTag; so
// pgx.CollectRows, pgx.BeginFunc and what sqlc generates for pgx work with it. They are blue: they
// return values, and can be called in any goroutine and in any task of package repaint, where a
// wait suspends only that task. [DB.Async] has the red ones, which return futures.
//
// # Lanes
//
// A lane is a connection that carries the statements of many callers. No caller waits for another's
// round trip: what is called while the server is at work is written at once, after what was
// written before. In a loop the statements of a tick are one write for each lane; in goroutines
// those who come during a write join the next one.
//
// Statements wait in one queue and are put on a lane only when that has room, which is when it
// carries fewer than a number that adapts to the network, 8 at first. So one slow statement delays
// few others. If statements wait for milliseconds all the same, another lane is opened, up to
// pool_lanes. Those beyond the first few are closed when they have had nothing to do for a minute.
//
// Each statement is its own transaction, with its own Sync: another's error is none of its
// business. A group that is to be one transaction, and one round trip, is a batch: [DB.SendBatch].
//
// Each text is prepared on each lane when it is first used there, under a name that is derived from
// it. If the schema changes, statements are prepared anew and sent again, and callers don't notice.
// FETCH, MOVE, EXECUTE, SHOW and EXPLAIN aren't prepared: what they show can be made anew, under
// the same name. Their values come as text. On a session nothing is used that was prepared before a
// statement after which texts may mean something else, such as SET TIME ZONE: the server has
// evaluated what it could.
//
// # Readers
//
// [DB.Reader] is a view that only reads, on lanes of its own, on which the server refuses what
// writes. There the queries of strangers that are put into one write share one Sync, reader_group
// of them at most, so the server begins and ends one transaction for all. That is what it mostly
// does for a short query. [Reader] says why no caller can tell, and what is refused.
//
// # Sessions
//
// A session is a connection that one caller owns: from Begin to Commit or Rollback, or from
// [DB.Acquire] to [Session.Release] or [Session.Close]. Sessions come from a pool of their own, of
// pool_sessions connections. Callers that wait for one are served in the order in which they came.
//
// What leaves something behind on its connection needs a session, since on a lane it would concern
// strangers: SET, RESET, DISCARD, PREPARE, EXECUTE, DEALLOCATE, DECLARE, FETCH, MOVE, CLOSE, LOAD,
// LISTEN, UNLISTEN, temporary tables, and BEGIN and its kind as text. On a lane they are refused,
// with [ErrRefusedOnLane]. They aren't quietly moved to a session, because what they leave would be
// gone with it. These are recognised by the text, and by what the server says: by its command tags,
// and its reports of settings such as TimeZone, client_encoding or session_authorization. A lane on
// which something was left nevertheless, by a function, is closed. What strangers had sent there by
// then is sent again if it had no effect, and fails with a [LostError] otherwise: it was executed
// under a setting that wasn't theirs. What can't be recognised is the same as with PgBouncer's
// transaction pooling: on a lane, don't call functions and procedures that take session-level
// advisory locks or change settings that the server doesn't report, such as the role, and don't
// rely on lastval and currval. docs/leftovers.md lists what becomes of everything that a statement
// can leave behind.
//
// A released session is rolled back if a transaction is open, and gets its role and settings back;
// cursors, listens, advisory locks, temporary objects and the values of currval are gone. After
// statements of the kind above, DO and CALL, prepared statements are gone, too. A session that only
// had a transaction, without such statements and without a report of the server, is passed on as it
// is. If the configuration has an AfterConnect hook, what that has set up can't be made again: the
// connection is closed instead if it isn't set up so any more. A session that is closed isn't
// passed on. [Session.Renew] releases and acquires the same connection, [Session.Keep] has a setup
// kept.
//
// What comes after the end of its owner isn't sent: calls on a transaction that was committed or
// rolled back, on a savepoint whose transaction was, and on a released session, also those that had
// begun before and wait for the types, or the values, of their arguments. The error is
// pgx.ErrTxClosed, or [ErrClosed]. A statement that was sent before is executed before the end; in
// a loop, so is what was asked for earlier in the same tick.
//
// With pipeline=off there are no lanes: each statement has a session while it runs, and nothing is
// sent before the server has answered what it was sent before.
//
// # Results
//
// All rows of a result are in memory when the query returns. Walking over them does no I/O, and
// rows that aren't read, or not closed, occupy no connection. A result of more than result_limit
// bytes, 128 MiB if nothing else is said, is thrown away, and the error [ErrResultTooLarge] says to
// stream it.
//
// [DB.Stream], [Session.Stream] and [Tx.Stream] return rows as they come, in bounded memory: if
// they aren't read, the server waits. Such rows own a session, or occupy the one that they belong
// to, until they have been read to the end or closed: everything else there fails with [ErrInUse],
// but for Rollback and Release, which end them. Closing them early cancels the statement; in a
// transaction, which a cancel would end, the rest is read and thrown away. In a plain goroutine the
// caller reads the connection itself. In a loop the driver reads ahead, a quarter of a megabyte at
// most, and the task is suspended only when nothing has come. A [Cursor] leaves the transaction
// free for other statements between its fetches.
//
// # Types
//
// [DB.LoadTypes] makes the database's own types known: composites, enums, domains, ranges, and
// arrays of them. Types of the application's own, with codecs of pgtype, are registered by
// Config.RegisterTypes.
//
// # COPY
//
// CopyFrom inserts rows as pgx's does, CopyFromReader sends what a reader has, CopyTo and CopyOut
// give what the server sends to a writer or an iterator. They are streams like those above: they
// own a session, and hold the one back that is faster. What is given up before its end has inserted
// nothing. The types of the columns are asked for in the same write as the COPY of CopyFrom, which
// costs no round trip.
//
// # Notifications
//
// [DB.Listen] listens on a connection of its own. If that breaks it is opened again, and a
// [Notification] says that some may have been missed.
//
// # Limits, names, traces
//
// A [Timeout] before the arguments has the server itself end a statement that takes too long;
// pgx.ReadOnly has it refuse what writes, also in functions, as in a read-only transaction.
// [Session.Prepare] gives a statement a name for the time of a session. Config.Tracer takes tracers
// that were made for pgx, if they accept that there is no pgx.Conn; [LogTracer] is one that writes
// to a slog.Logger.
//
// # Cancellation
//
// When a context ends, its caller returns at once, and what becomes of the statement depends on how
// far it has come:
//
//	waiting, or not yet written   it is dropped, and was never sent
//	behind others                 it will run, and its answer is thrown away; if it runs for long it is cancelled
//	being executed                the server is asked to cancel it
//
// Nothing is put on that connection before the server has both answered and closed the connection
// over which it was asked. There are at most 16 such requests at once, and 100 in a second; those
// for the same statement become rarer. If the cancel hits another statement, which it can if its
// own ends just then, that one is sent again. One that commits by itself isn't, once it has begun:
// its caller sees the error 57014. These are CALL and DO, and what PostgreSQL refuses in a
// transaction: VACUUM, CREATE INDEX CONCURRENTLY, CREATE DATABASE and the like. No connection is
// closed because a context ended, unless the server doesn't answer, see below. It is the same if a
// greenlet is killed while it waits.
//
// A caller whose context has ended can't know whether the statement was applied.
//
// # When connections break
//
// A statement that was certainly not executed is sent on another lane: it wasn't written in full,
// the server said that it is going while an earlier one ran or before it looked at this one, or
// that it went because it had been idle for too long. For the others [LostError] says whether it
// may have been applied.
//
// A session or transaction gets another connection in the same way, as long as nothing has been
// executed for its owner. After that its loss is that of all it had.
//
// A network can also swallow a connection: nothing arrives any more, and no end of it either. If
// for cancel_timeout, 3 seconds if nothing else is said, nothing is heard of a statement that the
// server was asked to cancel, or of what the driver itself asks to roll back and reset, the
// connection is given up: those who wait on it get a LostError, and its place is free. As soon as
// one is suspicious, the others that have nothing to do are asked for a sign of life. What ends
// something, Rollback, Release, the Close of a session, a cursor, rows or the DB, takes no longer
// than that, whatever its context says.
//
// Lanes and sessions are opened again with growing pauses, all hosts of the connection string in
// turn. A statement waits for that; it fails if an attempt fails and no lane is left. A caller who
// waits for a session fails with the attempt that it waits for.
//
// # The lives of connections
//
// By default a connection is used as long as it works. Config.MaxConnLifetime has it replaced at an
// age, [DB.Reset] at once; neither is noticed by callers. MaxConnIdleTime closes what has nothing
// to do, MinLanes, MinSessions and MinIdleSessions keep connections ready, HealthCheckPeriod finds
// those that the network has swallowed before a caller does, and BeforeConnect knows a password
// that changes. [ParseConfig] says how pgxpool's options for these are understood, and [Stats] what
// became of the figures of pgxpool's Stat.
//
// A connection is opened by a goroutine of the DB's own, in the time of connect_timeout, whatever
// the context of the caller says who needs it. If that caller gives up, it goes to the next.
//
// # PgBouncer
//
// In session mode PgBouncer needs no setting here, but a server connection for each lane, session
// and listener: pool_lanes and pool_sessions should fit into its default_pool_size. LISTEN works.
//
// In transaction mode prepared statements are on another connection the next time, unless PgBouncer
// keeps track of them (from 1.21 on, with max_prepared_statements above 0). Set
// default_query_exec_mode in the connection string:
//
//	exec             one round trip; the server finds the types, and values travel as text. What a server of any kind can do
//	cache_describe   one round trip, and one more for the first use of each text; values in binary
//	simple_protocol  only for texts without arguments
//
// In the default mode, cache_statement, one-shot statements are prepared again where they are
// missing, at the cost of a round trip; in a transaction that isn't possible, and the error, 26000,
// says what to set. Sessions are of little use in this mode: what they set stays with the client
// that gets the server connection next, and LISTEN doesn't work.
//
// Cancellation is the same in both modes. If PgBouncer loses the server, that is a [LostError].
//
// # Errors
//
// The error of a statement is a [*StatementError]: what, where, and how far. In it may be a
// [*ConnectError], an [*ExhaustedError], a [*LostError] or an [*EncodeError]. pgconn.SafeToRetry
// and pgconn.Timeout know all of them. That of a batch is a [*BatchError], too, which says which
// statement it was. In it errors.As finds the server's *pgconn.PgError, whose message may quote
// values that the text leaves out (see Config.ShowParameters), and errors.Is the conditions
// [ErrConnLost], [ErrClosed], [ErrQueueFull], [ErrRefusedOnLane], [ErrInUse], [ErrResultTooLarge],
// [ErrProtocol], and the context's cause.
//
// A function of the application that panics while the driver calls it makes that the error, or the
// panic, of the caller who has caused it; errors.As finds the *loop.PanicError. OnNotification has
// no such caller: its connection is closed.
//
// # Who may call what
//
// A DB, a Session and a Tx may be used by any number of goroutines and tasks at once; on a session,
// and in a transaction, their statements follow each other in the order in which they came. Rows
// belong to one at a time. In a bare callback of a loop nothing can wait: use Async there.
//
// # What it isn't
//
// TLS, authentication, hosts and type conversion are pgx's. The simple protocol is for texts
// without arguments. Statements of this package run on no pgx.Conn: what returns one returns nil.
// Code that wants one, for large objects, logical replication or types of extensions, is lent a
// session's connection as one: [Session.Pgx], [DB.Pgx], [DB.RegisterTypes].
package pg
