package repaint_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/pg"
)

// The names that the snippets of the guide may use, as a reader would have them around.
const aroundSnippets = `package guide

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"github.com/jackc/pgx/v5"
	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/pg"
	%s
)

type User struct { ID int; Name string }

func transfer(ctx context.Context, tx *db.Tx) error  { return nil }
func newToken(ctx context.Context) (string, error) { return "", nil }
func reconcile(ctx context.Context, err error) error { return err }

func snippet(ctx context.Context, engine *db.Engine, url string, users []User) error {
%s
	return nil
}
`

func TestSnippetsOfTheDatabaseGuideCompile(t *testing.T) {
	compileSnippets(t, "docs/guide-db.md", 9, aroundSnippets, "./db/...")
}

// The same for pages about pg, where the database is called conn or db.
const aroundSnippetsOfPg = `package guide

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/seed1239206e/repaint/pg"
	%s
)

type User struct { ID int; Name string }

func newToken(ctx context.Context) (string, error)                { return "", nil }
func registerVector(ctx context.Context, conn *pgx.Conn) error     { return nil }
func reconcile(ctx context.Context, err error) error              { return err }

func snippet(ctx context.Context, conn, db *pg.DB, url string, users []User) error {
	{
%s
	}
	return nil
}
`

func TestSnippetsAboutPgCompile(t *testing.T) {
	compileSnippets(t, "docs/guide-pg.md", 15, aroundSnippetsOfPg)
	compileSnippets(t, "docs/coming-from-pgx.md", 3, aroundSnippetsOfPg)
	compileSnippets(t, "docs/many-rows.md", 3, aroundSnippetsOfPg)
}

// The same for the page about deployment, which is about both.
const aroundSnippetsOfDeployment = `package guide

import (
	"context"
	"errors"
	"log/slog"
	"time"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/pg"
	%s
)

func newToken(ctx context.Context) (string, error) { return "", nil }

func snippet(ctx context.Context, conn *pg.DB, engine *db.Engine, url string) error {
	{
%s
	}
	return nil
}
`

func TestSnippetsAboutDeploymentCompile(t *testing.T) {
	compileSnippets(t, "docs/guide-deploy.md", 7, aroundSnippetsOfDeployment, "./db/...", "net/http", "os/signal")
}

func TestGuideToDeploymentHasEachStatistic(t *testing.T) {
	text, err := os.ReadFile("docs/guide-deploy.md")
	require.NoError(t, err)
	_, tables, _ := strings.Cut(string(text), "### pg.Stats\n")
	ofPg, ofDB, found := strings.Cut(tables, "### db.Stats\n")
	require.True(t, found)
	ofDB, _, _ = strings.Cut(ofDB, "\n## ")
	require.Equal(t, statistics(reflect.TypeFor[pg.Stats](), ""), firstColumn(ofPg))
	require.Equal(t, statistics(reflect.TypeFor[db.Stats](), ""), firstColumn(ofDB))
}

// statistics names the fields of a struct, and of those in it.
func statistics(of reflect.Type, prefix string) (names []string) {
	for i := range of.NumField() {
		f := of.Field(i)
		if f.Type.Kind() == reflect.Struct {
			names = append(names, statistics(f.Type, prefix+f.Name+".")...)
			continue
		}
		names = append(names, prefix+f.Name)
	}
	return names
}

// firstColumn returns the names in the first column of a table.
func firstColumn(text string) (names []string) {
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "| `"); ok {
			name, _, _ = strings.Cut(name, "`")
			names = append(names, name)
		}
	}
	return names
}

func TestTestsThatTheGuideToDeploymentNamesExist(t *testing.T) {
	text, err := os.ReadFile("docs/guide-deploy.md")
	require.NoError(t, err)
	var tests strings.Builder
	for _, pattern := range []string{"pg/*_test.go", "db/postgres/*_test.go", "db/mysql/*_test.go"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, name := range files {
			source, err := os.ReadFile(name)
			require.NoError(t, err)
			tests.Write(source)
		}
	}
	named := regexp.MustCompile("`(Test[A-Za-z]+)`").FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(named), 10)
	for _, m := range named {
		require.Contains(t, tests.String(), "func "+m[1]+"(")
	}
}

// The same for the page about tests.
const aroundSnippetsOfTests = `package guide

import (
	"context"
	"testing"
	"time"
	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/loop"
	"github.com/seed1239206e/repaint/repainttest"
	%s
)

func register(ctx context.Context, name string) error { return nil }
func withdraw(ctx context.Context) (int, error)       { return 0, nil }

func snippet(t *testing.T) {
%s
}
`

func TestSnippetsAboutTestsCompile(t *testing.T) {
	compileSnippets(t, "docs/testing.md", 3, aroundSnippetsOfTests, "testing", "./loop", "./repainttest")
}

// The code about migrations comes from a page whose code is compiled, and run with the libraries,
// in the module compat.
func TestTheCodeAboutMigrationsIsThatOfThePageAboutDatabaseSQL(t *testing.T) {
	page, err := os.ReadFile("docs/migrate.md")
	require.NoError(t, err)
	compiled, err := os.ReadFile("docs/coming-from-database-sql.md")
	require.NoError(t, err)
	snippets := regexp.MustCompile("(?ms)^```go\n.*?^```$").FindAllString(string(page), -1)
	require.Len(t, snippets, 2)
	for _, s := range snippets {
		require.Contains(t, string(compiled), s)
	}
}

// compileSnippets compiles each piece of Go code of a page. There must be at least so many.
func compileSnippets(t *testing.T, page string, least int, around string, packages ...string) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	imports := compiledPackages(t, append(packages, "context", "errors", "fmt", "log/slog", "time", "github.com/jackc/pgx/v5", ".", "./pg")...)

	snippets := strings.Split(string(text), "```go\n")[1:]
	require.GreaterOrEqual(t, len(snippets), least, "they weren't found")
	for _, s := range snippets {
		s, _, _ = strings.Cut(s, "```")
		more := ""
		if rest, ok := strings.CutPrefix(s, "import (\n"); ok {
			more, s, _ = strings.Cut(rest, "\n)\n")
			more = strings.Replace(more, `"github.com/seed1239206e/repaint/db"`, "", 1) // it is there
		}
		program := fmt.Sprintf(around, more, s)
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, page, program, 0)
		require.NoError(t, err, s)
		config := types.Config{Importer: importer.ForCompiler(files, "gc", imports), Error: func(err error) {
			var e types.Error
			if !errors.As(err, &e) || !e.Soft && !strings.Contains(e.Msg, "unreachable") { // soft: something isn't used
				t.Errorf("%v in:\n%s", err, s)
			}
		}}
		_, _ = config.Check("guide", files, []*ast.File{file}, nil)
	}
}

// compiledPackages returns the function that opens the compiled form of the packages and of all
// that they import.
func compiledPackages(t *testing.T, packages ...string) importer.Lookup {
	list := exec.Command("go", append([]string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}, packages...)...)
	list.Stderr = os.Stderr
	out, err := list.Output()
	require.NoError(t, err)
	at := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if name, file, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			at[name] = file
		}
	}
	return func(path string) (io.ReadCloser, error) { return os.Open(at[path]) }
}
