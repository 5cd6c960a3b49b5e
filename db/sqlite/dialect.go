package sqlite

import (
	"context"
	"database/sql"
	"strings"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/sqltext"
)

// Dialect is the SQLite dialect, which this package registers as "sqlite".
type Dialect struct{}

var _ db.SQLDialect = Dialect{}

func init() { db.Register(Dialect{}) }

// OpenDB opens an Engine on an open database of any SQLite driver, see
// [db.OpenDB]. It sets busy_timeout, foreign_keys and, for a file, the
// write-ahead log on its connections, as for a URL without options. If the
// database is in memory, there is one connection for everything, because with
// most drivers a second one would see another database.
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

var rules = sqltext.Rules{Backticks: true, Brackets: true, Natives: "?@$:"}

// Rules returns how SQLite writes SQL.
func (Dialect) Rules() *sqltext.Rules { return &rules }

// Traits tells writes from reads and knows what a connection remembers.
func (Dialect) Traits(text string, statements []sqltext.Statement) db.Traits {
	var all db.Traits
	for _, st := range statements {
		t := traits(text, st)
		all.Writes = all.Writes || t.Writes
		all.Session = all.Session || t.Session
		all.TxControl = all.TxControl || t.TxControl
		all.Plan, all.Changes, all.Inserts = t.Plan, t.Changes, t.Inserts
	}
	all.Plan = all.Plan && len(statements) == 1
	return all
}

func traits(text string, st sqltext.Statement) db.Traits {
	switch st.Verb {
	case "select", "values":
		return db.Traits{Plan: true}
	case "explain":
		return db.Traits{}
	case "insert", "replace":
		return db.Traits{Writes: true, Plan: true, Changes: true, Inserts: true}
	case "update", "delete":
		return db.Traits{Writes: true, Plan: true, Changes: true}
	case "begin", "commit", "end", "rollback", "savepoint", "release":
		return db.Traits{TxControl: true}
	case "pragma":
		return pragma(text, st)
	case "attach", "detach":
		return db.Traits{Writes: true, Session: true}
	case "create":
		words := rules.Words(text, st, 2)
		temp := len(words) == 2 && (words[1] == "temp" || words[1] == "temporary")
		return db.Traits{Writes: true, Session: temp}
	}
	return db.Traits{Writes: true}
}

// pragma tells the pragmas that only tell something from those that may change
// the database or the connection, which all others are taken for.
func pragma(text string, st sqltext.Statement) db.Traits {
	changes := db.Traits{Writes: true, Session: true}
	// "pragma name" or "pragma schema.name", perhaps with "=" or "(" behind.
	rest := text[st.Start:st.End]
	words := rules.Words(text, st, 2)
	if len(words) < 2 {
		return changes
	}
	name := words[1]
	hasArg := strings.ContainsAny(rest, "=(")
	if i := strings.IndexByte(rest, '.'); i >= 0 && (!hasArg || i < strings.IndexAny(rest, "=(")) {
		more := rules.Words(text, sqltext.Statement{Start: st.Start + i + 1, End: st.End}, 1)
		if len(more) == 0 {
			return changes
		}
		name = more[0]
	}
	switch name {
	case "table_info", "table_xinfo", "table_list", "index_list", "index_info", "index_xinfo",
		"foreign_key_list", "foreign_key_check", "integrity_check", "quick_check":
		if strings.Contains(rest, "=") {
			return changes
		}
		return db.Traits{}
	case "application_id", "auto_vacuum", "automatic_index", "busy_timeout", "cache_size", "cache_spill",
		"collation_list", "compile_options", "data_version", "database_list", "encoding", "foreign_keys",
		"freelist_count", "function_list", "hard_heap_limit", "journal_mode", "journal_size_limit",
		"locking_mode", "max_page_count", "mmap_size", "module_list", "page_count", "page_size",
		"pragma_list", "query_only", "read_uncommitted", "recursive_triggers", "reverse_unordered_selects",
		"schema_version", "secure_delete", "soft_heap_limit", "synchronous", "temp_store", "threads",
		"trusted_schema", "user_version", "wal_autocheckpoint", "writable_schema":
		if hasArg {
			return changes
		}
		return db.Traits{}
	}
	return changes
}
