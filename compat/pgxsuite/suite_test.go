// Package pgxsuite runs the tests of pgx's own database/sql driver on repaint's driver.
package pgxsuite

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // pgx's tests import these
	_ "github.com/jackc/pgx/v5/tracelog"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// without are the tests that have no meaning here, with the reasons.
var without = map[string]string{
	"TestSQLOpenFromPool":                    "a pgxpool is under it",
	"TestRegisterConnConfig":                 "pgx's tracelog needs a pgx.Conn",
	"TestOptionBeforeAfterConnect":           "hooks are those of the pg.Config",
	"TestRandomizeHostOrderFunc":             "a function of pgx's",
	"TestResetSessionHookCalled":             "a connection has no session to be reset",
	"TestConnMultiplePrepareAndDeallocate":   "a driver.Stmt isn't prepared on a connection of its own",
	"TestCheckIdleConn":                      "a connection has no socket that could be idle",
	"TestOptionShouldPing_HookCalledOnReuse": "a connection has no socket to be asked",
}

// passing is how many of pgx's 46 tests pass: all except those in without.
const passing = 38

func TestPgxStdlib(t *testing.T) {
	found, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/jackc/pgx/v5").Output()
	require.NoError(t, err)
	dir := t.TempDir()
	pgx := filepath.Join(dir, "pgx")
	require.NoError(t, os.CopyFS(pgx, os.DirFS(strings.TrimSpace(string(found)))))
	ours, err := os.ReadFile("testdata/stdlib.go")
	require.NoError(t, err)
	for _, name := range []string{"sql.go", "sql_go1.27.go", "sql_go1.27_internal_test.go"} {
		require.NoError(t, os.Remove(filepath.Join(pgx, "stdlib", name)))
	}
	require.NoError(t, os.WriteFile(filepath.Join(pgx, "stdlib", "sql.go"), ours, 0o600))
	// Through repaint's sql.DB, a temporary table has no owner. So the tables are ordinary ones
	// here, in a schema of each sql.DB.
	tests := filepath.Join(pgx, "stdlib", "sql_test.go")
	text, err := os.ReadFile(tests)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(tests, regexp.MustCompile(`(?i)create temporary table`).ReplaceAll(text, []byte("create table")), 0o600))
	modfile := filepath.Join(dir, "go.mod")
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		if name == "go.mod" {
			text = append(text, "\nreplace github.com/jackc/pgx/v5 => "+pgx+"\n"...)
		}
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	var skip []string
	for name := range without {
		skip = append(skip, "^"+name+"$")
	}
	args := []string{"test", "-count=1", "-v", "-timeout=2m", "-modfile=" + modfile, "github.com/jackc/pgx/v5/stdlib"}
	if len(skip) > 0 {
		args = append(args, "-skip="+strings.Join(skip, "|"))
	}
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "PGX_TEST_DATABASE="+testserver.Postgres(t).Database(t).URL())
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Len(t, regexp.MustCompile(`(?m)^--- PASS: `).FindAll(out, -1), passing)
}
