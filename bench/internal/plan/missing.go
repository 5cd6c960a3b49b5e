package plan

import (
	"os"
	"strings"
	"testing"
)

// RequireEnv is the environment variable that makes missing peers a failure, when it is 1.
const RequireEnv = "REPAINT_REQUIRE_PEERS"

// Present skips a test if peers are missing, or fails it where they are required.
func Present(tb testing.TB, missing []string) {
	tb.Helper()
	switch {
	case len(missing) == 0:
	case os.Getenv(RequireEnv) == "1":
		tb.Fatalf("peers are missing (%s=1 makes this a failure; make install-servers installs them on Debian): %s", RequireEnv, strings.Join(missing, "; "))
	default:
		tb.Skipf("peers are missing: %s", strings.Join(missing, "; "))
	}
}
