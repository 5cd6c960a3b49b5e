// Package stdlib is a database/sql driver over package pg. GORM, sqlx, bun, ent, goose and whatever
// else speaks database/sql runs on it unchanged.
//
//	db, err := sql.Open("repaint", "postgres://me@db.example/app")
//
// Or, with a [pg.DB] that other code uses, too, so that all of them share its connections:
//
//	db := stdlib.OpenDB(pgDB)
//
// Values, errors and placeholders ($1, $2) are those of pgx's package stdlib. If the server refuses
// a statement, the error is the server's *pgconn.PgError itself, unless its message has a value,
// which isn't shown. Other errors come from package pg. In all of them errors.As finds the
// *pgconn.PgError, and errors.Is the context's cause. A connection that was lost before the server
// can have executed the statement is driver.ErrBadConn, so database/sql repeats the call.
//
// # Connections
//
// A connection of database/sql is virtual here. Its statements travel on the lanes of the pg.DB,
// beside the statements of all other callers, so 256 callers share a few connections to the server,
// and none waits for another's round trip. A virtual connection owns a session, which is a
// connection to the server that no other caller uses, only
//
//   - in a transaction, from Begin to Commit or Rollback;
//   - after a statement that leaves something behind on its connection, such as SET, LISTEN, CREATE
//     TEMP TABLE or pg_advisory_lock: from that statement on, until the sql.Conn is closed. What
//     was left behind ends with it;
//   - after [Conn.Session], [Conn.Pgx] and [Conn.Conn].
//
// So run such statements on a sql.Conn: on a sql.DB they have no effect on later statements. That
// is different from pgx's stdlib, where a SET lasts on one of the pool's connections.
//
// The limits are those of the pg.DB: pool_lanes and pool_sessions. Leave sql.DB.SetMaxOpenConns at
// 0, no limit, as [OpenDB] does: a limit there would only make callers wait for a virtual
// connection. SetConnMaxLifetime and SetConnMaxIdleTime have nothing to close.
//
// # Statements
//
// A prepared statement is a text whose parameters the server has described. It belongs to no
// connection: it is executed on the lanes like any other text, and package pg prepares every text
// by itself. Preparing it once more costs a round trip and saves none. In a task Prepare returns at
// once, and the first execution reports what is wrong with the text.
//
// # Results
//
// The rows of a result are in memory when Query returns, up to result_limit bytes (128 MiB by
// default); beyond it the error is pg.ErrResultTooLarge. So rows that are open occupy no
// connection, and a transaction may be used while they are read. Under a context made by [Stream]
// rows come as they are read, in bounded memory, from a session of their own.
//
// # Loops
//
// In a task of package repaint a call suspends only that task. But database/sql holds mutexes while
// a statement runs, and a second task that wants such a mutex blocks the whole loop. The loop then
// stands still, and reports the place after 5 seconds, or after the limit of loop.Debug. These are
// all such cases:
//
//   - Two tasks use one sql.Tx or one sql.Conn at the same time, also for Commit, Rollback and Raw.
//     Give each task a transaction of its own, or use package db or pg, which refuse or queue such
//     calls.
//   - A task closes a sql.Stmt while another executes it, or streamed sql.Rows while another is in
//     Next.
//   - A task waits for one of sql.DB.SetMaxOpenConns. The deadline of its context ends the wait; a
//     deadline on the loop's clock, too. Leave the limit at 0: a wait for a session in package pg
//     suspends the task only.
//   - A sql.Conn is closed while rows or a transaction of it are open, or a transaction ends while
//     a sql.RawBytes of it is in use. These block a goroutine in the same way, with any driver.
//
// Everything else is safe. Tasks may share the sql.DB, and execute one sql.Stmt at the same time.
// One task may use a sql.Conn or a sql.Tx while rows of it are open; if these are streamed it gets
// pg.ErrInUse. A transaction may end while rows of it are open: Commit then waits until the server
// has sent the rest, which suspends the task, and Rollback doesn't wait. When the context of rows
// or of a transaction ends, a goroutine of database/sql closes the rows or rolls back, which
// doesn't need the loop. If a session is lost while rows of its sql.Conn are open, the error isn't
// a driver.ErrBadConn, because database/sql would wait for the rows to be closed.
package stdlib
