package repaint_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// readmeBlocks returns the README's code blocks of a language, and those without one.
func readmeBlocks(t *testing.T) (code, other []string) {
	t.Helper()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	for _, b := range regexp.MustCompile("(?ms)^```([a-z]*)\n(.*?)^```$").FindAllStringSubmatch(string(readme), -1) {
		if b[1] == "go" {
			code = append(code, b[2])
		} else {
			other = append(other, b[2])
		}
	}
	return code, other
}

func TestTheReadmesCodeRuns(t *testing.T) {
	var sources strings.Builder
	files, err := filepath.Glob("examples/readme/*.go")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		sources.Write(text)
	}
	code, other := readmeBlocks(t)
	require.Len(t, code, 4)
	for _, b := range code {
		require.Contains(t, sources.String(), b)
	}
	for _, b := range other {
		switch {
		case strings.HasPrefix(b, "select ") || strings.HasPrefix(b, "task 1"):
			output := "\t// Output:\n\t// " + strings.ReplaceAll(strings.TrimSuffix(b, "\n"), "\n", "\n\t// ") + "\n"
			require.Contains(t, sources.String(), output)
		case strings.HasPrefix(strings.TrimSpace(b), "1 |"):
			requireRace(t, b)
		}
	}
}

// requireRace checks that the README's test fails as shown there, except for the column of the main
// function, which the README leaves out.
func requireRace(t *testing.T, shown string) {
	t.Helper()
	out, err := exec.Command("go", "test", "-count=1", "-tags=readme", "-run=^TestWithdraw$", "./examples/readme").CombinedOutput()
	require.Error(t, err, string(out))
	for line := range strings.Lines(shown) {
		if !strings.Contains(line, "|") {
			require.Contains(t, string(out), strings.TrimSpace(line))
			continue
		}
		var row strings.Builder
		for i, cell := range strings.Split(line, "|") {
			if i > 0 {
				row.WriteString(`\|.*`)
			}
			row.WriteString(regexp.QuoteMeta(strings.TrimSpace(cell)) + " *")
		}
		require.Regexp(t, row.String(), string(out))
	}
}

// The badges are files of this repository, and say what other files of it say.
func TestTheReadmesBadgesAreTrue(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	mod, err := os.ReadFile("go.mod")
	require.NoError(t, err)
	licence, err := os.ReadFile("LICENSE")
	require.NoError(t, err)
	version := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindSubmatch(mod)[1]
	for file, says := range map[string]string{
		"docs/images/badge-go.svg":      "Go: " + string(version) + "+",
		"docs/images/badge-licence.svg": "licence: " + strings.TrimSuffix(strings.SplitN(string(licence), "\n", 2)[0], " License"),
	} {
		require.Contains(t, string(readme), "!["+says+"]("+file+")")
		badge, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(badge), `aria-label="`+says+`"`)
	}
	require.NotContains(t, string(readme), "](https://", "no picture and no link depends on another server")
}

// go doc db lists these names, too, so the package's comment says who doesn't need them.
func TestNamesOfAuthorsOfDialectsAreSaidToBeNoneOfTheUsers(t *testing.T) {
	source, err := os.ReadFile("db/deprecated.go")
	require.NoError(t, err)
	comment, err := os.ReadFile("db/doc.go")
	require.NoError(t, err)
	_, list, found := strings.Cut(string(comment), "// # Names that you can skip\n")
	require.True(t, found)
	names := regexp.MustCompile(`(?m)^(?:\t|func |type |var |const )([A-Z]\w*)`).FindAllStringSubmatch(string(source), -1)
	require.Greater(t, len(names), 20)
	for _, name := range names {
		require.Regexp(t, `\b`+name[1]+`\b`, list)
	}
}

func TestLinksInDocumentsLeadSomewhere(t *testing.T) {
	files, err := filepath.Glob("docs/*.md")
	require.NoError(t, err)
	for _, file := range append(files, "README.md", "CONTRIBUTING.md") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		prose := regexp.MustCompile("(?ms)^```.*?^```$|`[^`\n]*`").ReplaceAllString(string(text), "")
		for _, link := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(prose, -1) {
			if strings.HasPrefix(link[1], "https://") {
				continue
			}
			path, anchor, _ := strings.Cut(link[1], "#")
			if path = filepath.Join(filepath.Dir(file), path); strings.HasPrefix(link[1], "#") {
				path = file
			}
			_, err := os.Stat(path)
			require.NoError(t, err, "%s links to %s", file, link[1])
			if anchor != "" {
				require.Contains(t, anchors(t, path), anchor, "%s links to %s", file, link[1])
			}
		}
	}
}

// anchors returns the anchors by which links reach the headings of a document.
func anchors(t *testing.T, file string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	for _, h := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		kept := regexp.MustCompile(`[^\p{L}\p{N} _-]`).ReplaceAllString(strings.ToLower(h[1]), "")
		all = append(all, strings.ReplaceAll(kept, " ", "-"))
	}
	return all
}

func TestTheExampleHelloRuns(t *testing.T) {
	out, err := exec.Command("go", "run", "./examples/hello").CombinedOutput()
	require.NoError(t, err, string(out))
	require.Equal(t, "visitor 1\nvisitor 1001\n", string(out))
}
