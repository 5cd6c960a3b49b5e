package postgres

import (
	"context"
	"database/sql"
	"strconv"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/sqltext"
)

// Dialect is the dialect of PostgreSQL, which this package registers as "postgres"
// and as "postgresql": the two names mean the same.
type Dialect struct{ name string }

var _ db.SQLDialect = Dialect{}

func init() {
	db.Register(Dialect{})
	db.Register(Dialect{name: "postgresql"})
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

var rules = sqltext.Rules{NestedComments: true, EscapeStrings: true, DollarQuotes: true, Natives: "$"}

// Rules returns how PostgreSQL writes SQL, with standard_conforming_strings.
func (Dialect) Rules() *sqltext.Rules { return &rules }

// Traits tells writes from reads and knows what a connection remembers.
func (Dialect) Traits(text string, statements []sqltext.Statement) db.Traits {
	var all db.Traits
	for _, st := range statements {
		t := traits(text, st)
		all.Writes = all.Writes || t.Writes
		all.Session = all.Session || t.Session
		all.TxControl = all.TxControl || t.TxControl
		if all.Refused == "" {
			all.Refused = t.Refused
		}
		all.Plan, all.Changes, all.Returns = t.Plan, t.Changes, t.Returns
	}
	all.Plan = all.Plan && len(statements) == 1
	return all
}

func traits(text string, st sqltext.Statement) db.Traits {
	words := rules.Words(text, st, 4)
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	if word(0) == "with" {
		// Any part of it may write, whatever the main one does.
		t := db.Traits{Plan: true, Returns: st.Verb == "select" || has(text, st, "returning")}
		t.Writes = st.Verb != "select" || has(text, st, "insert", "update", "delete", "merge", "into")
		t.Changes = t.Writes
		t.Session = intoTemp(text, st)
		return t
	}
	switch st.Verb {
	case "select":
		return db.Traits{Plan: true, Returns: true, Writes: has(text, st, "into"), Session: intoTemp(text, st)}
	case "values", "table", "show":
		return db.Traits{Plan: true, Returns: true}
	case "explain":
		return db.Traits{Returns: true, Writes: has(text, st, "insert", "update", "delete", "merge", "into", "execute", "create", "refresh")}
	case "insert", "update", "delete", "merge":
		return db.Traits{Writes: true, Plan: true, Changes: true, Returns: has(text, st, "returning")}
	case "begin", "start", "commit", "end", "rollback", "abort", "savepoint", "release":
		if word(1) == "prepared" {
			return db.Traits{Writes: true}
		}
		return db.Traits{TxControl: true}
	case "set":
		switch {
		case word(1) == "transaction" || word(1) == "session" && word(2) == "characteristics":
			return db.Traits{TxControl: true}
		case word(1) == "local" || word(1) == "constraints":
			return db.Traits{} // it ends with the transaction
		}
		return db.Traits{Session: true}
	case "prepare":
		if word(1) == "transaction" {
			return db.Traits{TxControl: true}
		}
		return db.Traits{Session: true, Writes: true}
	case "execute":
		return db.Traits{Session: true, Writes: true, Returns: true}
	case "fetch":
		return db.Traits{Session: true, Returns: true}
	case "reset", "discard", "listen", "unlisten", "deallocate", "declare", "move", "close", "load":
		return db.Traits{Session: true}
	case "create":
		temp := false
		for _, w := range words[1:] {
			temp = temp || w == "temp" || w == "temporary"
		}
		return db.Traits{Writes: true, Session: temp}
	case "copy":
		if has(text, st, "stdin", "stdout") {
			return db.Traits{Refused: "COPY from or to the client is no statement here; use CopyFrom or CopyTo of package pg, through Tx.Raw, Conn.Raw or Engine.Driver"}
		}
		return db.Traits{Writes: true, Changes: true}
	}
	return db.Traits{Writes: true}
}

// intoTemp tells whether a query makes a temporary table of its rows.
func intoTemp(text string, st sqltext.Statement) bool {
	return has(text, st, "temp", "temporary") && has(text, st, "into")
}

// has tells whether one of the words is in the statement, outside of literals,
// quoted names and comments.
func has(text string, st sqltext.Statement, words ...string) bool {
	for t := rules.Next(text, st.Start); t.Kind != sqltext.End && t.Start < st.End; t = rules.Next(text, t.End) {
		if t.Kind != sqltext.Word {
			continue
		}
		for _, w := range words {
			if equal(text[t.Start:t.End], w) {
				return true
			}
		}
	}
	return false
}

// equal compares a word with one in lower case.
func equal(a, lower string) bool {
	if len(a) != len(lower) {
		return false
	}
	for i := range len(a) {
		c := a[i]
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
