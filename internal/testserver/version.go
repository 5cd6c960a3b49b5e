package testserver

import (
	"strconv"
	"strings"
	"testing"
)

// Major returns the first number of the server's version.
func (s *Server) Major() int {
	major, _, _ := strings.Cut(s.Version, ".")
	n, _ := strconv.Atoi(strings.TrimRight(major, "abcdefghijklmnopqrstuvwxyz")) // of 19beta1, too
	return n
}

// Needs skips a test of what came with a version.
func (s *Server) Needs(t testing.TB, major int, what string) {
	t.Helper()
	if s.Major() < major {
		t.Skipf("testserver: %s came with %s %d, and this is %s", what, s.flavor.label(), major, s.Version)
	}
}

// Terminate ends the connections to a PostgreSQL database that a condition on pg_stat_activity
// selects, and returns when they are gone.
func (d Target) Terminate(t testing.TB, condition string) {
	t.Helper()
	d.MustQuery(t, "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and "+condition)
	await(t, "the end of connections", func() bool {
		return d.MustQuery(t, "select count(*) from pg_stat_activity where pid <> pg_backend_pid() and "+condition) == "0"
	})
}
