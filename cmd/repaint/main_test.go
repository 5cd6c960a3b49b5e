package main

import (
	"context"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// command runs the program with the given arguments.
func command(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	leakcheck.Test(t)
	var out, errOut strings.Builder
	status = run(t.Context(), append([]string{"repaint"}, args...), &out, &errOut)
	return status, out.String(), errOut.String()
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	return lines[len(lines)-1]
}

func TestDemo(t *testing.T) {
	for name, args := range map[string][]string{
		"by default": nil,
		"in memory":  {"--url", "sqlite://"},
		"in a file":  {"--url", "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "some.db"))},
		"few tasks":  {"--tasks", "3"},
		"more tasks": {"--tasks", "3000"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errOut := command(t, append([]string{"demo", "--requests", "200"}, args...)...)
			require.Zero(t, status, errOut)
			require.Empty(t, errOut, "no progress bar where there is no terminal")
			require.Equal(t, "demo: 200 of 200 correct", lastLine(out))
			require.Regexp(t, `(?m)^ +goroutines +200 +200 +\d+\.\d+ +\d+ +- +- +-$`, out)
			require.Regexp(t, `(?m)^ +greenlets +200 +200 +\d+\.\d+ +\d+ +\d+ +\d+ +\d+$`, out)
		})
	}
	_, out, _ := command(t, "demo")
	require.Equal(t, "demo: 1000 of 1000 correct", lastLine(out))
	require.Regexp(t, `greenlets .* 1000$`, regexp.MustCompile(`(?m)^ +greenlets.*$`).FindString(out), "all wait at once")
}

func TestDemoOnMariaDB(t *testing.T) {
	at := testserver.MariaDB(t).Database(t)
	status, out, errOut := command(t, "demo", "--requests", "200", "--url", at.URL())
	require.Zero(t, status, errOut)
	require.Equal(t, "demo: 200 of 200 correct", lastLine(out))
	require.Contains(t, out, "database: mysql://"+at.User+":***@")
	require.Equal(t, "0", at.MustQuery(t, "select count(*) from information_schema.tables where table_schema = database()"))
}

func TestDemoOnPostgreSQL(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	status, out, errOut := command(t, "demo", "--requests", "200", "--url", at.URL())
	require.Zero(t, status, errOut)
	require.Equal(t, "demo: 200 of 200 correct", lastLine(out))
	require.Contains(t, out, "database: postgres://"+at.User+":***@")
	require.Equal(t, "0", at.MustQuery(t, "select count(*) from pg_tables where schemaname = 'public'"))
}

func TestDemoLeavesNoTable(t *testing.T) {
	url := "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "some.db"))
	status, _, errOut := command(t, "demo", "--requests", "5", "--url", url)
	require.Zero(t, status, errOut)
	engine, err := db.Open(t.Context(), url)
	require.NoError(t, err)
	defer engine.Close(t.Context())
	n, err := db.Scalar[int](t.Context(), engine, "select count(*) from sqlite_schema")
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestUsageErrors(t *testing.T) {
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"demo", "--url", "nosuch://host"}, exitFailed, "sqlite"},
		{[]string{"demo", "--url", "nosuch://user:secret@host"}, exitFailed, "nosuch"},
		{[]string{"demo", "--url", "sqlite:////no/such/directory/x.db"}, exitFailed, "/no/such/directory/x.db"},
		{[]string{"demo", "--requests", "0"}, exitUsage, "at least 1"},
		{[]string{"demo", "--tasks", "-1"}, exitUsage, "at least 1"},
		{[]string{"demo", "--tasks", "many"}, exitUsage, "many"},
		{[]string{"demo", "--bogus"}, exitUsage, "repaint demo --help"},
		{[]string{"demo", "extra"}, exitUsage, "extra"},
		{[]string{"dmeo"}, exitUsage, "dmeo"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			status, out, errOut := command(t, c.args...)
			require.Equal(t, c.status, status, out)
			require.Contains(t, errOut, c.says)
			require.NotContains(t, errOut+out, "secret")
			require.NotContains(t, out, "correct")
		})
	}
}

func TestHelp(t *testing.T) {
	status, out, _ := command(t, "--help")
	require.Zero(t, status)
	require.Contains(t, out, "demo")
	status, out, _ = command(t, "demo", "--help")
	require.Zero(t, status)
	for _, word := range []string{"--url", "--requests", "--tasks", "1000", "SQLite file in a temporary directory"} {
		require.Contains(t, out, word)
	}
}

// inject runs the demo with another request.
func inject(ctx context.Context, t *testing.T, request func(ctx context.Context, q db.Querier, table, data string) error) (stdout, stderr string, err error) {
	t.Helper()
	leakcheck.Test(t)
	var out, errOut strings.Builder
	d := &demo{out: &out, errOut: &errOut, url: "sqlite://", requests: 50, tasks: 4, request: request}
	err = d.run(ctx)
	return out.String(), errOut.String(), err
}

func TestAWrongValueNamesTheRequest(t *testing.T) {
	n := 0
	out, errOut, err := inject(t.Context(), t, func(ctx context.Context, q db.Querier, table, data string) error {
		if !repaint.InGreenlet() {
			return nil
		}
		if n++; n == 17 {
			_, err := q.Exec(ctx, "create trigger spoil after insert on "+table+" begin update "+table+" set data = 'spoilt' where id = new.id; end")
			if err != nil {
				return err
			}
			defer q.Exec(ctx, "drop trigger spoil")
			return addAndSelect(ctx, q, table, data)
		}
		return nil
	})
	require.Equal(t, exitStatus(exitFailed), err)
	require.Contains(t, errOut, "demo: request 17 (greenlets): wrong value: inserted")
	require.Contains(t, errOut, `selected "spoilt"`)
	require.Equal(t, "demo: 49 of 50 correct", lastLine(out))
}

func TestErrorsNameTheRequests(t *testing.T) {
	out, errOut, err := inject(t.Context(), t, func(context.Context, db.Querier, string, string) error { return errors.New("boom") })
	require.Equal(t, exitStatus(exitFailed), err)
	require.Regexp(t, `demo: request \d+ \(goroutines\): boom`, errOut)
	require.Contains(t, errOut, "and 45 more", "the rest is counted")
	require.Equal(t, "demo: 0 of 50 correct", lastLine(out))
}

func TestInterruptEndsWithWhatWasDone(t *testing.T) {
	for _, inLoop := range []bool{false, true} {
		ctx, interrupt := context.WithCancel(t.Context())
		var done atomic.Int32
		out, errOut, err := inject(ctx, t, func(ctx context.Context, q db.Querier, table, data string) error {
			if repaint.InGreenlet() != inLoop {
				return nil
			}
			if done.Add(1) == 10 {
				interrupt()
			}
			return addAndSelect(ctx, q, table, data)
		})
		require.Equal(t, exitStatus(exitInterrupted), err)
		require.Empty(t, errOut)
		require.Regexp(t, `^demo: interrupted, ([6-9]|1\d) of 50 correct so far$`, lastLine(out))
		require.Contains(t, out, "goroutines")
	}
}
