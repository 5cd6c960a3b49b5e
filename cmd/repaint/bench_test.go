package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/gauge"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// measured runs the command for a moment in each way, and returns what it prints and its report.
func measured(t *testing.T, args ...string) (out string, r *gauge.Report) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.json")
	status, out, errOut := command(t, append([]string{"bench", "--duration", "20ms", "--rounds", "2", "--json", file}, args...)...)
	require.Zero(t, status, errOut)
	require.Empty(t, errOut, "no progress bar where there is no terminal")
	fits(t, out, 76)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	r = new(gauge.Report)
	require.NoError(t, json.Unmarshal(text, r))
	for _, c := range r.Cases {
		require.Contains(t, out, "\n"+c.String()+"\n")
		for i, x := range c.Results {
			require.Len(t, x.Samples, 2, "%s, %s", c, x.Way)
			require.Positive(t, x.Median.Rate)
			require.GreaterOrEqual(t, x.Median.P99, x.Median.P50)
			require.Positive(t, x.Median.Connections)
			require.Regexp(t, `(?m)^ `+x.Way+` +[\d,]+ `, out)
			if i == 0 {
				require.Nil(t, x.Ratio)
				continue
			}
			require.GreaterOrEqual(t, x.Ratio.Median, x.Ratio.Least)
			require.LessOrEqual(t, x.Ratio.Median, x.Ratio.Most)
		}
		require.Contains(t, strings.Join(strings.Fields(out), " "), c.Verdict)
	}
	require.Regexp(t, `^bench: repaint helps in \d+ of \d+ cases?$`, lastLine(out))
	return out, r
}

// cases returns the names of a report's cases.
func cases(r *gauge.Report) (names []string) {
	for _, c := range r.Cases {
		names = append(names, c.String())
	}
	return names
}

func ways(c *gauge.Case) (names []string) {
	for _, x := range c.Results {
		names = append(names, x.Way)
	}
	return names
}

var sqlWays = []string{"database/sql", "repaint, goroutines", "repaint, one loop"}

func TestBenchByDefault(t *testing.T) {
	out, r := measured(t, "--callers", "1,8")
	require.Contains(t, out, "database: an SQLite file in a temporary directory, SQLite 3")
	require.Equal(t, []string{
		"one row, 1 caller", "one row, 8 callers", "100 rows, 1 caller", "100 rows, 8 callers", "point select, 1 caller", "point select, 8 callers",
		"update, 1 caller", "update, 8 callers", "transaction, 1 caller", "transaction, 8 callers",
	}, cases(r))
	for _, c := range r.Cases {
		require.Equal(t, sqlWays, ways(c))
	}
}

func TestBenchOnPostgreSQL(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	_, r := measured(t, "--url", at.URL(), "--callers", "16", "--connections", "4")
	require.Equal(t, []string{"one row, 16 callers", "100 rows, 16 callers"}, cases(r), "what needs a table needs --allow-writes")
	for _, c := range r.Cases {
		require.Equal(t, []string{"pgxpool", "repaint, goroutines", "repaint, one loop", "Reader, goroutines", "Reader, one loop"}, ways(c))
		require.LessOrEqual(t, c.Results[0].Median.Connections, 4)
		require.InDelta(t, 1, c.Results[0].Median.PerWrite, 0.2, "pgxpool writes each statement by itself")
		require.Positive(t, c.Results[1].Median.PerWrite)
	}
	_, r = measured(t, "--url", at.URL(), "--callers", "4", "--allow-writes")
	require.Equal(t, []string{"one row, 4 callers", "100 rows, 4 callers", "point select, 4 callers", "update, 4 callers", "transaction, 4 callers"}, cases(r))
	require.Len(t, r.Cases[2].Results, 5)
	require.Len(t, r.Cases[3].Results, 3, "a Reader doesn't write")
	require.Equal(t, "0", at.MustQuery(t, "select count(*) from pg_tables where schemaname = 'public'"), "its table is gone")
	at.MustQuery(t, "create table note (n int); create function add() returns int language sql as 'insert into note values (1) returning n'")
	out, r := measured(t, "--url", at.URL(), "--callers", "4", "--allow-writes", "--sql", "select add()")
	require.Len(t, r.Cases[0].Results, 3)
	require.Contains(t, out, "Reader, one loop is left out:")
}

func TestBenchOnMariaDB(t *testing.T) {
	at := testserver.MariaDB(t).Database(t)
	_, r := measured(t, "--url", at.URL(), "--callers", "4", "--allow-writes")
	require.Equal(t, []string{"one row, 4 callers", "100 rows, 4 callers", "point select, 4 callers", "update, 4 callers", "transaction, 4 callers"}, cases(r))
	for _, c := range r.Cases {
		require.Equal(t, sqlWays, ways(c))
	}
	require.Equal(t, "0", at.MustQuery(t, "select count(*) from information_schema.tables where table_schema = database()"))
	_, r = measured(t, "--url", at.URL(), "--callers", "2", "--sql", "select ? as name", "--args", "x")
	require.Equal(t, []string{"--sql, 2 callers"}, cases(r))
}

func TestBenchOfOnesOwnStatement(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	at.MustQuery(t, "create table item (id int primary key, name text); insert into item select n, 'item ' || n from generate_series(1, 100) n")
	for name, args := range map[string][]string{
		"arguments":               {"--sql", "select name from item where id = $1 and name like $2;", "--args", "7,item%"},
		"several --args":          {"--sql", "select name from item where id = $1 and name like $2", "--args", "7", "--args", "item%"},
		"a comma in a value":      {"--sql", "select $1::text", "--args", `"a,b"`},
		"an empty value":          {"--sql", "select $1::text", "--args", ""},
		"an array":                {"--sql", "select name from item where id = any($1)", "--args", `"{1,2}"`},
		"a range":                 {"--sql", "select name from item where id = $1", "--args", "{1..100}"},
		"no rows":                 {"--sql", "select name from item where false"},
		"a delay":                 {"--sql", "select 1", "--delay", "1ms"},
		"a write that is allowed": {"--allow-writes", "--sql", "update item set name = name where id = $1", "--args", "{1..100}"},
	} {
		t.Run(name, func(t *testing.T) {
			_, r := measured(t, append([]string{"--url", at.URL(), "--callers", "2"}, args...)...)
			require.Equal(t, []string{"--sql, 2 callers"}, cases(r))
			if name == "a delay" {
				require.GreaterOrEqual(t, r.Cases[0].Results[0].Median.P50, 1000.0)
			}
		})
	}
}

// The database refuses to write even where the text doesn't show that the statement writes.
func TestBenchDoesNotWrite(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	at.MustQuery(t, "create table note (n int); create function add() returns int language sql as 'insert into note values (1) returning n'")
	maria := testserver.MariaDB(t).Database(t)
	maria.MustQuery(t, "create table note (n int)")
	onMaria, err := db.Open(t.Context(), maria.URL())
	require.NoError(t, err)
	_, err = onMaria.Exec(t.Context(), "create function added() returns int modifies sql data begin insert into note values (1); return 1; end")
	require.NoError(t, err)
	require.NoError(t, onMaria.Close(t.Context()))
	file := "sqlite:///" + filepath.ToSlash(filepath.Join(t.TempDir(), "x.db"))
	engine, err := db.Open(t.Context(), file)
	require.NoError(t, err)
	_, err = engine.Exec(t.Context(), "create table note (n integer)")
	require.NoError(t, err)
	require.NoError(t, engine.Close(t.Context()))
	for _, c := range [][]string{
		{"--url", at.URL(), "--sql", "insert into note values (1)"},
		{"--url", at.URL(), "--sql", "with x as (delete from note returning n) select * from x"},
		{"--url", at.URL(), "--sql", "select add()"},
		{"--url", at.URL(), "--sql", "do 'begin insert into note values (1); end'"},
		{"--url", at.URL(), "--sql", "select n from note for update"},
		{"--url", maria.URL(), "--sql", "insert into note values (1)"},
		{"--url", maria.URL(), "--sql", "select added()"},
		{"--url", file, "--sql", "insert into note values (1)"},
		{"--url", file, "--sql", "create table other (n integer)"},
	} {
		status, out, errOut := command(t, append([]string{"bench"}, c...)...)
		require.Equal(t, exitUsage, status, "%s: %s%s", c, out, errOut)
		require.Contains(t, errOut, "--allow-writes")
		require.Equal(t, 1, strings.Count(errOut, "\n"), errOut)
	}
	require.Equal(t, "0", at.MustQuery(t, "select count(*) from note"))
	require.Equal(t, "0", maria.MustQuery(t, "select count(*) from note"))
}

// A pooler refuses the setting that would make the server refuse to write.
func TestBenchThroughPgBouncer(t *testing.T) {
	srv := testserver.Postgres(t)
	bouncer := testserver.PgBouncer(t, srv.Target, "session", "default_pool_size=20")
	at := srv.Database(t)
	at.Host, at.Port = bouncer.Host, bouncer.Port
	out, _ := measured(t, "--url", at.URL(), "--callers", "2", "--connections", "4", "--sql", "select 1")
	require.Contains(t, strings.Join(strings.Fields(out), " "), "only the statement's text says that it doesn't write")
	status, _, errOut := command(t, "bench", "--url", at.URL(), "--sql", "create table x (n int)")
	require.Equal(t, exitUsage, status)
	require.Contains(t, errOut, "--allow-writes")
}

func TestBenchErrors(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	for _, c := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"--callers", "none"}, exitUsage, `"none"`},
		{[]string{"--callers", "0"}, exitUsage, "from 1 to"},
		{[]string{"--callers", "1,,2"}, exitUsage, "commas"},
		{[]string{"--callers", "1000000"}, exitUsage, "1000000"},
		{[]string{"--duration", "0s"}, exitUsage, "--duration is 0s"},
		{[]string{"--duration", "long"}, exitUsage, "long"},
		{[]string{"--rounds", "0"}, exitUsage, "--rounds is 0"},
		{[]string{"--connections", "-1"}, exitUsage, "--connections is -1"},
		{[]string{"--delay", "-1ms", "--url", at.URL()}, exitUsage, "--delay is -1ms"},
		{[]string{"--delay", "1ms"}, exitUsage, "needs a server"},
		{[]string{"--delay", "1ms", "--url", "sqlite://"}, exitUsage, "needs a server"},
		{[]string{"--bogus"}, exitUsage, "repaint bench --help"},
		{[]string{"extra"}, exitUsage, "extra"},
		{[]string{"--sql", " "}, exitUsage, "--sql is empty"},
		{[]string{"--sql", "select 1; select 2"}, exitUsage, "has 2"},
		{[]string{"--sql", "begin"}, exitUsage, "BEGIN"},
		{[]string{"--sql", "select ?"}, exitUsage, "1 parameter, but --args has 0 values"},
		{[]string{"--sql", "select 1", "--args", "1"}, exitUsage, "0 parameters, but --args has 1 value"},
		{[]string{"--sql", "select :id", "--args", "1"}, exitUsage, "write parameters as ?"},
		{[]string{"--sql", "select ?1", "--args", "1"}, exitUsage, "write parameters as ?"},
		{[]string{"--sql", "select ?", "--args", `"1`}, exitUsage, "double quotes"},
		{[]string{"--sql", "select ?", "--args", "{9..1}"}, exitUsage, "{9..1}"},
		{[]string{"--args", "1"}, exitUsage, "no --sql"},
		{[]string{"--json", "-", "--html", "-"}, exitUsage, "only one"},
		{[]string{"--json", "/no/such/directory/x.json"}, exitFailed, "/no/such/directory/x.json"},
		{[]string{"--url", "nosuch://user:secret@host"}, exitFailed, "nosuch"},
		{[]string{"--url", "postgres://user:secret@127.0.0.1:1/x"}, exitFailed, "127.0.0.1"},
		{[]string{"--url", "mysql://user:secret@127.0.0.1:1/x"}, exitFailed, "127.0.0.1"},
		{[]string{"--url", at.URL(), "--sql", "selekt 1"}, exitFailed, "syntax error"},
		{[]string{"--url", at.URL(), "--sql", "select * from nowhere"}, exitFailed, "nowhere"},
		{[]string{"--url", at.URL(), "--sql", "copy t to stdout"}, exitUsage, "COPY"},
		{[]string{"--url", at.URL(), "--sql", "select $1::int", "--args", "seven"}, exitFailed, "integer"},
		{[]string{"--url", at.URL(), "--sql", "select ?", "--args", "1"}, exitUsage, "0 parameters"},
		{[]string{"--sql", "selekt 1"}, exitFailed, "--sql, by database/sql: SQL logic error"},
		{[]string{"--url", at.URL(), "--sql", "select 1/0"}, exitFailed, "--sql, by pgxpool: ERROR: division by zero"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			began := time.Now()
			status, out, errOut := command(t, append([]string{"bench"}, c.args...)...)
			require.Equal(t, c.status, status, "%s%s", out, errOut)
			require.Contains(t, errOut, c.says)
			require.Equal(t, 1, strings.Count(errOut, "\n"), "one line: %s", errOut)
			require.NotContains(t, errOut+out, "secret")
			require.NotContains(t, out, "calls/s")
			require.Less(t, time.Since(began), time.Minute)
		})
	}
}

func TestBenchToTheStandardOutput(t *testing.T) {
	status, out, errOut := command(t, "bench", "--duration", "5ms", "--rounds", "1", "--callers", "1", "--sql", "select 1", "--json", "-")
	require.Zero(t, status)
	var r gauge.Report
	require.NoError(t, json.Unmarshal([]byte(out), &r), "nothing else is there")
	require.Contains(t, errOut, "calls/s")
	require.NotEmpty(t, r.Version)
	status, out, _ = command(t, "bench", "--duration", "5ms", "--rounds", "1", "--callers", "1", "--sql", "select '<script>'", "--html", "-")
	require.Zero(t, status)
	require.Regexp(t, `^<!DOCTYPE html>`, out)
	require.Contains(t, out, "<svg")
	require.NotRegexp(t, regexp.MustCompile(`(?i)(src|href)=`), out, "it is one file")
}

// An interrupter interrupts some time after the head of the report was printed. By then each way
// has made a call.
type interrupter struct {
	strings.Builder
	after     time.Duration
	interrupt func()
	once      sync.Once
	began     time.Time // when it interrupted
}

func (i *interrupter) Write(b []byte) (int, error) {
	i.once.Do(func() {
		time.AfterFunc(i.after, func() { i.began = time.Now(); i.interrupt() })
	})
	return i.Builder.Write(b)
}

func TestBenchInterrupted(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	for _, args := range [][]string{
		{"--callers", "4,8"},
		{"--callers", "4", "--url", at.URL()},
		{"--callers", "4", "--url", at.URL(), "--sql", "select pg_sleep(n) from generate_series(1, 1) n"},
	} {
		leakcheck.Test(t)
		ctx, interrupt := context.WithCancel(t.Context())
		out, errOut := interrupter{after: 1500 * time.Millisecond, interrupt: interrupt}, strings.Builder{}
		file := filepath.Join(t.TempDir(), "report.json")
		status := run(ctx, append([]string{"repaint", "bench", "--duration", "1h", "--json", file}, args...), &out, &errOut)
		require.Equal(t, exitInterrupted, status, errOut.String())
		require.Less(t, time.Since(out.began), 5*time.Second)
		require.Empty(t, errOut.String())
		require.Regexp(t, `^bench: interrupted; repaint helps in 0 of 1 case so far$`, lastLine(out.String()))
		require.Contains(t, out.String(), "Only ", "what was measured until then")
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Contains(t, string(text), `"interrupted": true`)
	}
}

// An interrupt ends the bench even while it isn't measuring yet.
func TestBenchInterruptedAtTheBeginning(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	leakcheck.Test(t)
	ctx, interrupt := context.WithCancel(t.Context())
	time.AfterFunc(200*time.Millisecond, interrupt)
	var out, errOut strings.Builder
	began := time.Now()
	status := run(ctx, []string{"repaint", "bench", "--url", at.URL(), "--sql", "select pg_sleep(3600)"}, &out, &errOut)
	require.Equal(t, exitInterrupted, status, errOut.String())
	require.Less(t, time.Since(began), 5*time.Second)
	require.Equal(t, "bench: interrupted; repaint helps in 0 of 0 cases so far", lastLine(out.String()))
}
