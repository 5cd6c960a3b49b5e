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

// Package examples/tasks has the code of the pages that are about a task, and runs it. The snippets
// of these guides are compiled.

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
	compileSnippets(t, "docs/guide-db.md", 8, aroundSnippets, "./db/...")
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
	compileSnippets(t, "docs/guide-pg.md", 8, aroundSnippetsOfPg)
	compileSnippets(t, "docs/coming-from-pgx.md", 3, aroundSnippetsOfPg)
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
	_, ofHosts, found := strings.Cut(string(text), "### pg.HostState\n")
	require.True(t, found)
	ofHosts, _, _ = strings.Cut(ofHosts, "\n### ")
	var state []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[pg.HostState]()) {
		state = append(state, f.Name)
	}
	require.Equal(t, state, firstColumn(ofHosts))
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

// compileSnippets compiles each piece of Go code of a page. The page must have at least the given
// number of them.
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
