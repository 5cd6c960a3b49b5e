// Package tasks_test has the code of the pages in docs that are about a task: one file for each
// page, named like it. A function has the lines of one piece of code, and a test runs it.
package tasks_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/postgres"
	_ "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// tables is what the code of the pages finds in a database.
const tables = `create table users (id int primary key, name text);
	create table orders (id int);
	create table accounts (id int primary key, balance int);
	create table posts (id int, title text, author int, editor int);
	create table visits (id serial, page text unique, n int, last text);
	insert into users values (7, 'bob'), (42, 'ada');
	insert into accounts values (7, 100);
	insert into posts values (1, 'let go', 42, null)`

type User struct {
	ID   int
	Name string
}

// database returns the URL of a database with the tables.
func database(t *testing.T) string {
	at := testserver.Postgres(t).Database(t)
	at.MustQuery(t, tables)
	return at.URL()
}

// withPg calls fn in both colours, each time with a database of its own.
func withPg(t *testing.T, fn func(t *testing.T, ctx context.Context, conn *pg.DB)) {
	inBothColours(t, func(t *testing.T, ctx context.Context) {
		conn, err := pg.Open(database(t))
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close(ctx)) }()
		fn(t, ctx, conn)
	})
}

// withDB is withPg for an Engine, on PostgreSQL and on SQLite.
func withDB(t *testing.T, fn func(t *testing.T, ctx context.Context, engine *db.Engine)) {
	for name, url := range map[string]func(t *testing.T) string{
		"PostgreSQL": database,
		"SQLite":     func(*testing.T) string { return "sqlite://" },
	} {
		t.Run(name, func(t *testing.T) {
			inBothColours(t, func(t *testing.T, ctx context.Context) {
				engine, err := db.Open(ctx, url(t))
				require.NoError(t, err)
				defer func() { require.NoError(t, engine.Close(ctx)) }()
				if name == "SQLite" {
					_, err := engine.Exec(ctx, strings.ReplaceAll(tables, "id serial", "id integer primary key"))
					require.NoError(t, err)
				}
				fn(t, ctx, engine)
			})
		})
	}
}

func inBothColours(t *testing.T, fn func(t *testing.T, ctx context.Context)) {
	t.Run("goroutine", func(t *testing.T) { fn(t, t.Context()) })
	t.Run("loop", func(t *testing.T) {
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error {
			fn(t, ctx)
			return nil
		}))
	})
}

// The pages, in the order of docs/README.md, each with the files that have its code and run it.
var pages = []struct{ page, code string }{
	{"install", ""}, // TestTheFirstProgramRuns runs what is on the page itself
	{"connect", "connect_test.go"},
	{"query", "query_test.go"},
	{"transactions", "transactions_test.go"},
	{"many-rows", "many_rows_test.go"},
	{"testing", "testing_test.go"},
	{"guide-races", "races_test.go"},
	{"shutdown", "shutdown_test.go"},
	{"observe", "observe_test.go ../../pg/otel/example_test.go ../../prometheus/pgcollector/example_test.go"},
	{"guide-deploy", "deploy_test.go"},
	{"migrate", "../../compat/snippets_test.go"},
	{"guide-stalls", "stalls_test.go"},
}

func TestTheCodeOfThePagesIsThatOfTheseTests(t *testing.T) {
	for _, p := range pages {
		if p.code == "" {
			continue
		}
		var code strings.Builder
		for file := range strings.FieldsSeq(p.code) {
			text, err := os.ReadFile(file)
			require.NoError(t, err)
			code.Write(text)
		}
		for _, block := range blocks(t, p.page) {
			if rest, ok := strings.CutPrefix(block, "import (\n"); ok {
				imports, rest, _ := strings.Cut(rest, "\n)\n")
				for line := range strings.Lines(imports) {
					require.Contains(t, code.String(), strings.TrimSpace(line), "%s", p.page)
				}
				block = strings.TrimPrefix(rest, "\n")
			}
			if !strings.Contains(unindented(code.String()), unindented(block)) {
				t.Errorf("%s: these lines are nowhere in %s:\n%s", p.page, p.code, block)
			}
		}
	}
}

func TestEachTaskHasItsPageOnTheFirstScreen(t *testing.T) {
	text, err := os.ReadFile("../../docs/README.md")
	require.NoError(t, err)
	lines := slices.Collect(strings.Lines(string(text)))
	screen := strings.Join(lines[:24], "")
	at := 0
	for _, p := range pages {
		i := strings.Index(screen, "]("+p.page+".md)")
		require.Greater(t, i, at, "%s", p.page)
		at = i
	}
}

// A page that has the sentence of another would sooner or later say something else than that.
func TestNoSentenceStandsOnTwoPages(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	require.NoError(t, err)
	of := make(map[string]string)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		prose := regexp.MustCompile("(?ms)^```.*?^```$|^[|#].*?$").ReplaceAllString(string(text), "\n\n")
		for paragraph := range strings.SplitSeq(prose, "\n\n") {
			plain := strings.Join(strings.Fields(paragraph), " ")
			for sentence := range strings.SplitSeq(plain, ". ") {
				if len(strings.Fields(sentence)) < 8 {
					continue
				}
				if first, ok := of[sentence]; ok && first != file {
					t.Errorf("%s and %s both say: %s", first, file, sentence)
				}
				of[sentence] = file
			}
		}
	}
	require.Greater(t, len(of), 1000, "they weren't recognised")
}

func TestTheFirstProgramRuns(t *testing.T) {
	file := filepath.Join(t.TempDir(), "main.go")
	require.NoError(t, os.WriteFile(file, []byte(blocks(t, "install")[0]), 0o600))
	run := exec.Command("go", "run", file)
	run.Dir = "../.."
	out, err := run.CombinedOutput()
	require.NoError(t, err, string(out))
	text, err := os.ReadFile("../../docs/install.md")
	require.NoError(t, err)
	require.Contains(t, string(text), "$ go run .\n"+string(out)+"```")
}

// blocks returns the pieces of Go code of a page.
func blocks(t *testing.T, page string) (all []string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/" + page + ".md")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile("(?ms)^ *```go\n(.*?)^ *```$").FindAllStringSubmatch(string(text), -1) {
		all = append(all, m[1])
	}
	require.NotEmpty(t, all, page)
	return all
}

func unindented(text string) string {
	return regexp.MustCompile(`(?m)^[ \t]+`).ReplaceAllString(text, "")
}
