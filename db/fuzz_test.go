package db_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	mysqldriver "github.com/go-sql-driver/mysql"
	sqlitedriver "modernc.org/sqlite"

	"github.com/seed1239206e/repaint/db/mysql"
	"github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/sqltext"
)

var literalSeeds = []string{
	"':a'", "'it''s :a'", `'\':a'`, `"x :a"`, "`x :a`", "[x :a]", "1 -- :a\n", "1 --:a\n+ 2", "1 # :a\n", "/* :a */ 1", "/* /* */ :a /* */ */ 1",
	":a", ":a, ':b', :c", "x':a'", "E'\\':a'", "$$:a$$", "1 /*", "'", `"\":a"`, `'\\' :a`, "':a' ':b'", "-:a", "(:a)", "case when :a then ':b' end",
	`\:a`, "':a'/*'*/ , :b", "1--\n, :a", "b':a'", "_utf8':a'", "N':a'", "/*! :a */ 1", "/*M! ':a' */ 1",
}

// checkLiterals compares what the rules take for parameters with what the server
// finds: count returns how many placeholders it sees in a text, or an error if it
// can't read it.
func checkLiterals(t *testing.T, rules *sqltext.Rules, count func(text string) (int, error), fragment string) {
	source := "select " + fragment
	if strings.ContainsRune(source, 0) || strings.Contains(strings.ToLower(source), "into") {
		return // the one is refused before, the other may write files
	}
	var text strings.Builder
	params, pos := 0, 0
	for tok := rules.Next(source, 0); tok.Kind != sqltext.End; tok = rules.Next(source, tok.End) {
		switch tok.Kind {
		case sqltext.Native, sqltext.Semicolon:
			return // not of this language, or several statements, which are none to count in
		case sqltext.Param:
			text.WriteString(source[pos:tok.Start] + "?")
			pos = tok.End
			params++
		case sqltext.Colon:
			text.WriteString(source[pos:tok.Start])
			pos = tok.Start + 1
		}
	}
	text.WriteString(source[pos:])
	seen, err := count(text.String())
	if err != nil {
		return // it is no SQL, and nobody can tell
	}
	require.Equal(t, params, seen, "%q was sent as %q", source, text.String())
}

// FuzzLiteralsOfSQLite has SQLite say how many parameters a text has, by EXPLAIN,
// which needs values for none of them, and by binding, which needs all.
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
		checkLiterals(t, sqlite.Dialect{}.Rules(), func(text string) (int, error) {
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

// FuzzLiteralsOfMariaDB has the server prepare the text, which counts its
// placeholders.
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
		checkLiterals(t, mysql.Dialect{}.Rules(), func(text string) (int, error) {
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
