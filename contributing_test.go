package repaint_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheMakeTargetsThatDocumentsNameExist(t *testing.T) {
	makefile, err := os.ReadFile("Makefile")
	require.NoError(t, err)
	targets := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^([a-z0-9-]+):`).FindAllStringSubmatch(string(makefile), -1) {
		targets[m[1]] = true
	}
	named := regexp.MustCompile("(?m)(?:`|^|run: )make ([a-z0-9-]+(?: [a-z0-9-]+)*)")
	for _, file := range []string{"README.md", "CONTRIBUTING.md", ".github/workflows/test.yml", ".github/pull_request_template.md"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		found := named.FindAllStringSubmatch(string(text), -1)
		require.NotEmpty(t, found, file)
		for _, m := range found {
			for target := range strings.FieldsSeq(m[1]) {
				require.True(t, targets[target], "%s: there is no target %q", file, target)
			}
		}
	}
}

func TestDependabotKnowsEveryModule(t *testing.T) {
	config, err := os.ReadFile(".github/dependabot.yml")
	require.NoError(t, err)
	err = fs.WalkDir(os.DirFS("."), ".", func(file string, d fs.DirEntry, err error) error {
		switch name := d.Name(); {
		case err != nil:
			return err
		case d.IsDir() && (name == "testdata" || len(name) > 1 && name[0] == '.'):
			return fs.SkipDir
		case name == "go.mod":
			require.Contains(t, string(config), `"`+path.Join("/", path.Dir(file))+`"`, "add the module to directories")
		}
		return nil
	})
	require.NoError(t, err)
}
