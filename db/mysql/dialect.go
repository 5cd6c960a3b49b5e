package mysql

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/sqltext"
)

// Dialect is the dialect of MySQL and MariaDB, which this package registers as
// "mysql" and as "mariadb": the two names mean the same.
type Dialect struct{ name string }

var _ db.SQLDialect = Dialect{}

func init() {
	db.Register(Dialect{})
	db.Register(Dialect{name: "mariadb"})
}

// OpenDB opens an Engine on an open database of github.com/go-sql-driver/mysql,
// see [db.OpenDB]. It sets the time zone and SQL mode of its connections. When a
// context ends, that driver closes the connection and the server may go on; only
// the connections that an Engine opens itself have their statements killed.
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

// EmptyList returns what stands in the parentheses of an IN without elements. MySQL before 5.7 finds something in a select from dual
// that has no rows, and takes an outer value for the NULL of such a select.
func (Dialect) EmptyList(columns int, _ bool) string {
	return "select 1" + strings.Repeat(", 1", columns-1) + " from (select 1) as empty_list where 1 != 1"
}

var rules = sqltext.Rules{HashComments: true, DashNeedsSpace: true, Backslash: true, Backticks: true, Natives: "?"}

// Rules returns how MySQL and MariaDB write SQL, without the modes ANSI_QUOTES and
// NO_BACKSLASH_ESCAPES, which connections don't have.
func (Dialect) Rules() *sqltext.Rules { return &rules }

// Traits tells writes from reads, what a connection remembers, and what commits a
// transaction without being asked.
func (Dialect) Traits(text string, statements []sqltext.Statement) db.Traits {
	var all db.Traits
	for _, st := range statements {
		t := traits(text, st)
		all.Writes = all.Writes || t.Writes
		all.Session = all.Session || t.Session
		all.TxControl = all.TxControl || t.TxControl
		all.EndsTx = all.EndsTx || t.EndsTx
		all.Plan, all.Changes, all.Inserts, all.Returns = t.Plan, t.Changes, t.Inserts, t.Returns
	}
	all.Plan = all.Plan && len(statements) == 1
	return all
}

func traits(text string, st sqltext.Statement) db.Traits {
	words := rules.Words(text, st, 3)
	second := ""
	if len(words) > 1 {
		second = words[1]
	}
	switch st.Verb {
	case "select", "values", "table":
		t := db.Traits{Plan: true, Returns: true, Session: remembers(text[st.Start:st.End])}
		t.Writes = t.Session
		return t
	case "show", "describe", "desc", "explain", "help", "check", "checksum":
		return db.Traits{Returns: true}
	case "insert", "replace":
		return db.Traits{Writes: true, Plan: true, Changes: true, Inserts: true, Returns: returns(text, st)}
	case "update", "delete":
		return db.Traits{Writes: true, Plan: true, Changes: true, Returns: returns(text, st)}
	case "call":
		return db.Traits{Writes: true, Plan: true, Session: true}
	case "load":
		return db.Traits{Writes: true, Changes: true}
	case "begin", "commit", "rollback", "savepoint", "release", "xa":
		return db.Traits{TxControl: true}
	case "start":
		return db.Traits{Writes: true, TxControl: second == "transaction", EndsTx: second != "transaction"}
	case "set":
		// These would change what the next statements do; other settings only
		// make the connection one that isn't given to anybody else.
		return db.Traits{Writes: true, Session: true, TxControl: second == "autocommit" || second == "transaction", EndsTx: second == "password"}
	case "do", "use", "prepare", "execute", "deallocate", "handler":
		return db.Traits{Writes: true, Session: true}
	case "lock", "unlock":
		return db.Traits{Writes: true, Session: true, EndsTx: true}
	case "create", "drop":
		temporary := second == "temporary" || len(words) > 2 && words[2] == "temporary"
		return db.Traits{Writes: true, Session: temporary, EndsTx: !temporary}
	}
	return db.Traits{Writes: true, EndsTx: slices.Contains(committing, st.Verb)}
}

// committing are the other statements before which the server commits.
var committing = []string{"alter", "analyze", "cache", "change", "flush", "grant", "import", "install", "optimize", "purge", "rename", "repair", "reset",
	"revoke", "stop", "truncate", "uninstall"}

// remembers tells whether a select may leave something behind in the connection:
// user variables, or locks by name.
func remembers(text string) bool {
	if strings.Contains(text, ":=") {
		return true
	}
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n(),", r) }) {
		if strings.EqualFold(word, "get_lock") || strings.EqualFold(word, "into") {
			return true
		}
	}
	return false
}
