package explore

import (
	"context"
	"strings"
)

// A Database is what exploring must know of a database.
type Database struct {
	Server Server // nil if exploring can't ask it
	Number string // the query for a session's own number; "" if there is none
	Lite   bool   // it is SQLite, whose clients do the waiting
}

// Recognize finds out which database a connection leads to, by what that understands. ask is the
// function by which its server will be asked.
func Recognize(ctx context.Context, on, ask Query) Database {
	understands := func(query string) (string, bool) {
		rows, err := on(ctx, query)
		if err != nil || len(rows) == 0 {
			return "", false
		}
		return rows[0][0], true
	}
	if _, ok := understands("select sqlite_version()"); ok {
		return Database{Server: Local{}, Lite: true}
	}
	version, ok := understands("select version()")
	switch {
	case !ok:
		return Database{}
	case strings.Contains(version, "PostgreSQL"):
		return Database{Server: &Postgres{ask}, Number: "select pg_backend_pid()"}
	case strings.Contains(version, "MariaDB"):
		return Database{Server: &MariaDB{ask}, Number: "select connection_id()"}
	}
	if _, ok := understands("select connection_id()"); ok {
		return Database{Server: &MySQL{ask}, Number: "select connection_id()"}
	}
	return Database{}
}

// Local is the server of databases whose clients do the waiting themselves: none of their
// statements waits for long.
type Local struct{}

// Waiting implements [Server].
func (Local) Waiting(context.Context, []int64) (map[int64][]int64, error) { return nil, nil }

// Gone implements [Server].
func (Local) Gone(context.Context, int64) (bool, error) { return true, nil }
