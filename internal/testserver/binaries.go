package testserver

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// RequireEnv is the environment variable that turns the skip of a test whose server is missing into
// a failure, when it is 1.
const RequireEnv = "REPAINT_REQUIRE_SERVERS"

// A MissingError says why a server isn't available on this machine.
type MissingError struct {
	Server string // "PostgreSQL"
	Reason string // and what to do
}

func (e *MissingError) Error() string {
	return "testserver: no " + e.Server + " here: " + e.Reason
}

func notFound(server string, programs, places []string, install string) error {
	return &MissingError{server, fmt.Sprintf("%s not found together in PATH or in %s; to install: %s",
		strings.Join(programs, ", "), strings.Join(places, ", "), install)}
}

// lookup finds the programs of one server. It takes the first program from PATH, or else from the
// newest of the places, which are patterns. All programs come from one installation: lookup
// searches for the others beside the first, with symbolic links resolved, then in PATH and the
// places.
func lookup(programs, places []string) (map[string]string, bool) {
	dirs := filepath.SplitList(os.Getenv("PATH"))
	for _, pattern := range places {
		found, _ := filepath.Glob(pattern) // the only error is a bad pattern
		newestFirst(found)
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		first, ok := executable(dir, programs[0])
		if !ok {
			continue
		}
		all := map[string]string{programs[0]: first}
		beside := append([]string{filepath.Dir(first)}, dirs...)
		for _, program := range programs[1:] {
			for _, d := range beside {
				if path, ok := executable(d, program); ok {
					all[program] = path
					break
				}
			}
		}
		if len(all) == len(programs) {
			return all, true
		}
	}
	return nil, false
}

func executable(dir, program string) (string, bool) {
	if !filepath.IsAbs(dir) {
		return "", false // a relative PATH entry means another directory to each process
	}
	path, err := exec.LookPath(filepath.Join(dir, program))
	if err != nil {
		return "", false
	}
	// Debian's /usr/bin/psql is a link to a wrapper that goes by its own name, so keep that name.
	// But a link such as /usr/local/bin/postgres leads to the rest of the installation.
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Base(real) == program {
		path = real
	}
	return path, true
}

var number = regexp.MustCompile(`\d+(\.\d+)?`)

// newestFirst sorts directories by the version in their paths, which is the last number: 16 before
// 9.6.
func newestFirst(dirs []string) {
	of := func(dir string) float64 {
		found := number.FindAllString(dir, -1)
		if found == nil {
			return 0
		}
		v, _ := strconv.ParseFloat(found[len(found)-1], 64)
		return v
	}
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(of(b), of(a)) })
}

// version runs a program that prints its version, and returns the part that the pattern's group
// matches.
func version(pattern *regexp.Regexp, program string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), queryTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, program, args...).Output()
	if err != nil {
		return "", fmt.Errorf("testserver: asking %s for its version: %w", program, err)
	}
	found := pattern.FindSubmatch(out)
	if found == nil {
		return "", fmt.Errorf("testserver: asking %s for its version: no version in %q", program, out)
	}
	return string(found[1]), nil
}
