package pg_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestExamples(t *testing.T) {
	srv := testserver.Postgres(t)
	leakcheck.Test(t)
	exampleURL = srv.Database(t).URL()
	want := printed(t)
	examples := map[string]func(){
		"Example":                 Example,
		"ExampleDB_Query":         ExampleDB_Query,
		"ExampleDB_Begin":         ExampleDB_Begin,
		"ExampleDB_SendBatch":     ExampleDB_SendBatch,
		"ExampleDB_Reader":        ExampleDB_Reader,
		"ExampleDB_Acquire":       ExampleDB_Acquire,
		"ExampleDB_Async":         ExampleDB_Async,
		"ExampleDB_Exec_deadline": ExampleDB_Exec_deadline,
		"ExampleDB_Stream":        ExampleDB_Stream,
		"ExampleDB_CopyFrom":      ExampleDB_CopyFrom,
		"ExampleDB_CopyOut":       ExampleDB_CopyOut,
		"ExampleListener":         ExampleListener,
		"ExampleAsync":            ExampleAsync,
		"ExampleAsyncReader":      ExampleAsyncReader,
		"ExampleReader":           ExampleReader,
		"ExampleCursor":           ExampleCursor,
		"ExampleHolder":           ExampleHolder,
		"ExampleStage":            ExampleStage,
		"ExampleStatementError":   ExampleStatementError,
		"ExampleEncodeError":      ExampleEncodeError,
		"ExampleExhaustedError":   ExampleExhaustedError,
		"ExampleLostError":        ExampleLostError,
		"ExampleLogTracer":        ExampleLogTracer,
		"ExampleRows":             ExampleRows,
		"ExampleStats":            ExampleStats,
		"ExampleTimeout":          ExampleTimeout,
		"ExampleTx_Cursor":        ExampleTx_Cursor,
		"ExampleSession_Prepare":  ExampleSession_Prepare,
		"ExampleDB_LoadTypes":     ExampleDB_LoadTypes,
		"ExampleBatchError":       ExampleBatchError,
		"ExampleSession_Close":    ExampleSession_Close,
	}
	require.Len(t, examples, len(want), "each example that prints something is run")
	for name, fn := range examples {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, want[name], capture(t, fn))
		})
	}
}

// printed reads the output that the examples announce.
func printed(t *testing.T) map[string]string {
	files, err := filepath.Glob("example_*test.go")
	require.NoError(t, err)
	want := map[string]string{}
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		require.NoError(t, err)
		for _, d := range file.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			for _, c := range file.Comments {
				if text, ok := strings.CutPrefix(c.Text(), "Prints:"); ok && c.Pos() > fn.Pos() && c.End() < fn.End() {
					want[fn.Name.Name] = strings.TrimSpace(text)
				}
			}
		}
	}
	return want
}

// capture returns the text that a function writes to the standard output.
func capture(t *testing.T, fn func()) string {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	saved := os.Stdout
	os.Stdout = w
	text := make(chan string)
	go func() {
		b, _ := io.ReadAll(r)
		text <- string(b)
	}()
	func() {
		defer func() { os.Stdout = saved }()
		fn()
	}()
	require.NoError(t, w.Close())
	return strings.TrimSpace(<-text)
}
