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

// Dialect is the dialect of PostgreSQL, which this package registers as "postgres"
// and as "postgresql": the two names mean the same.
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

// OpenDB opens an Engine on an open database of database/sql, see [db.OpenDB]. Its
// driver must be that of github.com/jackc/pgx/v5/stdlib. Nothing is pipelined then,
// and when a context ends that driver closes the connection.
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

// EmptyList returns what stands in the parentheses of an IN without elements. The rows
// of a subquery would need the left side's types; being in a list of NULL is unknown, for
// values and rows of any type. It is made the element of an array, and what contains
// what is known then. These operators bind more than IN and all that may follow it, so
// that the whole is false, or true, whatever stands around it.
func (Dialect) EmptyList(_ int, not bool) string {
	if not {
		return "null) || '{t}'::bool[] @> ('{t}'::bool[]"
	}
	return "null) || '{}'::bool[] @> ('{t}'::bool[]"
}

// Rules returns how PostgreSQL writes SQL, with standard_conforming_strings.
func (Dialect) Rules() *sqltext.Rules { return &sqltext.PostgreSQL.Rules }

// Traits tells writes from reads and knows what a connection remembers.
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

// setsAccess tells of a SET that may say, in another way than SET TRANSACTION, whether the
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

// Lost knows what is for nothing but its connection.
func (Dialect) Lost(text string, statements []sqltext.Statement) string {
	return backend.LostOf(sqltext.PostgreSQL, text, statements)
}

// Upsert writes INSERT … ON CONFLICT.
func (Dialect) Upsert(u *backend.Upsert) (string, error) { return u.OnConflict(), nil }
