package stdlib_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

// url is where the examples find their database. They need a server, so TestExamples runs them
// where there is one.
var url string

func TestExamples(t *testing.T) {
	srv := testserver.Postgres(t)
	leakcheck.Test(t)
	url = srv.Database(t).URL()
	for name, e := range map[string]struct {
		fn   func() error
		want string
	}{
		"OpenDB":       {exampleOpenDB, "42\n"},
		"Driver":       {exampleDriver, "hello\n"},
		"Conn_Session": {exampleConnSession, "3 rows copied\n"},
		"Stream":       {exampleStream, "1000000 rows\n"},
	} {
		t.Run(name, func(t *testing.T) {
			printed = ""
			require.NoError(t, e.fn())
			require.Equal(t, e.want, printed)
		})
	}
}

var printed string

func show(args ...any) { printed += fmt.Sprintln(args...) }

// A pg.DB that other code uses, too, for what wants a *sql.DB.
func ExampleOpenDB() { _ = exampleOpenDB() }

func exampleOpenDB() error {
	ctx := context.Background()
	db, err := pg.Open(url)
	if err != nil {
		return err
	}
	defer db.Close(ctx)
	std := stdlib.OpenDB(db)
	defer std.Close()

	var n int
	err = std.QueryRowContext(ctx, "select 40 + $1::int", 2).Scan(&n)
	show(n)
	return err
}

// The driver is registered under the name "repaint".
func ExampleDriver() { _ = exampleDriver() }

func exampleDriver() error {
	db, err := sql.Open("repaint", url)
	if err != nil {
		return err
	}
	defer db.Close()

	var s string
	err = db.QueryRow("select 'hello'").Scan(&s)
	show(s)
	return err
}

// What database/sql has no words for is done on the session of a sql.Conn.
func ExampleConn_Session() { _ = exampleConnSession() }

func exampleConnSession() error {
	ctx := context.Background()
	db, err := sql.Open("repaint", url)
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error {
		session, err := c.(*stdlib.Conn).Session(ctx)
		if err != nil {
			return err
		}
		if _, err = session.Exec(ctx, "create temp table t (id int)"); err != nil {
			return err
		}
		n, err := session.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{1}, {2}, {3}}))
		show(n, "rows copied")
		return err
	})
}

// A large result, in bounded memory.
func ExampleStream() { _ = exampleStream() }

func exampleStream() error {
	db, err := sql.Open("repaint", url)
	if err != nil {
		return err
	}
	defer db.Close()
	rows, err := db.QueryContext(stdlib.Stream(context.Background()), "select generate_series(1, 1000000)")
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	show(n, "rows")
	return rows.Err()
}
