package repaint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// exported returns the exported names of the package in a directory. Methods and fields have their
// type before them, even those that come from an embedded type of the same package.
func exported(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	names := make(map[string]bool)
	embedded := make(map[string][]string)
	members := func(of string, list *ast.FieldList) {
		for _, f := range list.List {
			for _, n := range f.Names {
				names[of+"."+n.Name] = true
			}
			if len(f.Names) == 0 {
				embedded[of] = append(embedded[of], typeName(f.Type))
			}
		}
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range parsed.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names[d.Name.Name] = true
				} else {
					names[typeName(d.Recv.List[0].Type)+"."+d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					switch s := s.(type) {
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names[n.Name] = true
						}
					case *ast.TypeSpec:
						names[s.Name.Name] = true
						switch u := s.Type.(type) {
						case *ast.StructType:
							members(s.Name.Name, u.Fields)
						case *ast.InterfaceType:
							members(s.Name.Name, u.Methods)
						}
					}
				}
			}
		}
	}
	for outer, inners := range embedded {
		for _, inner := range inners {
			for n := range names {
				if rest, ok := strings.CutPrefix(n, inner+"."); ok {
					names[outer+"."+rest] = true
				}
			}
		}
	}
	return names
}

// typeName returns the name of a type without its pointer and parameters.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

func TestWhatComingFromNamesExists(t *testing.T) {
	text, err := os.ReadFile("docs/coming-from.md")
	require.NoError(t, err)
	packages := map[string]map[string]bool{"repaint": exported(t, ".")}
	for _, dir := range []string{"loop", "coop", "greenlet", "repainttest"} {
		packages[dir] = exported(t, dir)
	}
	span := regexp.MustCompile("`[^`\n]+`")
	name := regexp.MustCompile(`\b(repaint|loop|coop|greenlet|repainttest)\.([A-Z]\w*(?:\.[A-Z]\w*)?)`)
	found := 0
	for i, line := range strings.Split(string(text), "\n") {
		for _, s := range span.FindAllString(line, -1) {
			for _, m := range name.FindAllStringSubmatch(s, -1) {
				found++
				if !packages[m[1]][m[2]] {
					t.Errorf("docs/coming-from.md:%d: there is no %s.%s", i+1, m[1], m[2])
				}
			}
		}
	}
	require.Greater(t, found, 150, "they weren't recognised")
}

func TestEveryRowOfComingFromHasACounterpartOrAReason(t *testing.T) {
	text, err := os.ReadFile("docs/coming-from.md")
	require.NoError(t, err)
	seen := make(map[string]int)
	for i, line := range strings.Split(string(text), "\n") {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		require.Len(t, cells, 2, "line %d", i+1)
		left, right := strings.TrimSpace(cells[0]), strings.TrimSpace(cells[1])
		require.NotEmpty(t, left, "line %d", i+1)
		if right == "repaint" {
			continue // a head
		}
		require.Regexp(t, "`|None[:, ]|They work|context", right, "line %d", i+1)
		if at, ok := seen[left]; ok {
			t.Errorf("lines %d and %d are about the same", at, i+1)
		}
		seen[left] = i + 1
	}
	require.Greater(t, len(seen), 150)
}

func TestEveryBugOfPipeliningHasItsTests(t *testing.T) {
	files, err := filepath.Glob("pg/*_test.go")
	require.NoError(t, err)
	tests := make(map[string]bool)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllStringSubmatch(string(text), -1) {
			tests[m[1]] = true
		}
	}
	text, err := os.ReadFile("docs/bugs-of-pipelining.md")
	require.NoError(t, err)
	name := regexp.MustCompile("`(Test\\w+)`")
	rows := 0
	for i, line := range strings.Split(string(text), "\n") {
		named := name.FindAllStringSubmatch(line, -1)
		for _, m := range named {
			require.True(t, tests[m[1]], "docs/bugs-of-pipelining.md:%d: there is no %s in pg", i+1, m[1])
		}
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| ---") || strings.HasPrefix(line, "| Where |") {
			continue
		}
		rows++
		cells := strings.Split(strings.Trim(line, "|"), "|")
		require.Len(t, cells, 4, "line %d", i+1)
		require.NotEmpty(t, name.FindAllString(cells[3], -1), "line %d names no test", i+1)
		require.Regexp(t, `https://github\.com/|^ any $`, cells[0], "line %d has no source", i+1)
	}
	require.Greater(t, rows, 20, "they weren't recognised")
}
