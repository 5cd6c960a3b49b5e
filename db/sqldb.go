package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
	"sync/atomic"
)

// SQL returns a *sql.DB on the Engine, for code that uses database/sql: GORM, sqlx, bun, ent, goose. It
// shares the Engine's pool, with one set of limits, events and statistics. Every call returns the same
// *sql.DB until that is closed. Closing it doesn't close the Engine; closing the Engine closes it. It
// may be used from any number of goroutines.
//
// Placeholders, values and column types are those of the usual driver of the database:
// modernc.org/sqlite, go-sql-driver/mysql with parseTime=true, and pgx's package stdlib. The exception
// is SQLite's times, which are written as package db writes them, so that both can read and compare
// them. Errors are those of package db: errors.As finds the driver's own, and errors.Is the conditions
// of this package. As JSON they show the fields of the driver's error, in which GORM looks for codes;
// for code that asserts its type there is [DriverErrors]. An error is driver.ErrBadConn only if the
// statement had no effect.
//
// # Connections
//
// A connection of the sql.DB is virtual, see [VirtualConn]. Each of its statements runs by itself, as
// with [Engine.Exec]. A virtual connection owns a connection of the Engine only
//
//   - in a transaction, from its first statement on;
//   - after a statement that leaves something behind, such as SET, CREATE TEMP TABLE, GET_LOCK or
//     pg_advisory_lock, until the sql.Conn is closed, which undoes all of that. Through the sql.DB
//     itself such a statement has no effect on later ones, with one exception below;
//   - after [VirtualConn.Conn].
//
// The exception is SQLite's PRAGMA foreign_keys, legacy_alter_table and ignore_check_constraints,
// which the migrators of GORM and ent set through the sql.DB, and set back at the end. In between
// they hold for everything that runs through the sql.DB, and its statements are slower, because
// each then owns a connection.
//
// Otherwise LAST_INSERT_ID(), changes(), lastval() and the like have no earlier statement to report
// on, so a query for one is refused; use the sql.Result, RETURNING or a transaction.
//
// The Engine limits the connections. Leave SetMaxOpenConns at 0, as SQL has set it. SetConnMaxLifetime
// and SetConnMaxIdleTime have nothing to close.
//
// A prepared statement is only a text. The first execution reports what is wrong with it.
//
// # Transactions
//
// A transaction begins with its first statement. BEGIN, COMMIT and ROLLBACK as texts are refused, as
// everywhere in this package. SAVEPOINT, RELEASE and ROLLBACK TO work in a transaction, because GORM
// and bun nest transactions with them. The savepoints have other names in the database.
//
// # Results
//
// All rows of a result are in memory when Query returns, so reading them occupies no connection, and
// the transaction can be used meanwhile. With a context of [StreamSQL] rows are fetched while they are
// read.
//
// LastInsertId is 0 if the statement made no key, and an error on PostgreSQL. On MySQL and MariaDB
// RowsAffected counts the rows that an UPDATE has found, also those that it didn't change, which is
// clientFoundRows=true of their driver.
//
// # Loops
//
// A call in a task suspends only that task. But three paths of database/sql block the whole loop, which
// is then reported as held:
//
//   - a second task uses a sql.Tx or sql.Conn on which a statement of another task is under way:
//     database/sql guards the connection with a mutex meanwhile;
//   - a task commits or rolls back while another task's statement is under way in the transaction;
//   - SetMaxOpenConns is above 0, and a task waits for a connection in database/sql.
//
// So give each task a transaction of its own, and don't limit the sql.DB's connections. When the context
// of a transaction ends, a goroutine of database/sql rolls it back; a task that uses the transaction at
// that moment blocks its loop until then. Tasks can share the sql.DB and its prepared statements.
func (e *Engine) SQL() *sql.DB {
	d := &e.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.db == nil {
		d.db = sql.OpenDB(&sqlConnector{e})
		d.db.SetMaxIdleConns(virtualIdle)
		if d.closed {
			_ = d.db.Close() // it has no connections
		}
	}
	return d.db
}

// virtualIdle is how many virtual connections a sql.DB keeps. Each takes a few hundred bytes.
const virtualIdle = 1024

// sqlDoor is an Engine's sql.DB.
type sqlDoor struct {
	mu     sync.Mutex
	db     *sql.DB // nil before the first call of SQL, and after it was closed
	closed bool    // the Engine is closed

	changed atomic.Pointer[[]sqlSetting] // written under mu; nil while nothing is changed
}

// close closes the sql.DB with the Engine.
func (d *sqlDoor) close() {
	d.mu.Lock()
	db := d.db
	d.closed = true
	d.mu.Unlock()
	if db != nil {
		_ = db.Close() // closing virtual connections doesn't fail
	}
}

// sqlConnector is the driver.Connector of Engine.SQL.
type sqlConnector struct{ e *Engine }

func (c *sqlConnector) Connect(ctx context.Context) (driver.Conn, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return &VirtualConn{e: c.e}, nil
}

func (c *sqlConnector) Driver() driver.Driver { return engineDriver{} }

// Close is called when the sql.DB is closed.
func (c *sqlConnector) Close() error {
	d := &c.e.door
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed {
		d.db = nil
	}
	return nil
}

// engineDriver is the driver that a sql.DB of Engine.SQL returns.
type engineDriver struct{}

func (engineDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("db: the driver of Engine.SQL can't open databases; use db.Open")
}

type streamSQLKey struct{}

// StreamSQL returns a context with which queries through [Engine.SQL] fetch their rows while the caller
// reads them, in bounded memory, see [Engine.Stream]. Until they are read to the end or closed, such
// rows have a connection of their own, or the transaction, which can't do anything else meanwhile.
func StreamSQL(ctx context.Context) context.Context {
	return context.WithValue(ctx, streamSQLKey{}, true)
}

func streamsSQL(ctx context.Context) bool { return ctx.Value(streamSQLKey{}) != nil }
