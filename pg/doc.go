// Package pg is a PostgreSQL driver that pipelines by itself and never mixes two callers up.
//
//	db, err := pg.Open("postgres://me@db.example/app")
//	defer db.Close(ctx)
//	err = db.QueryRow(ctx, "select name from users where id = $1", 42).Scan(&name)
//
// Its methods have the shape of pgx's, and return pgx.Rows and pgconn.CommandTag. So
// pgx.CollectRows, pgx.BeginFunc and the code that sqlc generates for pgx work with it. The methods
// are blue: they return values. Any goroutine may call them, and any task of package repaint, where
// a wait suspends only that task. [DB.Async] has the red methods, which return futures.
//
// # Lanes
//
// A lane is a connection that carries the statements of many callers. No caller waits for another's
// round trip: a new statement is written at once, after the earlier ones, even while the server is
// at work. In a loop all statements of a tick are one write for each lane. In goroutines the
// statements that come during a write join the next one.
//
// Statements wait in one queue until a lane has room. A lane has room while it carries fewer
// statements than its depth, which is 8 at first and adapts to the network. So one slow statement
// delays few others. If statements still wait for milliseconds, another lane is opened, up to
// pool_lanes. Lanes beyond the first 4 are closed after a minute without work.
//
// Each statement is its own transaction, with its own Sync, so an error of another statement
// doesn't affect it. To run several statements as one transaction, in one round trip, use a batch:
// [DB.SendBatch].
//
// Each text is prepared on each lane when it is first used there, under a name that is derived from
// the text. If the schema changes, the driver prepares statements anew and sends them again, and
// callers don't notice. FETCH, MOVE, EXECUTE, SHOW and EXPLAIN aren't prepared, because their
// columns can change under the same text. Their values come as text. A statement such as SET TIME
// ZONE may change what a text means, because the server evaluates constants when it prepares. After
// one, a session prepares its statements anew.
//
// # Readers
//
// [DB.Reader] is a view of the DB that only reads. It has lanes of its own, on which the server
// refuses statements that write. There the queries of different callers that travel in one write
// share one Sync, up to reader_group of them. So the server begins and ends one transaction for
// all, which is most of its work for a short query. [Reader] says why callers don't notice, and
// what is refused.
//
// # Sessions
//
// A session is a connection that one caller owns: from Begin to Commit or Rollback, or from
// [DB.Acquire] to [Session.Release] or [Session.Close]. Sessions come from a pool of their own,
// with up to pool_sessions connections. Callers that wait for one are served in the order in which
// they came.
//
// A statement that leaves state behind on its connection needs a session, because on a lane it
// would affect other callers: SET, RESET, DISCARD, PREPARE, EXECUTE, DEALLOCATE, DECLARE, FETCH,
// MOVE, CLOSE, LOAD, LISTEN, UNLISTEN, temporary tables, and BEGIN, COMMIT and their kind as text.
// On a lane such statements are refused, with [ErrRefusedOnLane]. The driver doesn't quietly move
// them to a session, because their state would be gone with that session. It recognises them by
// their text, by the server's command tags, and by the server's reports of settings such as
// TimeZone, client_encoding or session_authorization. If a function leaves state behind on a lane
// nevertheless, the lane is closed. Statements that other callers had sent there are sent again if
// they had no effect; otherwise they fail with a [LostError], because they ran under a foreign
// setting. The rest can't be recognised, as with PgBouncer's transaction pooling: on a lane, don't
// call functions and procedures that take session-level advisory locks, or change settings that the
// server doesn't report, such as the role, and don't rely on lastval and currval. docs/leftovers.md
// lists everything that a statement can leave behind, and what happens to it.
//
// When a session is released, the driver rolls back an open transaction, restores the role and the
// settings, and removes cursors, LISTENs, advisory locks, temporary objects and the values of
// currval. After statements of the kind above, DO and CALL, it removes prepared statements, too. A
// session that only ran a transaction, without such statements and without a report of the server,
// goes to its next owner as it is. The driver can't repeat the work of an AfterConnect hook: if
// that work is gone, it closes the connection. A closed session has no next owner. [Session.Renew]
// releases and acquires the same connection, and [Session.Keep] keeps a setup.
//
// A call on an ended owner sends nothing: on a transaction that was committed or rolled back, on a
// savepoint of such a transaction, and on a released session. That holds, too, for a call that had
// begun before and still waits for the types or values of its arguments. The error is
// pgx.ErrTxClosed, or [ErrClosed]. A statement that was sent before the end is executed before it.
// In a loop, so is a statement that was called earlier in the same tick.
//
// With pipeline=off there are no lanes: each statement has a session while it runs, and nothing is
// sent before the server has answered the statement before.
//
// # Results
//
// All rows of a result are in memory when the query returns. Walking over them does no I/O, and
// rows that aren't read, or not closed, occupy no connection. A result of more than result_limit
// bytes, by default 128 MiB, is thrown away, and the caller gets [ErrResultTooLarge]. Stream such a
// result.
//
// [DB.Stream], [Session.Stream] and [Tx.Stream] return rows as they come, in bounded memory: if
// they aren't read, the server waits. Such rows own a session, or occupy the one that they belong
// to, until they have been read to the end or closed. Meanwhile every other call there fails with
// [ErrInUse], except Rollback and Release, which end the rows. Closing them early cancels the
// statement. In a transaction, which a cancel would end, the driver reads the rest and throws it
// away. In a plain goroutine the caller reads the connection itself. In a loop the driver reads
// ahead, up to a quarter of a megabyte, and the task is suspended only while no row has come. A
// [Cursor] leaves the transaction free for other statements between its fetches.
//
// # Types
//
// [DB.LoadTypes] makes the database's own types known: composites, enums, domains, ranges, and
// arrays of them. Types of the application's own, with codecs of pgtype, are registered by
// Config.RegisterTypes.
//
// # COPY
//
// CopyFrom inserts rows as pgx's does, and CopyFromReader sends what it reads. CopyTo writes what
// the server sends, and CopyOut yields it. They are streams like those above: they own a session,
// and the faster side waits for the slower. A COPY that is given up before its end inserts nothing.
// CopyFrom asks for the types of the columns in the same write as its COPY, which costs no round
// trip.
//
// # Notifications
//
// [DB.Listen] listens on a connection of its own. If that breaks, the driver opens another, and a
// [Notification] says that some may have been missed.
//
// # Limits, names, traces
//
// With a [Timeout] before the arguments, the server itself ends a statement that takes too long.
// With pgx.ReadOnly it refuses to write, also in functions, as in a read-only transaction.
// [Session.Prepare] gives a statement a name for the life of a session. Config.Tracer takes tracers
// for pgx, if they accept that there is no pgx.Conn; [LogTracer] is one that writes to a
// slog.Logger.
//
// # Cancellation
//
// When a context ends, its caller returns at once. What happens to the statement depends on how far
// it has come:
//
//	waiting, or not yet written   it is dropped, and was never sent
//	sent, and waiting for others  it will run, and its answer is thrown away; if it runs for long it is cancelled
//	being executed                the server is asked to cancel it
//
// The driver sends nothing more on that connection until the server has both answered and closed
// the connection of the cancel request. There are at most 16 such requests at once, and 100 in a
// second; repeated requests for the same statement become rarer. If the statement ends just then,
// its cancel can hit the next statement, which the driver then sends again. It doesn't send a
// statement again that commits by itself and has begun: that caller gets the error 57014. These are
// CALL and DO, and what PostgreSQL refuses in a transaction: VACUUM, CREATE INDEX CONCURRENTLY,
// CREATE DATABASE and the like. The end of a context closes no connection, unless the server
// doesn't answer, see below. A killed greenlet ends its wait in the same way.
//
// A caller whose context has ended can't know whether the statement was applied.
//
// # When connections break
//
// If a statement was certainly not executed, the driver sends it on another lane. That is so if it
// wasn't written in full, if the server announced its end before it looked at this statement, or if
// the server ended the connection because it was idle. For other statements [LostError] says
// whether they may have been applied.
//
// A session or transaction gets another connection in the same way, as long as nothing has been
// executed for its owner. After that, losing the connection loses everything that the session had,
// and each call returns a LostError.
//
// A network can also swallow a connection: nothing arrives any more, not even its end. So the
// server must answer a cancel request, and the driver's own rollbacks and resets, within
// cancel_timeout, by default 3 seconds. If it is silent for longer, the driver closes the
// connection, and the callers that wait on it get a LostError. When one connection is silent, the
// driver also asks the idle ones for a sign of life. A call that ends something (Rollback, Release,
// and Close of a session, a cursor, rows or the DB) takes no longer than that, whatever its context
// says.
//
// The driver opens lanes and sessions again with growing pauses, and tries all hosts of the
// connection string in turn. A statement waits for that. It fails if an attempt fails and no lane
// is left. A caller that waits for a session fails when the attempt that it waits for fails.
//
// # The lives of connections
//
// By default a connection is used as long as it works. Config.MaxConnLifetime replaces it at an
// age, and [DB.Reset] at once; callers notice neither. MaxConnIdleTime closes idle connections.
// MinLanes, MinSessions and MinIdleSessions keep connections ready. HealthCheckPeriod finds
// connections that the network has swallowed before a caller does. BeforeConnect supplies a
// password that changes. [ParseConfig] says what pgxpool's options mean here, and [Stats] has the
// names of the figures of pgxpool's Stat.
//
// A goroutine of the DB's own opens a connection, within connect_timeout, whatever the context of
// the caller that needs it. If that caller gives up, the connection goes to the next one.
//
// # PgBouncer
//
// In session mode PgBouncer needs no setting here, but a server connection for each lane, session
// and listener: pool_lanes and pool_sessions should fit into its default_pool_size. LISTEN works.
//
// In transaction mode the next transaction may run on another server connection, where a statement
// isn't prepared, unless PgBouncer keeps track of them (from 1.21 on, with max_prepared_statements
// above 0). Set default_query_exec_mode in the connection string:
//
//	exec             one round trip; the server finds the types, and values travel as text; works with any server
//	cache_describe   one round trip, and one more for the first use of each text; values in binary
//	simple_protocol  only for texts without arguments; the first one of a transaction is executed by exec, with the BEGIN
//
// In the default mode, cache_statement, the driver prepares one-shot statements again where they
// are missing, which costs a round trip. In a transaction it can't, and the error, 26000, says what
// to set. Sessions are of little use in this mode: the next client of the server connection gets
// their settings, and LISTEN doesn't work.
//
// Cancellation is the same in both modes. If PgBouncer loses the server, callers get a [LostError].
//
// # Errors
//
// The error of a statement is a [*StatementError]: which statement, on which server, at which
// stage. In it errors.As finds the server's *pgconn.PgError, a [*ConnectError], an
// [*ExhaustedError], a [*LostError] or an [*EncodeError]. pgconn.SafeToRetry and pgconn.Timeout
// know all of these. The error of a batch is a [*BatchError], too, which says which statement
// failed. errors.Is finds the conditions [ErrConnLost], [ErrClosed], [ErrQueueFull],
// [ErrRefusedOnLane], [ErrInUse], [ErrResultTooLarge], [ErrProtocol], and the context's cause. The
// message of a *pgconn.PgError may quote values. The text of the errors around it leaves them out;
// see Config.ShowParameters.
//
// If a function of the application panics while the driver calls it, the caller that caused the
// call gets the panic, or an error in which errors.As finds the *loop.PanicError. A panic in
// OnNotification has no such caller: it closes the connection.
//
// # Who may call what
//
// Any number of goroutines and tasks may use a DB, a Session or a Tx at once. The statements of a
// session, and of a transaction, run in the order in which they were called. Rows, batch results
// and cursors belong to one goroutine or task at a time. A bare callback of a loop can't wait: use
// Async there.
//
// # What it isn't
//
// pgx does TLS, authentication, the choice of hosts and the conversion of types. The simple
// protocol is for texts without arguments. Statements of this package don't run on a pgx.Conn, so
// methods that return one return nil. For code that needs one, such as large objects, logical
// replication or types of extensions, a session can lend its connection as one: [Session.Pgx],
// [DB.Pgx], [DB.RegisterTypes].
package pg
