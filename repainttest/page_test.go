package repainttest_test

import (
	"html"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// pageOf returns the text of a page.
func pageOf(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(text)
}

func TestPageOfAFailureIsWrittenWhereTheVariableSays(t *testing.T) {
	dir := t.TempDir()
	out, passed := child(t, "lost update", dir, "REPAINT_PAGE=pages/new")
	require.False(t, passed)
	require.Contains(t, out, "the page of this schedule: "+filepath.Join(dir, "pages/new/TestChild.html"))
	text := pageOf(t, dir, "pages", "new", "TestChild.html")
	require.Contains(t, text, ">main</div>")
	require.Contains(t, text, ">task 2</div>")
	command := regexp.MustCompile(`<code id="command">(.*)</code>`).FindStringSubmatch(text)
	require.NotNil(t, command)
	require.Contains(t, out, "to repeat exactly this: "+html.UnescapeString(command[1]), "the page has the printed command")

	out, passed = child(t, "lost update, mended", dir, "REPAINT_PAGE=mended.html", "REPAINT_SCHEDULE=1 2")
	require.True(t, passed, out)
	require.Contains(t, pageOf(t, dir, "mended.html"), "passes in this schedule")

	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), nil, 0o666))
	out, passed = child(t, "lost update", dir, "REPAINT_PAGE=file/in")
	require.False(t, passed)
	require.Regexp(t, `can't write the page of this schedule, for which REPAINT_PAGE or repainttest.Page asks: .*file`, out)
	require.Contains(t, out, "to repeat exactly this: ", "the failure is shown all the same")
}

func TestPageOfAFailureIsWrittenWhereTheOptionSays(t *testing.T) {
	dir := t.TempDir()
	_, passed := child(t, "lost update, with a page", dir)
	require.False(t, passed)
	require.Contains(t, pageOf(t, dir, "lost.HTML"), "fails in this schedule")
	require.NoError(t, os.Remove(filepath.Join(dir, "lost.HTML")))
	_, passed = child(t, "lost update, with a page", dir, "REPAINT_PAGE=.")
	require.False(t, passed)
	pageOf(t, dir, "TestChild.html")
	require.NoFileExists(t, filepath.Join(dir, "lost.HTML"))
	out, passed := child(t, "no choice, with a page", dir)
	require.True(t, passed, out)
	require.NoFileExists(t, filepath.Join(dir, "none.html"), "nothing has failed")
}
