package repaint_test

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheReadmesFirstExampleIsTheOneThatRuns(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	program, err := os.ReadFile("examples/hello/main.go")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(readme), "```go\n")
	require.True(t, ok)
	shown, _, ok := strings.Cut(rest, "```")
	require.True(t, ok)
	require.Equal(t, string(program), shown)

	out, err := exec.Command("go", "run", "./examples/hello").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "visitor 1\nvisitor 1001\n", string(out))
}
