package repainttest

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// corpus is the directory of kept schedules. It has a directory for each test, like the inputs of
// fuzz tests.
const corpus = "testdata/explore"

// A kept schedule is a schedule from a file.
type kept struct {
	file     string
	schedule schedule
}

// readCorpus returns the schedules that are kept for the test.
func readCorpus(t *testing.T, test string) []kept {
	t.Helper()
	dir := filepath.Join(corpus, filepath.FromSlash(test))
	entries, err := os.ReadDir(dir)
	if err != nil {
		if !os.IsNotExist(err) {
			t.Fatalf("reading the schedules that are kept for the test: %v", err)
		}
		return nil
	}
	var all []kept
	for _, e := range slices.DeleteFunc(entries, fs.DirEntry.IsDir) {
		file := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("reading a schedule that is kept for the test: %v", err)
		}
		s, err := parseSchedule(string(text))
		if err != nil {
			t.Fatalf("%s isn't a schedule: %v", file, err)
		}
		all = append(all, kept{file, s})
	}
	return all
}

// keep writes a schedule where readCorpus finds it, if the package has a directory for schedules,
// and returns the name of the file. It returns "" if there is no such directory.
func keep(test string, s schedule, comment string) (string, error) {
	if info, err := os.Stat(corpus); err != nil || !info.IsDir() {
		return "", nil
	}
	file := keptAs(test, s)
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return "", err
	}
	text := "# " + strings.ReplaceAll(strings.TrimSpace(comment), "\n", "\n# ") + "\n" + s.String() + "\n"
	return file, os.WriteFile(file, []byte(text), 0o666)
}

func keptAs(test string, s schedule) string {
	return filepath.Join(corpus, filepath.FromSlash(test), fmt.Sprintf("%x", sha256.Sum256([]byte(s.String())))[:12])
}
