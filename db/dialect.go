package db

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/seed1239206e/repaint/sqltext"
)

// Dialect is what differs between databases. To add a database, implement it
// and [Register] it; a database that has a database/sql driver gets its
// Connector from [SQLConnector].
type Dialect interface {
	// Name is the dialect's name in URLs: "sqlite".
	Name() string
	// Options returns the names of the URL options that the dialect knows, in
	// addition to those of package db.
	Options() []string
	// Connector makes what opens connections for one Engine. It checks the URL
	// but opens nothing yet.
	Connector(u *URL) (Connector, error)
	// Rules says how the database's SQL is written.
	Rules() *sqltext.Rules
	// Placeholder returns the n-th placeholder as the database wants it, from
	// 1: "?" or "$1". If they are numbered, a parameter that occurs several
	// times is sent once.
	Placeholder(n int) string
	// Traits says what is known about a text that consists of the given
	// statements, of which there is at least one.
	Traits(text string, statements []sqltext.Statement) Traits
	// Fault reads a driver's error.
	Fault(err error) Fault
}

// SQLDialect is a Dialect that can use an open database of database/sql, see
// [OpenDB].
type SQLDialect interface {
	Dialect
	// ConnectorDB makes what opens connections of pool. It may block.
	ConnectorDB(ctx context.Context, pool *sql.DB) (Connector, error)
}

// Traits is what can be told about a text by looking at it. Wrong ones must be
// wrong on the safe side.
type Traits struct {
	Script    bool // several statements
	Writes    bool // it may change the database
	Session   bool // it may leave something behind in the connection: settings, temporary tables
	Redefines bool // what was prepared before may mean something else after it, unnoticed
	Obscure   bool // it runs code that the text doesn't show; so it may leave what can't be seen
	TxControl bool // it begins, ends or marks a transaction
	EndsTx    bool // the database would commit the transaction that it is run in
	Plan      bool // worth preparing once and keeping
	Changes   bool // it has a count of rows it changed
	Inserts   bool // it may have made a key for the last row it inserted
	Returns   bool // it returns rows

	Refused string // why the database can't run it, if that can be seen; else ""
}

// TraitsOf makes the traits of what a language knows about the statements of a text. Where they
// differ, Changes, Inserts and Returns are the last statement's.
func TraitsOf(l *sqltext.Language, text string, statements []sqltext.Statement) Traits {
	var all Traits
	for _, st := range statements {
		e := l.Classify(text, st).Effects
		all.Writes = all.Writes || e.Any(sqltext.Writes)
		all.Session = all.Session || e.Any(sqltext.LeavesState)
		all.Redefines = all.Redefines || e.Any(sqltext.Redefines)
		all.Obscure = all.Obscure || e.Any(sqltext.RunsCode)
		all.TxControl = all.TxControl || e.Any(sqltext.ControlsTx)
		all.EndsTx = all.EndsTx || e.Any(sqltext.EndsTx)
		all.Plan = len(statements) == 1 && e.Any(sqltext.Keepable)
		all.Changes = e.Any(sqltext.CountsRows)
		all.Inserts = e.Any(sqltext.MakesKey)
		all.Returns = e.Any(sqltext.ReturnsRows)
	}
	return all
}

// stateReader is a Dialect that knows what is for nothing but the connection that it runs on.
type stateReader interface {
	// Lost returns what makes a text do nothing outside of a Conn or Tx, because all that it
	// leaves ends with the connection: "SET", "CREATE TEMP"; else "".
	Lost(text string, statements []sqltext.Statement) string
}

// LostOf is Lost for what a language knows. A script is lost if every statement of it is.
func LostOf(l *sqltext.Language, text string, statements []sqltext.Statement) string {
	cause := ""
	for i, st := range statements {
		v := l.Classify(text, st)
		if !v.Effects.Any(sqltext.OnlyState) {
			return ""
		}
		if i == 0 {
			cause = v.Cause
		}
	}
	return cause
}

// Connector opens the connections of one Engine.
type Connector interface {
	// Connect opens a connection.
	Connect(ctx context.Context) (Session, error)
	// Limits says how the connections may be used together.
	Limits() Limits
	// Close ends what the connector itself holds, after all its Sessions.
	Close() error
}

// Shared is a [Connector] that can run single statements of the Engine's own without giving
// them a connection: on connections that carry those of many callers at once.
type Shared interface {
	Connector
	// Once executes a statement outside of any transaction, as Session.Do does. The
	// error driver.ErrSkip says that it needs a connection of its own; it has not
	// been executed then.
	Once(ctx context.Context, c *Call) error
	// Finish has later calls of Once fail, and returns when the earlier ones have
	// ended, or when ctx ends. Sessions aren't disturbed.
	Finish(ctx context.Context) error
}

// Limits says how the connections of a [Connector] may be used together. The
// zero value is a database that arbitrates everything itself.
type Limits struct {
	// OneWriter: only one connection at a time may write. The engine keeps
	// the others waiting, in order and without polling.
	OneWriter bool
	// WriterExcludesReaders: while it writes, no other may even read.
	WriterExcludesReaders bool
	// MaxConns bounds the number of connections; 0 is no bound. With 1 a
	// single connection does everything, one user after the other.
	MaxConns int
	// MaxParams bounds the number of parameters of one statement; 0 is no bound.
	MaxParams int
	// Local: the database is in this process. So there is no network that could be silent,
	// and the time of what ends something isn't limited; see [TeardownTimeout].
	Local bool
	// PoolSize is the pool's size unless the user gives one; 0 leaves it to
	// package db.
	PoolSize int
}

// Session is one connection, as package db drives it: one call at a time, each
// waiting for its end. In a greenlet a call suspends that greenlet only.
// When the context of a call ends the session stops the work, if it can, but
// returns only when nothing uses the connection any more.
type Session interface {
	// Do executes a statement and puts what came of it into the call. An error
	// that is driver.ErrBadConn says that the statement never reached the
	// database, so that it can be tried again on another connection.
	Do(ctx context.Context, c *Call) error
	// Begin begins a transaction. It may put that off until the first Do.
	Begin(ctx context.Context, opts TxOptions) error
	// Commit ends the transaction, whether it succeeds or not. If its context ends before, the
	// connection is closed next.
	Commit(ctx context.Context) error
	// Rollback ends the transaction. If its context ends before, the connection is closed next.
	Rollback(ctx context.Context) error
	// Savepoint, Release and RollbackTo handle savepoints; RollbackTo also
	// releases it.
	Savepoint(ctx context.Context, name string) error
	Release(ctx context.Context, name string) error
	RollbackTo(ctx context.Context, name string) error
	// Status tells how things stand after the last call. It does no I/O.
	Status() Status
	// Close ends the connection. It waits for a call that is still running, which it has stopped
	// when its context ends. That may have ended from the beginning; the connection goes all the
	// same.
	Close(ctx context.Context) error
}

// Resetter is a [Session] that can undo what its user may have left behind in the connection without
// showing it. Where Traits.Session shows it the connection is closed.
type Resetter interface {
	Session
	// Reset undoes what the connection's user has left behind. It must be thorough if that had the
	// connection for its own, from Connect to Close, or has executed something obscure. Otherwise it
	// should ask the database nothing, unless the Session itself has noticed something. The context
	// may have ended; Reset limits its time with [Ending]. After an error the connection is closed.
	Reset(ctx context.Context, thorough bool) error
	// Keep is called when Events.Connect has set the connection up. Reset must leave that as it is,
	// or fail.
	Keep(ctx context.Context) error
}

// Status is the state of a [Session].
type Status uint8

const (
	Idle     Status = iota // no transaction
	InTx                   // in a transaction
	FailedTx               // in a transaction that can only be rolled back
	Broken                 // the connection is of no more use
)

// Call is a statement on its way to a [Session] and what it returned.
type Call struct {
	Statement *Statement
	Args      []any // one for each of Statement.Params
	Rows      bool  // whether rows are wanted
	MaxRows   int   // fetch no more rows than this; 0 is all

	Columns  []Column       // must not be changed; see Describe
	Values   []driver.Value // row after row; the session doesn't touch them again. See Room
	Affected int64          // rows changed
	LastID   int64          // of the last row inserted, where the database has that
	HasID    bool

	conf *connConfig // of the Engine or Conn that runs it

	// Room for a few arguments and values, so that they cost no allocation of their own.
	argRoom    [4]any
	valueRoom  [4]driver.Value
	convert    []func(driver.Value) (driver.Value, error) // by column, for the SQLDriver; nil leaves values as they are
	driverArgs []driver.NamedValue                        // Args as a driver of database/sql wants them; nil before
	driverRoom [4]driver.NamedValue
	asked      bool // driverArgs are what a prepared statement has made of Args
}

// ReadOnly tells whether the statement is one of an Engine or Conn that may only read. Outside of a
// transaction, the Session or [Shared] has the database refuse what writes, as in a read-only
// transaction: a function may write, which can't be seen in the text. In a transaction its own
// TxOptions count.
func (c *Call) ReadOnly() bool { return c.conf != nil && c.conf.tx.ReadOnly }

// Room returns an empty slice for so many values, which a Session can make the call's Values.
// What it returned before for the same call is of no use then.
func (c *Call) Room(n int) []driver.Value {
	if n <= len(c.valueRoom) {
		return c.valueRoom[:0]
	}
	return make([]driver.Value, 0, n)
}

// Describe sets Columns. If they are those that the statement's last result had, that costs no memory.
func (c *Call) Describe(n int, column func(i int) Column) {
	if last := c.Statement.columns.Load(); last != nil && len(*last) == n {
		same := true
		for i := 0; i < n && same; i++ {
			same = (*last)[i] == column(i)
		}
		if same {
			c.Columns = *last
			return
		}
	}
	columns := make([]Column, n)
	for i := range columns {
		columns[i] = column(i)
	}
	c.Columns = columns
	c.Statement.columns.Store(&columns)
}

// forget lets go of the arguments, which needn't live as long as the rows.
func (c *Call) forget() {
	c.Args, c.argRoom = nil, [4]any{}
	c.driverArgs, c.driverRoom = nil, [4]driver.NamedValue{}
	c.asked = false
	c.convert = nil
}

// Column describes a column of a result.
type Column struct {
	Name string
	Type string // the database's name of the type, in upper case; "" if unknown
}
