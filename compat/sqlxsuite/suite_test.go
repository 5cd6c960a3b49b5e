// Package sqlxsuite runs sqlx's own tests on repaint's driver.
package sqlxsuite

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	_ "github.com/go-sql-driver/mysql" // sqlx's tests import these drivers and lib/pq
	_ "github.com/jmoiron/sqlx"
	_ "github.com/lib/pq"
	_ "github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// passing is how many of sqlx's 66 tests pass. The other three skip themselves.
const passing = 63

func TestSqlx(t *testing.T) {
	cmd := exec.Command("go", "test", "-count=1", "-v", "-timeout=2m", "github.com/jmoiron/sqlx/...")
	cmd.Env = append(os.Environ(),
		"SQLX_POSTGRES_DSN="+testserver.Postgres(t).Database(t).URL(), "SQLX_MYSQL_DSN=skip", "SQLX_SQLITE_DSN=skip")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.NotContains(t, string(out), "Disabling PG", "the database wasn't reached")
	require.Len(t, regexp.MustCompile(`(?m)^--- PASS: `).FindAll(out, -1), passing)
}
