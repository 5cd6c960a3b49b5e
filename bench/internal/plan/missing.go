package plan

import (
	"os"
	"strings"
	"testing"

	"github.com/seed1239206e/repaint/internal/testserver"
)

// Present ends a test with a skip if peers are missing; with a failure where missing servers are one, too.
func Present(tb testing.TB, missing []string) {
	tb.Helper()
	const required = testserver.RequireEnv
	switch {
	case len(missing) == 0:
	case os.Getenv(required) == "1":
		tb.Fatalf("peers are missing (%s=1 makes this a failure; make install-servers installs them on Debian): %s", required, strings.Join(missing, "; "))
	default:
		tb.Skipf("peers are missing: %s", strings.Join(missing, "; "))
	}
}
