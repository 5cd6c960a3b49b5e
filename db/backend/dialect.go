package backend

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/seed1239206e/repaint/sqltext"
)

// Dialect is what differs between databases. To add a database, implement it and [Register] it. If
// the database has a database/sql driver, package sqlbackend makes the Connector. SQLAlchemy's
// dialects are the model.
//
// A Dialect's methods are called from any number of goroutines at once. It may also be a
// [SQLDialect], [ListWriter], [StateReader], [ValueScanner], [JSONKeeper], [Upserter], [Inspector],
// [Authenticator], [ErrorRestater], [HintKnower], [SettingKnower] and [Adviser].
type Dialect interface {
	// Name returns the dialect's name in URLs, such as "sqlite".
	Name() string
	// Options returns the names of the URL options that the dialect knows, in addition to those
	// of package db.
	Options() []string
	// Connector returns a Connector for one Engine. It checks the URL but opens nothing yet.
	Connector(u *URL) (Connector, error)
	// Rules returns the rules by which the database's SQL is written.
	Rules() *sqltext.Rules
	// Placeholder returns the database's n-th placeholder, from 1: "?" or "$1". If placeholders are
	// numbered, a parameter that occurs several times is sent once.
	Placeholder(n int) string
	// Traits returns what is known about a text that consists of the given statements. There is at
	// least one.
	Traits(text string, statements []sqltext.Statement) Traits
	// Fault returns what a driver's error means.
	Fault(err error) Fault
}

// SQLDialect is a [Dialect] that can use a *sql.DB, see db.OpenDB.
type SQLDialect interface {
	Dialect
	// ConnectorDB returns a Connector whose connections are those of pool. It may block.
	ConnectorDB(ctx context.Context, pool *sql.DB) (Connector, error)
}

// ListWriter is a [Dialect] that has its own text for an empty list. For other dialects package db
// writes a subquery without rows.
type ListWriter interface {
	Dialect
	// EmptyList returns the text between the parentheses of an IN with which IN is false and NOT IN
	// is true for every left side. The left side has the given number of columns; not says that the
	// text is for NOT IN. The text may close the parentheses and open others if the whole has the
	// precedence of IN.
	EmptyList(columns int, not bool) string
}

// StateReader is a [Dialect] that knows which statements only change their connection.
type StateReader interface {
	Dialect
	// Lost returns what makes a text useless outside of a Conn or Tx, because its whole effect ends
	// with the connection, such as "SET" or "CREATE TEMP". It returns "" for any other text. See
	// [LostOf].
	Lost(text string, statements []sqltext.Statement) string
}

// ValueScanner is a [Dialect] that can scan into variables of types that package db doesn't know.
type ValueScanner interface {
	Dialect
	// ScanValue copies a column's value, which may be nil, to what dest points to. typ is the
	// column's type. It returns driver.ErrSkip if it doesn't know the variable's type.
	ScanValue(dest any, typ string, v driver.Value) error
}

// JSONKeeper is a [Dialect] of a database that keeps JSON in columns of another type. It lets
// package db scan maps, structs and slices from them.
type JSONKeeper interface {
	Dialect
	// KeepsJSON reports whether a column of the given type may have JSON.
	KeepsJSON(typ string) bool
}

// ErrorRestater is a [Dialect] that can state the error of a database as code for database/sql
// expects it, which asserts its type, or looks into its fields.
type ErrorRestater interface {
	Dialect
	// Restate returns an error of the type that the database's driver has for what the database
	// itself says. It has the codes of err, and the given message, because err's own message may
	// show values. Restate returns nil if err doesn't come from the database.
	Restate(err error, message string) error
}

// HintKnower is a [Dialect] of a database/sql driver whose callers put hints of how to execute a
// statement in front of its arguments. Package db has its own ways, so db.Engine.SQL drops them.
type HintKnower interface {
	Dialect
	// IsHint reports whether an argument is a hint, and no value. It isn't asked about arguments
	// after the first value.
	IsHint(arg any) bool
}

// SettingKnower is a [Dialect] of a database whose migration tools change a setting by one statement
// through a *sql.DB, do their work through it, and set it back. Through db.Engine.SQL such a setting
// therefore lasts until another statement sets it back.
type SettingKnower interface {
	Dialect
	// Setting returns the query for the value of the setting that a text changes for its
	// connection; "" if the text changes none that tools rely on.
	Setting(text string) string
}

// OptionKnower is an [Adviser] whose advice about some options takes precedence over a guess at
// what the user meant. Without it, package db suggests an option with a similar name first.
type OptionKnower interface {
	Adviser
	// KnowsOption reports whether Advice is better than a guess for an option that doesn't exist.
	KnowsOption(option string) bool
}

// Adviser is a [Dialect] that knows the options of other programs, such as libpq.
type Adviser interface {
	Dialect
	// Advice says what to write instead of an option that doesn't exist; "" if it doesn't know.
	Advice(option string) string
}
