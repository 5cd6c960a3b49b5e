package repaint_test

import (
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each exported function, method and type has a comment.
func TestExportedSymbolsAreDocumented(t *testing.T) {
	for _, dir := range []string{
		".", "greenlet", "loop", "coop", "pg", "pg/stdlib", "db", "db/backend", "db/backend/sqlbackend", "db/sqlite", "db/postgres", "db/mysql",
		"db/dbconform", "trace", "sqltext", "repainttest",
	} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		set := token.NewFileSet()
		var parsed []*ast.File
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(set, file, nil, parser.ParseComments)
			require.NoError(t, err)
			parsed = append(parsed, f)
		}
		p, err := doc.NewFromFiles(set, parsed, importPath(dir))
		require.NoError(t, err)
		if p.Doc == "" {
			t.Errorf("%s: the package has no comment", dir)
		}
		check := func(prefix string, all []*doc.Func) {
			for _, f := range all {
				if f.Doc == "" {
					t.Errorf("%s: %s%s has no comment", dir, prefix, f.Name)
				}
			}
		}
		check("", p.Funcs)
		for _, x := range p.Types {
			if x.Doc == "" {
				t.Errorf("%s: %s has no comment", dir, x.Name)
			}
			check("", x.Funcs)
			check(x.Name+".", x.Methods)
		}
	}
}
