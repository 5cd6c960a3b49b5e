package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

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
		"by default":    nil,
		"in memory":     {"--url", "sqlite://"},
		"in a file":     {"--url", "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "some.db"))},
		"few tasks":     {"--tasks", "3"},
		"more tasks":    {"--tasks", "3000"},
		"many requests": {"--requests", "3000", "--tasks", "100"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errOut := command(t, append([]string{"demo", "--requests", "200"}, args...)...)
			require.Zero(t, status, errOut)
			require.Empty(t, errOut, "no progress bar where there is no terminal")
			n := 200
			if name == "many requests" {
				n = 3000
			}
			require.Equal(t, fmt.Sprintf("demo: %d of %d correct", n, n), lastLine(out))
			require.Regexp(t, fmt.Sprintf(`(?m)^   goroutines +\d+ +\d+(\.\d+)?[µm]s +%d$`, 2*n), out)
			require.Regexp(t, fmt.Sprintf(`(?m)^   greenlets +\d+ +\d+(\.\d+)?[µm]s +%d$`, 2*n), out)
			require.Regexp(t, `(?m)^   greenlets, Loader +#+ \d+\.\d x$`, out)
			fits(t, out, 76)
		})
	}
	_, out, _ := command(t, "demo")
	require.Equal(t, "demo: 1000 of 1000 correct", lastLine(out))
	require.Regexp(t, `(?m)^   greenlets, Loader +\d+ +\d+(\.\d+)?µs +2$`, out, "two statements for all pages")
	require.Contains(t, out, "until one paid out twice")
	require.Contains(t, out, `task 2 (page 7) waits for a coop.Mutex named "cache"`)
}

// fits checks that no line is longer than width.
func fits(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(text) {
		require.LessOrEqual(t, utf8.RuneCountInString(strings.TrimSuffix(line, "\n")), width, line)
	}
}

func TestDemoOfTheRace(t *testing.T) {
	status, out, errOut := command(t, "demo", "race", "--seed", "5")
	require.Zero(t, status, errOut)
	_, again, _ := command(t, "demo", "race", "--seed", "5")
	require.Equal(t, out, again, "the seed repeats it")
	require.Contains(t, out, "repaint demo race --seed 5")
	fits(t, out, 76)

	schedule := regexp.MustCompile(`--schedule '(.*)'`).FindStringSubmatch(out)[1]
	page := filepath.Join(t.TempDir(), "page.html")
	status, one, errOut := command(t, "demo", "race", "--schedule", schedule, "--page", page)
	require.Zero(t, status, errOut)
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "select balance from account")
	require.Contains(t, one, "the account had 100, and 120 were paid out")
	status, one, errOut = command(t, "demo", "race", "--schedule", "1")
	require.Zero(t, status, errOut)
	require.Contains(t, one, "nothing goes wrong")
	status, _, errOut = command(t, "demo", "race", "--schedule", "in any order")
	require.Equal(t, exitFailed, status)
	require.Contains(t, errOut, `"in any order" isn't a schedule`)
	require.Equal(t, 1, strings.Count(errOut, "\n"), errOut)
}

func TestDemoWritesATimeline(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.html")
	status, out, errOut := command(t, "demo", "--requests", "20", "--trace", page)
	require.Zero(t, status, errOut)
	require.Contains(t, strings.Join(strings.Fields(out), " "), "a timeline of some of the greenlets:")
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Contains(t, string(text), "<html")
	status, _, errOut = command(t, "demo", "--requests", "20", "--trace", filepath.Join(t.TempDir(), "no", "such", "page.html"))
	require.Equal(t, exitFailed, status)
	require.Contains(t, errOut, "write the timeline")
	require.NotContains(t, errOut, "correct", "it is said before anything is done")
}

// A demo whose reader has gone, as with head, cleans up and ends.
func TestAReaderThatGoesAwayEndsTheDemo(t *testing.T) {
	program := filepath.Join(t.TempDir(), "repaint.exe")
	out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput()
	require.NoError(t, err, string(out))
	temporary := t.TempDir()
	demo := exec.Command(program, "demo", "--requests", "20000")
	demo.Env = append(os.Environ(), "TMPDIR="+temporary, "TMP="+temporary, "DATABASE_URL=")
	said, err := demo.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, demo.Start())
	line, err := bufio.NewReader(said).ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, "database: ")
	require.NoError(t, said.Close())
	require.Error(t, demo.Wait())
	require.Equal(t, exitUnread, demo.ProcessState.ExitCode())
	left, err := os.ReadDir(temporary)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestOutputFitsIntoTheColumnsOfTheEnvironment(t *testing.T) {
	t.Setenv("COLUMNS", "40")
	status, out, errOut := command(t, "demo", "--requests", "20")
	require.Zero(t, status, errOut)
	fits(t, out, 40)
}

func TestDatabaseURLIsRead(t *testing.T) {
	t.Setenv("DATABASE_URL", "nosuch://host")
	status, _, errOut := command(t, "demo")
	require.Equal(t, exitFailed, status)
	require.Contains(t, errOut, "nosuch")
	status, out, errOut := command(t, "demo", "--requests", "10", "--url", "sqlite://")
	require.Zero(t, status, errOut)
	require.Contains(t, out, "database: sqlite://")
}

func TestDemoWithADelay(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	status, out, errOut := command(t, "demo", "--requests", "100", "--url", at.URL(), "--delay", "4ms")
	require.Zero(t, status, errOut)
	require.Equal(t, "demo: 100 of 100 correct", lastLine(out))
	require.Contains(t, out, "network: 4ms")
	ms := regexp.MustCompile(`(?m)^   pool, goroutines +\d+ +(\S+)`).FindStringSubmatch(out)
	took, err := time.ParseDuration(ms[1])
	require.NoError(t, err)
	require.GreaterOrEqual(t, took, 8*time.Millisecond/connections, "each request waits for two answers, in as many connections")
}

func TestVersion(t *testing.T) {
	status, out, _ := command(t, "--version")
	require.Zero(t, status)
	require.Regexp(t, `^repaint version \S.* go1\.`, out)
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
	for _, way := range []string{"pool, goroutines", "pipelined, goroutines", "pipelined, greenlets", "pipelined, Loader"} {
		require.Contains(t, out, way)
	}
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

// An interrupt while a table is being made leaves none, whether or not the server has made it. If
// the server doesn't answer in the short time that is left, the demo says which table may remain.
func TestAnInterruptedDemoLeavesNoTable(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	for range 3 {
		ctx, interrupt := context.WithCancel(t.Context())
		done := make(chan int, 1)
		var out, errOut strings.Builder
		go func() {
			done <- run(ctx, []string{"repaint", "demo", "--delay", "40ms", "--url", at.URL()}, &out, &errOut)
		}()
		const tables = "select coalesce(string_agg(tablename, ' '), '') from pg_tables where schemaname = 'public'"
		require.Eventually(t, func() bool { return at.MustQuery(t, tables) != "" }, time.Minute, time.Millisecond)
		interrupt()
		require.Equal(t, exitInterrupted, <-done, errOut.String())
		require.Equal(t, "demo: interrupted, 0 of 1000 correct so far", lastLine(out.String()))
		for left := range strings.FieldsSeq(at.MustQuery(t, tables)) {
			require.Contains(t, errOut.String(), "there may still be a table "+left)
			at.MustQuery(t, "drop table "+left)
		}
	}
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
		{[]string{"demo", "--tasks", "many"}, exitUsage, `--tasks has "many", but must be a number; see repaint demo --help`},
		{[]string{"demo", "--requests", "99999999999999999999"}, exitUsage, `--requests has "99999999999999999999", but must be a number up to 9`},
		{[]string{"demo", "--delay", "1ms"}, exitUsage, "--url"},
		{[]string{"demo", "--delay", "1ms", "--url", "sqlite://"}, exitUsage, "needs a server"},
		{[]string{"demo", "--delay", "1h", "--url", "postgres://h/d"}, exitUsage, "1h0m0s"},
		{[]string{"demo", "--delay", "soon"}, exitUsage, `--delay has "soon", but must be a time with a unit, such as 1ms or 5s`},
		{[]string{"demo", "race", "--seed", "-1"}, exitUsage, "-1"},
		{[]string{"demo", "race", "extra"}, exitUsage, "extra"},
		{[]string{"demo", "--bogus"}, exitUsage, "repaint demo --help"},
		{[]string{"demo", "extra"}, exitUsage, "extra"},
		{[]string{"dmeo"}, exitUsage, "dmeo"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			status, out, errOut := command(t, c.args...)
			require.Equal(t, c.status, status, out)
			require.Contains(t, errOut, c.says)
			require.Equal(t, 1, strings.Count(errOut, "\n"), "one line: %s", errOut)
			require.NotContains(t, errOut+out, "secret")
			require.NotContains(t, out, "correct")
			require.NotContains(t, errOut, "strconv")
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
func inject(ctx context.Context, t *testing.T, request func(ctx context.Context, p *pages, id int64) error) (stdout, stderr string, err error) {
	t.Helper()
	leakcheck.Test(t)
	var out, errOut strings.Builder
	d := &demo{out: &out, errOut: &errOut, url: "sqlite://", requests: 50, tasks: 4, request: request}
	err = d.run(ctx)
	return out.String(), errOut.String(), err
}

func TestAWrongValueNamesTheRequest(t *testing.T) {
	n := 0
	out, errOut, err := inject(t.Context(), t, func(ctx context.Context, p *pages, id int64) error {
		if !repaint.InGreenlet() {
			return nil
		}
		if n++; n == 17 {
			spoilt := *p
			spoilt.author = func(context.Context, int64) (author, error) { return author{1, "spoilt"}, nil }
			return show(ctx, &spoilt, id)
		}
		return show(ctx, p, id)
	})
	require.Equal(t, exitStatus(exitFailed), err)
	require.Contains(t, errOut, `demo: request 17 (greenlets): wrong author of page 17: got "spoilt", want "author 18"`)
	require.Equal(t, "demo: 49 of 50 correct", lastLine(out))
}

func TestErrorsNameTheRequests(t *testing.T) {
	out, errOut, err := inject(t.Context(), t, func(context.Context, *pages, int64) error {
		if repaint.InGreenlet() {
			return errors.New("boom")
		}
		return nil
	})
	require.Equal(t, exitStatus(exitFailed), err)
	require.Regexp(t, `demo: request \d+ \(greenlets\): boom`, errOut)
	require.Contains(t, errOut, "and 45 more", "the rest is counted")
	require.Equal(t, "demo: 0 of 50 correct", lastLine(out))
}

func TestInterruptEndsWithWhatWasDone(t *testing.T) {
	for _, inLoop := range []bool{false, true} {
		ctx, interrupt := context.WithCancel(t.Context())
		var done atomic.Int32
		began := time.Now()
		out, errOut, err := inject(ctx, t, func(ctx context.Context, p *pages, id int64) error {
			if repaint.InGreenlet() != inLoop {
				return nil
			}
			if done.Add(1) == 60 { // the first 50 requests of the goroutines only warm up
				interrupt()
			}
			return show(ctx, p, id)
		})
		require.Equal(t, exitStatus(exitInterrupted), err)
		require.Empty(t, errOut)
		require.Regexp(t, `^demo: interrupted, \d+ of 50 correct so far$`, lastLine(out))
		require.Contains(t, out, "goroutines")
		require.Less(t, time.Since(began), 10*time.Second)
	}
}
