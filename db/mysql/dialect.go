package mysql

import (
	"context"
	"database/sql"
	"strings"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/sqltext"
)

// Dialect is the dialect of MySQL and MariaDB, which this package registers as "mysql" and as
// "mariadb"; the two names mean the same. It has no state, so any number of goroutines may use it.
type Dialect struct{ name string }

var _ backend.SQLDialect = Dialect{}

func init() {
	backend.Register(Dialect{})
	backend.Register(Dialect{name: "mariadb"})
}

// OpenDB opens an Engine on an open database of github.com/go-sql-driver/mysql, see [db.OpenDB]. It
// sets the time zone and SQL mode of its connections. When a context ends, that driver closes the
// connection, and the server may go on with the statement. The Engine kills statements only on
// connections that it opens itself.
func OpenDB(ctx context.Context, pool *sql.DB, opts ...db.Option) (*db.Engine, error) {
	return db.OpenDB(ctx, Dialect{}, pool, opts...)
}

// Name returns "mysql" or "mariadb".
func (d Dialect) Name() string {
	if d.name == "" {
		return "mysql"
	}
	return d.name
}

// Placeholder returns "?".
func (Dialect) Placeholder(int) string { return "?" }

// EmptyList returns the text in the parentheses of an IN without elements. MySQL before 5.7 finds a
// row in a select from dual that has none, and takes an outer value for the NULL of such a select.
func (Dialect) EmptyList(columns int, _ bool) string {
	return "select 1" + strings.Repeat(", 1", columns-1) + " from (select 1) as empty_list where 1 != 1"
}

// KeepsJSON reports whether a column has text: MariaDB's JSON is text.
func (Dialect) KeepsJSON(typ string) bool {
	return strings.HasSuffix(typ, "TEXT") || strings.HasSuffix(typ, "CHAR")
}

var rules = &sqltext.MySQL.Rules

// Rules returns the rules of MySQL's and MariaDB's syntax without the modes ANSI_QUOTES and
// NO_BACKSLASH_ESCAPES, which connections never have.
func (Dialect) Rules() *sqltext.Rules { return rules }

// Traits returns what a text shows about its effects: whether it may write, what the connection
// remembers of it, and whether it implicitly commits a transaction.
func (Dialect) Traits(text string, statements []sqltext.Statement) backend.Traits {
	t := backend.TraitsOf(sqltext.MySQL, text, statements)
	for _, st := range statements {
		if st.Verb == "delimiter" {
			t.Refused = "DELIMITER is a command of MySQL's command line client, which the server doesn't know; " +
				"leave the DELIMITER lines out and end statements with a semicolon: where a body ends is seen without them"
		}
	}
	return t
}

// Lost returns which statement only changes its connection, such as "SET"; "" for any other text.
func (Dialect) Lost(text string, statements []sqltext.Statement) string {
	return backend.LostOf(sqltext.MySQL, text, statements)
}

// Upsert returns an INSERT … ON DUPLICATE KEY UPDATE.
func (Dialect) Upsert(u *backend.Upsert) (string, error) { return u.OnDuplicateKey(), nil }
