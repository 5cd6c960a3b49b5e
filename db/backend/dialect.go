package backend

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/seed1239206e/repaint/sqltext"
)

// Dialect is what differs between databases. To add a database, implement it and [Register] it. A
// database that has a database/sql driver gets its Connector from package sqlbackend.
//
// A Dialect may also be a [SQLDialect], [ListWriter], [StateReader], [ValueScanner], [JSONKeeper],
// [Upserter], [Inspector], [Authenticator] and [Adviser].
type Dialect interface {
	// Name is the dialect's name in URLs: "sqlite".
	Name() string
	// Options returns the names of the URL options that the dialect knows, in addition to those
	// of package db.
	Options() []string
	// Connector makes what opens connections for one Engine. It checks the URL but opens nothing
	// yet.
	Connector(u *URL) (Connector, error)
	// Rules says how the database's SQL is written.
	Rules() *sqltext.Rules
	// Placeholder returns the n-th placeholder as the database wants it, from 1: "?" or "$1". If
	// they are numbered, a parameter that occurs several times is sent once.
	Placeholder(n int) string
	// Traits says what is known about a text that consists of the given statements, of which there
	// is at least one.
	Traits(text string, statements []sqltext.Statement) Traits
	// Fault reads a driver's error.
	Fault(err error) Fault
}

// SQLDialect is a [Dialect] that can use an open database of database/sql, see db.OpenDB.
type SQLDialect interface {
	Dialect
	// ConnectorDB makes what opens connections of pool. It may block.
	ConnectorDB(ctx context.Context, pool *sql.DB) (Connector, error)
}

// ListWriter is a [Dialect] that writes an empty list in its own way. The others get a subquery
// without rows.
type ListWriter interface {
	Dialect
	// EmptyList returns what to write in the parentheses of an IN so that IN is false and NOT IN
	// is true, whatever the left side is. The left side has the given number of columns; not asks
	// for the text for NOT IN. The text may end the parentheses and open others, if the whole
	// binds its neighbours as IN does.
	EmptyList(columns int, not bool) string
}

// StateReader is a [Dialect] that knows which statements do nothing but change their connection.
type StateReader interface {
	Dialect
	// Lost names what makes a text useless outside of a Conn or Tx, because all that it leaves
	// ends with the connection: "SET", "CREATE TEMP". It returns "" for any other text. See
	// [LostOf].
	Lost(text string, statements []sqltext.Statement) string
}

// ValueScanner is a [Dialect] that can fill variables of types which package db doesn't know.
type ValueScanner interface {
	Dialect
	// ScanValue copies a column's value, which may be nil, to the variable that dest is or points
	// to. It returns driver.ErrSkip if it doesn't know the variable's type.
	ScanValue(dest any, typ string, v driver.Value) error
}

// JSONKeeper is a [Dialect] of a database that keeps JSON in columns of other types than JSON, so
// that maps, structs and slices can be scanned from them.
type JSONKeeper interface {
	Dialect
	// KeepsJSON reports whether a column of the given type may have JSON.
	KeepsJSON(typ string) bool
}

// OptionKnower is an [Adviser] whose advice about certain options goes before a guess at what was
// meant.
type OptionKnower interface {
	Adviser
	// KnowsOption reports whether an option that doesn't exist is one of these.
	KnowsOption(option string) bool
}

// Adviser is a [Dialect] that knows options of other programs.
type Adviser interface {
	Dialect
	// Advice says what to write in place of an option that doesn't exist; "" if it doesn't know.
	Advice(option string) string
}
