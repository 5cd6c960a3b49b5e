// Package rolestest tests pg with a primary and standbys that fail in every way, under load. It has
// no code of its own.
//
// go test runs a short form. make test-failover, which sets REPAINT_FAILOVER=1, runs all of it, for
// some minutes.
package rolestest
