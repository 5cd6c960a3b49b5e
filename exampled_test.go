package repaint_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runElsewhere says how the Examples of a type run that announce no output.
var runElsewhere = map[string]string{
	"pg/stdlib.Driver":  "TestExamples of its package, which needs a server",
	"pg/stdlib.Conn":    "TestExamples of its package, which needs a server",
	"repainttest.Fault": "the function is part of a test, and faults need a server",
}

// Each exported type has an Example that runs: its own, or that of a constructor or a method, as
// godoc shows them. An alias has that of its original.
func TestEachExportedTypeHasAnExampleThatRuns(t *testing.T) {
	dirs := userPackages(t)
	excepted := map[string]bool{}
	for _, dir := range dirs {
		p := packageIn(t, dir, true)
		for _, x := range p.Types {
			if strings.Contains(x.Doc, "Deprecated:") || isAliasOfOurs(p, x, dirs) {
				continue
			}
			examples := slices.Clone(x.Examples)
			for _, f := range slices.Concat(x.Funcs, x.Methods) {
				examples = append(examples, f.Examples...)
			}
			name := dir + "." + x.Name
			switch {
			case len(examples) == 0:
				t.Errorf("%s has no Example%s", name, x.Name)
			case slices.ContainsFunc(examples, runs):
			case runElsewhere[name] != "":
				excepted[name] = true
			default:
				t.Errorf("the Examples of %s don't run: they announce no output", name)
			}
		}
	}
	for name := range runElsewhere {
		require.True(t, excepted[name], "%s needs no exception", name)
	}
}

// Authors of dialects find each ability of a Dialect, Connector or Session in the table of
// docs/dialects.md, too.
func TestThePageAboutDialectsNamesEachAbility(t *testing.T) {
	page, err := os.ReadFile("docs/dialects.md")
	require.NoError(t, err)
	abilities := 0
	for _, x := range packageIn(t, "db/backend", false).Types {
		is, _ := x.Decl.Specs[0].(*ast.TypeSpec).Type.(*ast.InterfaceType)
		if is == nil || len(is.Methods.List) == 0 || len(is.Methods.List[0].Names) > 0 {
			continue // an ability embeds what it is an ability of
		}
		abilities++
		if !strings.Contains(string(page), "`"+x.Name+"`") {
			t.Errorf("docs/dialects.md doesn't name %s", x.Name)
		}
	}
	require.Greater(t, abilities, 25, "they weren't recognised")
}

// runs reports whether an Example runs: "go test" compares its output, or TestExamples of its
// package what it prints.
func runs(e *doc.Example) bool {
	return e.Output != "" || e.EmptyOutput || slices.ContainsFunc(e.Comments, func(c *ast.CommentGroup) bool {
		return strings.HasPrefix(c.Text(), "Prints:")
	})
}

// isAliasOfOurs reports whether a type of p is an alias of one in another of the given packages.
func isAliasOfOurs(p *doc.Package, x *doc.Type, dirs []string) bool {
	for _, s := range x.Decl.Specs {
		spec := s.(*ast.TypeSpec)
		if of, is := spec.Type.(*ast.SelectorExpr); is && spec.Assign.IsValid() && spec.Name.Name == x.Name {
			return slices.ContainsFunc(dirs, func(dir string) bool {
				return filepath.Base(dir) == of.X.(*ast.Ident).Name && slices.Contains(p.Imports, importPath(dir))
			})
		}
	}
	return false
}

// userPackages returns the directories of the packages that users import, also those of the modules
// for observers, whose dependencies the root module doesn't have.
func userPackages(t *testing.T) (dirs []string) {
	observers := []string{"db/otel", "pg/otel", "prometheus"}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() || path == "." {
			return err
		}
		path = filepath.ToSlash(path)
		_, notNested := os.Stat(filepath.Join(path, "go.mod"))
		if slices.Contains([]string{"internal", "testdata", "examples", "cmd", "docs", "scripts"}, d.Name()) ||
			strings.HasPrefix(d.Name(), ".") || notNested == nil && !slices.Contains(observers, path) {
			return filepath.SkipDir
		}
		files := filesIn(t, token.NewFileSet(), path, false, parser.PackageClauseOnly)
		if len(files) > 0 && files[0].Name.Name != "main" {
			dirs = append(dirs, path)
		}
		return nil
	})
	require.NoError(t, err)
	dirs = append(dirs, ".")
	require.Greater(t, len(dirs), 18, "they weren't found")
	return dirs
}

// packageIn returns what godoc shows of a package, with the Examples if they are asked for.
func packageIn(t *testing.T, dir string, examples bool) *doc.Package {
	t.Helper()
	set := token.NewFileSet()
	p, err := doc.NewFromFiles(set, filesIn(t, set, dir, examples, parser.ParseComments), importPath(dir))
	require.NoError(t, err)
	return p
}

// filesIn parses the Go files of a directory, with those of tests if they are asked for.
func filesIn(t *testing.T, set *token.FileSet, dir string, tests bool, mode parser.Mode) (parsed []*ast.File) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	for _, file := range files {
		if !tests && strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(set, file, nil, mode)
		require.NoError(t, err)
		parsed = append(parsed, f)
	}
	return parsed
}
