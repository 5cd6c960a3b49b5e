package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"sync"
)

// SQL returns a *sql.DB on the Engine, for code that is written for database/sql: GORM, sqlx, bun,
// ent, goose. It shares the Engine's connections, so one pool is behind both, with one set of limits,
// events and figures. It is the same one for every call, until it is closed. Closing it doesn't close
// the Engine; closing the Engine closes it.
//
// Placeholders, values and column types are those that callers of database/sql know of the database:
// those of modernc.org/sqlite, of go-sql-driver/mysql with parseTime=true, and of pgx's package
// stdlib. Only SQLite's times are written as package db writes them, so that both read and compare
// them. Errors are those of package db: errors.As finds the driver's own, errors.Is the conditions of
// this package. An error is driver.ErrBadConn only if nothing can have been applied.
//
// # Connections
//
// A connection of the sql.DB is virtual, see [VirtualConn]. Its statements are like those of
// [Engine.Exec]: each gets a connection for itself, or none at all on PostgreSQL, where it shares
// one with others. A virtual connection owns a connection of the Engine only
//
//   - in a transaction, from its first statement on;
//   - after a statement that leaves something behind, such as SET, CREATE TEMP TABLE, GET_LOCK or
//     pg_advisory_lock: until the sql.Conn is closed, with which all of that ends. Through the sql.DB
//     itself such a statement has no effect on later ones;
//   - after [VirtualConn.Conn].
//
// Outside of these, LAST_INSERT_ID(), changes(), lastval() and the like have no statement before them
// that they could tell of, so a query for one is refused; use the sql.Result, RETURNING or a
// transaction.
//
// The limits are the Engine's. SetMaxOpenConns(0), which SQL has set, is right. SetConnMaxLifetime
// and SetConnMaxIdleTime have nothing to close.
//
// A prepared statement is a text. The first execution reports what is wrong with it.
//
// # Transactions
//
// A transaction begins with its first statement. BEGIN, COMMIT and ROLLBACK as texts are refused, as
// everywhere in this package. SAVEPOINT, RELEASE and ROLLBACK TO work in a transaction, because GORM
// and bun nest transactions by them; functions of the database don't see these savepoints by their
// names.
//
// # Results
//
// The rows of a result are in memory when Query returns, so that reading them occupies no connection,
// and a transaction can be used meanwhile. Under a context of [StreamSQL] they come as they are read.
//
// # Loops
//
// In a task a call suspends that task only. But three paths of database/sql block the whole loop,
// which stands still then, and is reported as held:
//
//   - a second task uses a sql.Tx or sql.Conn on which a statement of another task is under way:
//     database/sql guards the connection with a mutex meanwhile;
//   - a task commits or rolls back while another task's statement is under way in the transaction;
//   - SetMaxOpenConns is above 0, and a task waits for a connection in database/sql.
//
// So each task needs a transaction of its own, and the number of connections is to be left alone.
// When the context of a transaction ends, a goroutine of database/sql rolls it back; a task that calls
// the transaction at that moment waits for it with its loop. Tasks can share the sql.DB, and its
// prepared statements.
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

// virtualIdle is how many virtual connections a sql.DB keeps. They cost some hundred bytes each.
const virtualIdle = 1024

// sqlDoor is an Engine's sql.DB.
type sqlDoor struct {
	mu     sync.Mutex
	db     *sql.DB // nil before it is asked for, and after it was closed
	closed bool    // so is the Engine
}

// close closes the sql.DB with the Engine.
func (d *sqlDoor) close() {
	d.mu.Lock()
	db := d.db
	d.closed = true
	d.mu.Unlock()
	if db != nil {
		_ = db.Close() // virtual connections have nothing to say
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

// engineDriver is what a sql.DB of Engine.SQL shows as its driver.
type engineDriver struct{}

func (engineDriver) Open(string) (driver.Conn, error) {
	return nil, errors.New("db: a database can't be opened through the driver of Engine.SQL; use db.Open")
}

type streamSQLKey struct{}

// StreamSQL returns a context under which queries through [Engine.SQL] return their rows as they are
// read, in bounded memory, see [Engine.Stream]. Until such rows are read to their end, or closed, they
// have a connection for themselves; in a transaction nothing else can be done meanwhile.
func StreamSQL(ctx context.Context) context.Context {
	return context.WithValue(ctx, streamSQLKey{}, true)
}

func streamsSQL(ctx context.Context) bool { return ctx.Value(streamSQLKey{}) != nil }
