package sqlite

import (
	"context"
	"database/sql"
	"regexp"
	"strings"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/sqltext"
)

// Dialect is the SQLite dialect, which this package registers as "sqlite". It has no state, so any
// number of goroutines may use it.
type Dialect struct{}

var (
	_ backend.SQLDialect    = Dialect{}
	_ backend.SettingKnower = Dialect{}
)

func init() { backend.Register(Dialect{}) }

// OpenDB opens an Engine on an open database of any SQLite driver, see [db.OpenDB]. On its
// connections it sets busy_timeout, foreign_keys and, for a file, the write-ahead log, as for a URL
// without options.
//
// If the database is in memory, the Engine has one connection for everything, because with most
// drivers a second one would see another database. Such a database ends with its connection: after
// Conn.Raw, Conn.Invalidate or the end of a connection's lifetime, the next connection finds an
// empty one. A database of the URL sqlite:// stays until its Engine is closed.
func OpenDB(ctx context.Context, pool *sql.DB, opts ...db.Option) (*db.Engine, error) {
	return db.OpenDB(ctx, Dialect{}, pool, opts...)
}

// Name returns "sqlite".
func (Dialect) Name() string { return "sqlite" }

// Placeholder returns "?".
func (Dialect) Placeholder(int) string { return "?" }

// EmptyList returns the text in the parentheses of an IN without elements: no text at all, which
// only SQLite takes, and only for single values.
func (Dialect) EmptyList(columns int, _ bool) string {
	if columns > 1 {
		return "select null" + strings.Repeat(", null", columns-1) + " where false"
	}
	return ""
}

// KeepsJSON returns true for every type: SQLite keeps JSON as text, in columns of any type.
func (Dialect) KeepsJSON(string) bool { return true }

// Rules returns the rules of SQLite's syntax.
func (Dialect) Rules() *sqltext.Rules { return &sqltext.SQLite.Rules }

// Traits returns what a text shows about its effects: whether it may write, and what the connection
// remembers of it.
func (Dialect) Traits(text string, statements []sqltext.Statement) backend.Traits {
	t := backend.TraitsOf(sqltext.SQLite, text, statements)
	t.Returns = false // only drivers that must be told need it, and SQLite's needn't
	return t
}

// Lost returns which statement only changes its connection, such as "PRAGMA"; "" for any other
// text.
func (Dialect) Lost(text string, statements []sqltext.Statement) string {
	return backend.LostOf(sqltext.SQLite, text, statements)
}

// Setting returns the query for one of the settings that migration tools switch off and on: GORM's
// and ent's migrators rebuild a table while foreign keys aren't enforced, because dropping the old
// one would delete the rows that refer to it.
func (Dialect) Setting(text string) string {
	if m := setting.FindStringSubmatch(text); m != nil {
		return "pragma " + strings.ToLower(m[1])
	}
	return ""
}

var setting = regexp.MustCompile(`(?i)^\s*pragma\s+(?:main\s*\.\s*)?(foreign_keys|legacy_alter_table|ignore_check_constraints)\s*[=(]`)

// Upsert returns an INSERT … ON CONFLICT.
func (Dialect) Upsert(u *backend.Upsert) (string, error) { return u.OnConflict(), nil }
