package repainttest_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFailureShowsTheShortestScheduleAndHowToRepeatIt(t *testing.T) {
	dir := t.TempDir()
	out, passed := child(t, "lost update", dir)
	require.False(t, passed)
	s := scheduleIn(t, out)
	require.Regexp(t, `^REPAINT_SCHEDULE=1 2$`, s, "one reads, then the other")
	require.Regexp(t, `\n +\| main +\| task 1 +\| task 2\n`, out)
	require.Regexp(t, `\n +1 \| +\| child_test.go:\d+: waits for its next turn`, out)
	require.Contains(t, out, "not shown: tasks 3, 4, 5 and 6, which weren't overtaken")
	for range 3 {
		again, passed := child(t, "lost update", dir, s)
		require.False(t, passed)
		require.Contains(t, again, "the balance is 40")
		require.Equal(t, 1, strings.Count(again, "--- FAIL: TestChild/schedule="))
		require.Equal(t, picture(t, out), picture(t, again))
	}
	require.NoDirExists(t, filepath.Join(dir, "testdata"))
}

// picture returns the table in a child's output.
func picture(t *testing.T, out string) string {
	t.Helper()
	table := regexp.MustCompile(`(?m)^ +\| main(.*\n)+?.*-\+-(.*\n +\d* .*\|.*)+`).FindString(out)
	require.NotEmpty(t, table, out)
	return table
}

func TestScheduleSurvivesChangesOfTheProgram(t *testing.T) {
	dir := t.TempDir()
	out, _ := child(t, "lost update", dir)
	again, passed := child(t, "lost update, changed", dir, scheduleIn(t, out))
	require.False(t, passed)
	require.Contains(t, again, "the balance is 40")
	require.NotContains(t, again, "doesn't fit")
}

func TestScheduleThatDoesNotFitIsRefused(t *testing.T) {
	dir := t.TempDir()
	for schedule, want := range map[string]string{
		"1 9 2":          "step 2 is to be one of task 9, but there is none at that time; tasks 2 and 1 can go on there",
		"2.1":            "step 1 is to be one of task 2.1, but there is none at that time; tasks 1 and 2 can go on there",
		"1*3 2*9":        "step 3 is to be one of task 1, but that has ended; task 2 can go on there",
		"1*2 2*2 1*":     "\"1*\" has no number of steps after the *",
		"1*2 2*2 main*2": "the program ended when the schedule still had 1 step, the next of task main",
		"main 1 2":       "step 1 is to be one of task main, but that waits for the functions of a group (child_test.go:",
		"1*x":            "\"1*x\" has no number of steps after the *",
		"one":            "\"one\" names no task: tasks are called main, 1, 2.1 and the like",
	} {
		out, passed := child(t, "lost update, mended", dir, "REPAINT_SCHEDULE="+schedule)
		require.False(t, passed, schedule)
		require.Contains(t, out, want, schedule)
	}
}

func TestKeptSchedulesRunFirst(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "testdata", "explore"), 0o777))
	out, passed := child(t, "lost update", dir)
	require.False(t, passed)
	file := regexp.MustCompile(`it is kept in (testdata/explore/TestChild/[0-9a-f]{12}) and will run first`).FindStringSubmatch(out)
	require.NotNil(t, file, out)
	text, err := os.ReadFile(filepath.Join(dir, file[1]))
	require.NoError(t, err)
	require.Contains(t, string(text), "# TestChild fails in this schedule:")

	out, passed = child(t, "lost update", dir)
	require.False(t, passed)
	require.Contains(t, out, "--- FAIL: TestChild/schedule="+file[1])
	require.NotContains(t, out, "TestChild/seed=")

	out, passed = child(t, "lost update, mended", dir)
	require.True(t, passed, out)
	require.Contains(t, out, "--- PASS: TestChild/schedule="+file[1])
	require.Regexp(t, `all \d+ interleavings explored`, out)

	out, passed = child(t, "no choice", dir)
	require.True(t, passed, "only the program has changed")
	require.Contains(t, out, "doesn't fit the program any more")
}

func TestRunsThatDifferAreNamed(t *testing.T) {
	out, passed := child(t, "not repeatable", t.TempDir())
	require.False(t, passed)
	require.Regexp(t, `run 2: task 2 child_test.go:\d+: waits for a sleep where run 1: task 2 child_test.go:\d+: waits for its next turn \(step 0\)`, out)
}

func TestSometimesFailsWhatNeverHeld(t *testing.T) {
	out, passed := child(t, "sometimes", t.TempDir())
	require.False(t, passed)
	require.Contains(t, out, `in none of 2 schedules did this hold: "c came first"`)
	require.NotContains(t, out, `that "b came first"`)
}

func TestPanicIsAFailureWithASchedule(t *testing.T) {
	out, passed := child(t, "panic", t.TempDir())
	require.False(t, passed)
	require.Contains(t, out, "b came before c")
	scheduleIn(t, out)
}
