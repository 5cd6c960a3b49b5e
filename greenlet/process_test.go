package greenlet_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// Some things can be tried only in a process of their own, because the runtime does them to the
// whole program or ends it. Such a process runs this test binary again. An environment variable
// names the scenario that its main goroutine runs instead of the tests.
const scenarioVariable = "REPAINT_GREENLET_SCENARIO"

var allScenarios = make(map[string]func())

// scenarios adds scenarios that a process can run, and returns their names.
func scenarios(m map[string]func()) (names []string) {
	maps.Copy(allScenarios, m)
	return slices.Sorted(maps.Keys(m))
}

func TestMain(m *testing.M) {
	if name := os.Getenv(scenarioVariable); name != "" {
		allScenarios[name]()
		fmt.Println("survived")
		return
	}
	os.Exit(m.Run())
}

func check(ok bool, what ...any) {
	if !ok {
		panic(fmt.Sprint(what...))
	}
}

// process runs a scenario in a process, and returns what it writes and how it ends.
func process(t *testing.T, name string, env ...string) (out string, err error) {
	t.Helper()
	if runtime.GOOS == "js" || testing.Short() {
		t.Skip("-short, or a platform without processes: it starts the test program again")
	}
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), append(env, scenarioVariable+"="+name, "GORACE=atexit_sleep_ms=0")...)
	text, err := cmd.CombinedOutput()
	return string(text), err
}
