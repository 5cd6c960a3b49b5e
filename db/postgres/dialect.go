package postgres

import (
	"context"
	"database/sql"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/sqltext"
)

// Dialect is the dialect of PostgreSQL, which this package registers as "postgres" and as
// "postgresql"; the two names mean the same. It has no state, so any number of goroutines may use
// it.
type Dialect struct{ name string }

var (
	_ backend.SQLDialect    = Dialect{}
	_ backend.Authenticator = Dialect{}
	_ backend.OptionKnower  = Dialect{}
)

func init() {
	backend.Register(Dialect{})
	backend.Register(Dialect{name: "postgresql"})
}

// OpenDB opens an Engine on an open database of database/sql, see [db.OpenDB]. Its driver must be
// github.com/jackc/pgx/v5/stdlib. Statements aren't pipelined then, and when a context ends, that
// driver closes the connection.
func OpenDB(ctx context.Context, pool *sql.DB, opts ...db.Option) (*db.Engine, error) {
	return db.OpenDB(ctx, Dialect{}, pool, opts...)
}

// Name returns "postgres" or "postgresql".
func (d Dialect) Name() string {
	if d.name == "" {
		return "postgres"
	}
	return d.name
}

// Placeholder returns "$1" and so on.
func (Dialect) Placeholder(n int) string {
	if n < len(placeholders) {
		return placeholders[n]
	}
	return "$" + strconv.Itoa(n)
}

var placeholders = func() (all [64]string) {
	for i := range all {
		all[i] = "$" + strconv.Itoa(i)
	}
	return all
}()

// EmptyList returns the text in the parentheses of an IN without elements. A subquery without rows
// would need the left side's types. But whether a value or a row is in a list of NULL is unknown,
// for any type. The text makes that unknown value the element of an array, and asks whether the
// array contains true: that has a known answer. These operators bind more tightly than IN and
// everything that may follow it, so the whole is false, or true, in any surroundings.
func (Dialect) EmptyList(_ int, not bool) string {
	if not {
		return "null) || '{t}'::bool[] @> ('{t}'::bool[]"
	}
	return "null) || '{}'::bool[] @> ('{t}'::bool[]"
}

// Rules returns the rules of PostgreSQL's syntax, with standard_conforming_strings.
func (Dialect) Rules() *sqltext.Rules { return &sqltext.PostgreSQL.Rules }

// Traits returns what a text shows about its effects: whether it may write, and what the connection
// remembers of it.
func (Dialect) Traits(text string, statements []sqltext.Statement) backend.Traits {
	t := backend.TraitsOf(sqltext.PostgreSQL, text, statements)
	for _, st := range statements {
		t.TxControl = t.TxControl || st.Verb == "set" && setsAccess(text, st)
		if st.Verb == "copy" && sqltext.PostgreSQL.Classify(text, st).Effects.Any(sqltext.CopiesIn|sqltext.CopiesOut) {
			t.Refused = "COPY from or to the client is no statement here; use CopyFrom or CopyTo of package pg, through Tx.Raw, Conn.Raw or Engine.Driver"
		}
	}
	return t
}

// setsAccess reports whether a SET may decide, other than by SET TRANSACTION, whether the
// transaction may write.
func setsAccess(text string, st sqltext.Statement) bool {
	rules := &sqltext.PostgreSQL.Rules
	if words := rules.Words(text, st, 3); len(words) == 3 && words[2] == "transaction" { // SET SESSION, or LOCAL
		return true
	}
	for t := rules.Next(text, st.Start); t.Kind != sqltext.End && t.Start < st.End; t = rules.Next(text, t.End) {
		if t.Kind == sqltext.Word || t.Kind == sqltext.Name {
			if strings.EqualFold(strings.Trim(text[t.Start:t.End], `"`), "transaction_read_only") {
				return true
			}
		}
	}
	return false
}

// Lost returns which statement only changes its connection, such as "SET"; "" for any other text.
func (Dialect) Lost(text string, statements []sqltext.Statement) string {
	return backend.LostOf(sqltext.PostgreSQL, text, statements)
}

// Upsert returns an INSERT … ON CONFLICT.
func (Dialect) Upsert(u *backend.Upsert) (string, error) { return u.OnConflict(), nil }
