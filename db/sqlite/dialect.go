package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/sqltext"
)

// Dialect is the SQLite dialect, which this package registers as "sqlite".
type Dialect struct{}

var _ backend.SQLDialect = Dialect{}

func init() { backend.Register(Dialect{}) }

// OpenDB opens an Engine on an open database of any SQLite driver, see
// [db.OpenDB]. It sets busy_timeout, foreign_keys and, for a file, the
// write-ahead log on its connections, as for a URL without options. If the
// database is in memory, there is one connection for everything, because with
// most drivers a second one would see another database. Such a database ends with
// its connection: after Conn.Raw, Conn.Invalidate or the end of a connection's
// lifetime there is an empty one. A database of the URL sqlite:// doesn't.
func OpenDB(ctx context.Context, pool *sql.DB, opts ...db.Option) (*db.Engine, error) {
	return db.OpenDB(ctx, Dialect{}, pool, opts...)
}

// Name returns "sqlite".
func (Dialect) Name() string { return "sqlite" }

// Placeholder returns "?".
func (Dialect) Placeholder(int) string { return "?" }

// EmptyList returns what stands in the parentheses of an IN without elements:
// nothing, which only SQLite takes, and only for values.
func (Dialect) EmptyList(columns int, _ bool) string {
	if columns > 1 {
		return "select null" + strings.Repeat(", null", columns-1) + " where false"
	}
	return ""
}

// KeepsJSON reports true for every type: SQLite keeps JSON as text, wherever that is.
func (Dialect) KeepsJSON(string) bool { return true }

// Rules returns how SQLite writes SQL.
func (Dialect) Rules() *sqltext.Rules { return &sqltext.SQLite.Rules }

// Traits tells writes from reads and knows what a connection remembers.
func (Dialect) Traits(text string, statements []sqltext.Statement) backend.Traits {
	t := backend.TraitsOf(sqltext.SQLite, text, statements)
	t.Returns = false // it is for drivers that must be told, which those of SQLite needn't
	return t
}

// Lost knows what is for nothing but its connection.
func (Dialect) Lost(text string, statements []sqltext.Statement) string {
	return backend.LostOf(sqltext.SQLite, text, statements)
}

// Upsert writes INSERT … ON CONFLICT.
func (Dialect) Upsert(u *backend.Upsert) (string, error) { return u.OnConflict(), nil }
