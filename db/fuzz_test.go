package db_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	sqlitedriver "modernc.org/sqlite"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/mysql"
	"github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/sqltext"
)

var literalSeeds = []string{
	"':a'", "'it''s :a'", `'\':a'`, `"x :a"`, "`x :a`", "[x :a]", "1 -- :a\n", "1 --:a\n+ 2", "1 # :a\n", "/* :a */ 1", "/* /* */ :a /* */ */ 1",
	":a", ":a, ':b', :c", "x':a'", "E'\\':a'", "$$:a$$", "1 /*", "'", `"\":a"`, `'\\' :a`, "':a' ':b'", "-:a", "(:a)", "case when :a then ':b' end",
	`\:a`, "':a'/*'*/ , :b", "1--\n, :a", "b':a'", "_utf8':a'", "N':a'", "/*! :a */ 1", "/*M! ':a' */ 1",
}

// checkLiterals compares the parameters that the dialect finds with those that the server finds.
// count returns how many placeholders the server sees in a text, or an error if it can't read the
// text.
func checkLiterals(t *testing.T, d db.Dialect, count func(text string) (int, error), fragment string) {
	source := "select " + fragment
	if strings.ContainsRune(source, 0) || strings.Contains(strings.ToLower(source), "into") {
		return // the dialect refuses the one before, and the other may write files
	}
	var text strings.Builder
	params, pos := 0, 0
	for tok := range d.Rules().Tokens(source, 0, len(source)) {
		switch tok.Kind {
		case sqltext.Native, sqltext.Semicolon:
			return // not this language, or several statements, in which nothing can be counted
		case sqltext.ExecBegin:
			if tok.End-tok.Start > len("/*M!") {
				return // the answer depends on the server's version
			}
		case sqltext.Param:
			params++
			text.WriteString(source[pos:tok.Start] + d.Placeholder(params))
			pos = tok.End
		case sqltext.Colon:
			text.WriteString(source[pos:tok.Start])
			pos = tok.Start + 1
		}
	}
	text.WriteString(source[pos:])
	seen, err := count(text.String())
	if err != nil {
		return // it is no SQL, so there is no right answer
	}
	require.Equal(t, params, seen, "%q was sent as %q", source, text.String())
}

// FuzzLiteralsOfSQLite lets SQLite count the parameters of a text: by EXPLAIN, which needs no
// values for them, and by binding, which needs all.
func FuzzLiteralsOfSQLite(f *testing.F) {
	for _, seed := range literalSeeds {
		f.Add(seed)
	}
	connector, err := sqlitedriver.NewConnector(":memory:")
	require.NoError(f, err)
	conn, err := connector.Connect(context.Background())
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, conn.Close()) })
	missing := func(err error) bool {
		return err != nil && (strings.Contains(err.Error(), "missing argument with index") || strings.Contains(err.Error(), "missing named argument"))
	}
	f.Fuzz(func(t *testing.T, fragment string) {
		checkLiterals(t, sqlite.Dialect{}, func(text string) (int, error) {
			for n := 0; n < 100; n++ {
				args := make([]driver.NamedValue, n)
				for i := range args {
					args[i].Ordinal = i + 1
				}
				st, err := conn.Prepare("explain " + text)
				if err != nil {
					return 0, err
				}
				rows, err := st.(driver.StmtQueryContext).QueryContext(context.Background(), args)
				if err == nil {
					err = errors.Join(rows.Close(), st.Close())
				} else {
					_ = st.Close()
				}
				if !missing(err) {
					return n, err
				}
			}
			return 0, errors.New("more parameters than anybody counts")
		}, fragment)
	})
}

// FuzzLiteralsOfMariaDB lets the server prepare the text, which counts its placeholders.
func FuzzLiteralsOfMariaDB(f *testing.F) {
	for _, seed := range literalSeeds {
		f.Add(seed)
	}
	config, err := mysqldriver.ParseDSN(testserver.MariaDB(f).DSN())
	require.NoError(f, err)
	connector, err := mysqldriver.NewConnector(config)
	require.NoError(f, err)
	conn, err := connector.Connect(context.Background())
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, conn.Close()) })
	f.Fuzz(func(t *testing.T, fragment string) {
		checkLiterals(t, mysql.Dialect{}, func(text string) (int, error) {
			st, err := conn.Prepare(text)
			if err != nil {
				var known *mysqldriver.MySQLError
				require.ErrorAs(t, err, &known, "%q", text)
				return 0, err
			}
			return st.NumInput(), st.Close()
		}, fragment)
	})
}

// FuzzLiteralsOfPostgreSQL lets the server prepare the text and describe its parameters.
func FuzzLiteralsOfPostgreSQL(f *testing.F) {
	for _, seed := range append(literalSeeds, "E'a'\n'\\':a'", "1 -- :a\r, :a", "E'a' -- '\n '\\':a'", `U&'\0041\' , :a, U&"\", :a`) {
		f.Add(seed)
	}
	ctx := context.Background()
	conn, err := pgconn.Connect(ctx, testserver.Postgres(f).URL())
	require.NoError(f, err)
	f.Cleanup(func() { require.NoError(f, conn.Close(ctx)) })
	f.Fuzz(func(t *testing.T, fragment string) {
		checkLiterals(t, postgres.Dialect{}, func(text string) (int, error) {
			st, err := conn.Prepare(ctx, "", text, nil)
			if err != nil {
				var known *pgconn.PgError
				require.ErrorAs(t, err, &known, "%q", text)
				return 0, err
			}
			return len(st.ParamOIDs), nil
		}, fragment)
	})
}
