package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/internal/grid"

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

func rate(s measure.Sample) float64   { return s.Rate }
func cpu(s measure.Sample) float64    { return s.CPU }
func p99(s measure.Sample) float64    { return s.P99 }
func conns(s measure.Sample) float64  { return s.Connections }
func allocs(s measure.Sample) float64 { return s.Allocs }

// A figure is one figure of a contestant.
type figure func(measure.Sample) float64

// compare returns the ratio of ours to the best peer whose name begins so: the median of the
// rounds' ratios, and the least and the largest of them.
func compare(r *report.Results, c report.Case, ours, peer string, of figure) report.Goal {
	return r.Ratio("", c, ours, peer, report.Column{Of: of}, 0, false)
}

// ratio returns the median, or 0 if it isn't known.
func ratio(r *report.Results, c report.Case, ours, peer string, of figure) float64 {
	return compare(r, c, ours, peer, of).Value
}

// times writes a ratio, or a dash.
func times(v float64) string {
	if v == 0 {
		return "–"
	}
	return grid.Short(v) + " ×"
}

// spread writes a ratio and how far it varies from round to round.
func spread(g report.Goal) string {
	if g.Low == g.High {
		return times(g.Value)
	}
	return fmt.Sprintf("%s (%s–%s)", times(g.Value), grid.Short(g.Low), grid.Short(g.High))
}

// A side is a column for one of our contestants: its head, and the contestant.
type side struct{ head, contestant string }

// A race compares our sides with a peer in some cases, and has columns for more peers.
type race struct {
	part  string
	first string // the head of the first column
	base  side   // the peer that ratios are to: the best of those whose name begins so
	ours  []side
	peers []side // more columns, each the best of those whose name begins so
	cases []named
	cpu   bool // also the ratio of the client's CPU time
}

// A named case has a name for the table. An empty base is the race's.
type named struct {
	what string
	report.Case
	base string
}

// write writes a row for each case: first the ratios, then what was measured.
func (x race) write(s *store, out io.Writer) error {
	d, err := s.document(x.part)
	if err != nil {
		return err
	}
	r := d.Results()
	heads := []string{x.first}
	for _, o := range x.ours {
		heads = append(heads, o.head+", × "+x.base.head)
		if x.cpu {
			heads = append(heads, "its CPU time, ×")
		}
	}
	for _, c := range append(append([]side{x.base}, x.ours...), x.peers...) {
		heads = append(heads, c.head)
	}
	t := grid.New(heads...)
	for _, c := range x.cases {
		base := x.base.contestant
		if c.base != "" {
			base = c.base
		}
		if len(r.Of(c.Case)) == 0 {
			continue
		}
		row := []string{c.what}
		for _, o := range x.ours {
			row = append(row, spread(compare(r, c.Case, o.contestant, base, rate)))
			if x.cpu {
				row = append(row, times(ratio(r, c.Case, o.contestant, base, cpu)))
			}
		}
		row = append(row, best(r, c.Case, base))
		for _, o := range x.ours {
			row = append(row, exact(r, c.Case, o.contestant))
		}
		for _, p := range x.peers {
			row = append(row, best(r, c.Case, p.contestant))
		}
		t.Row(row...)
	}
	if t.Len() == 0 {
		return errUnmeasured
	}
	t.Markdown(out)
	missing(out, d.Missing)
	return nil
}

func best(r *report.Results, c report.Case, prefix string) string {
	if x := r.Best(c, prefix); x != nil {
		return grid.Figure(x.Median().Rate)
	}
	return "–"
}

func exact(r *report.Results, c report.Case, contestant string) string {
	if x := r.Find(c, contestant); x != nil {
		return grid.Figure(x.Median().Rate)
	}
	return "–"
}

// goals writes the goals of a part that a table wants.
func goals(part string, wanted func(text string) bool) func(s *store, out io.Writer) error {
	return func(s *store, out io.Writer) error {
		d, err := s.document(part)
		if err != nil {
			return err
		}
		t := grid.New("goal", "limit", "median of the rounds", "", "what was compared")
		t.Columns[3].Left, t.Columns[4].Left = true, true
		for _, g := range d.Outcomes() {
			if wanted(g.Text) && g.Known {
				t.Row(g.Text, g.Bound(), g.Figure(), g.Outcome(), g.Note)
			}
		}
		if t.Len() == 0 {
			return errUnmeasured
		}
		t.Markdown(out)
		return nil
	}
}

func all(string) bool               { return true }
func ofReaders(text string) bool    { return strings.Contains(text, "Reader, ") }
func notOfReaders(text string) bool { return !ofReaders(text) }

const far = time.Millisecond

// pgCases are the cases of the driver's table.
var pgCases = func() (all []named) {
	for _, trip := range []time.Duration{0, far} {
		for _, w := range []struct {
			name, what string
			callers    []int
		}{
			{"point select", "point select", []int{1, 32, 256}},
			{"insert returning, select back", "insert, and select back", []int{40, 256}},
			{"1 of 1000 sleeps 50 ms", "1 in 1,000 sleeps 50 ms", []int{32, 256}},
			{"update", "update", []int{256}},
			{"100 rows", "100 rows", []int{256}},
			{"10,000 rows", "10,000 rows", []int{256}},
		} {
			for _, n := range w.callers {
				if trip > 0 && w.name == "10,000 rows" {
					continue
				}
				what := fmt.Sprintf("%s, %s", w.what, callers(n))
				if trip > 0 {
					what = "1 ms: " + what
				}
				all = append(all, named{what, report.Case{Workload: w.name, Callers: n, RoundTrip: trip}, ""})
			}
		}
	}
	return all
}()

func callers(n int) string {
	if n == 1 {
		return "1 caller"
	}
	return fmt.Sprint(n, " callers")
}

var pgRace = race{
	part: "pg", first: "calls/s", base: side{"pgxpool, best", "pgxpool of "},
	ours:  []side{{"`pg`, goroutines", "pg, goroutines"}, {"one loop", "pg, one loop"}},
	peers: []side{{"SendBatch: pgx", "pgx SendBatch"}, {"`pg`", "pg SendBatch"}, {"wire blaster, best", "wire blaster"}, {"pgbench", "pgbench"}, {"asyncpg", "asyncpg"}, {"SQLAlchemy async", "SQLAlchemy"}},
	cases: pgCases,
}

var readerRace = race{
	part: "pg", first: "calls/s of a Reader", base: side{"pgxpool, best", "pgxpool of "},
	ours:  []side{{"goroutines", "pg Reader, goroutines"}, {"one loop", "pg Reader, one loop"}},
	peers: []side{{"wire blaster, best", "wire blaster"}}, cpu: true,
	cases: func() (reads []named) {
		for _, c := range pgCases {
			if c.Workload == "point select" || strings.HasPrefix(c.Workload, "1 of") || strings.HasSuffix(c.Workload, "rows") {
				reads = append(reads, c)
			}
		}
		return reads
	}(),
}

// dbDatabases are the databases of bench/db, with their names in the tables.
var dbDatabases = []string{"SQLite in memory", "SQLite in a file", "PostgreSQL", "MariaDB"}

// dbCases returns workloads with so many callers. of is for the names in the table.
func dbCases(n int, suffix, of string, workloads ...string) (all []named) {
	for _, database := range dbDatabases {
		for _, w := range workloads {
			all = append(all, named{database + ": " + w + of, report.Case{Database: database, Workload: w + suffix, Callers: n}, ""})
		}
	}
	return all
}

var dbRace = race{
	part: "db", first: "calls/s, 256 callers", base: side{"database/sql, best", "database/sql"},
	ours:  []side{{"`db`, goroutines", "db, goroutines"}, {"one loop", "db, one loop"}},
	peers: []side{{"sqlx", "sqlx"}, {"bun", "bun"}, {"SQLAlchemy Core", "SQLAlchemy Core"}, {"async Core", "SQLAlchemy async"}},
	cases: dbCases(256, "", "", "point select", "insert returning, select back", "transaction of 3 statements"),
}

// dbLoops compares a loop with goroutines.
var dbLoops = race{
	part: "db", first: "calls/s of tasks", base: side{"goroutines", "db, goroutines"}, cpu: true,
	ours:  []side{{"one loop", "db, one loop"}},
	cases: append(dbCases(1, "", ", 1 caller", "point select", "transaction of 3 statements"), dbCases(256, "", ", 256 callers", "point select", "transaction of 3 statements")...),
}

// dbAlone has the latencies of one caller, call by call.
func dbAlone(s *store, out io.Writer) error {
	d, err := s.document("db")
	if err != nil {
		return err
	}
	r := d.Results()
	t := grid.New("µs per call, one caller, call by call in turns", "× database/sql", "× with prepared statements", "`db`", "database/sql", "with prepared statements")
	for _, c := range dbCases(1, ", call by call", "", "point select", "insert returning, select back", "transaction of 3 statements", "100 rows into structs") {
		row := []string{c.what}
		names := []string{"database/sql", "database/sql, prepared"}
		own := r.Find(c.Case, "db, goroutines")
		if own == nil {
			continue
		}
		perCall := func(s measure.Sample) float64 { return 1e6 / s.Rate }
		for _, peer := range names {
			v := 0.0
			if x := r.Find(c.Case, peer); x != nil {
				v = perCall(own.Median()) / perCall(x.Median())
			}
			row = append(row, times(v))
		}
		row = append(row, grid.Figure(perCall(own.Median())))
		for _, peer := range names {
			text := "–"
			if x := r.Find(c.Case, peer); x != nil {
				text = grid.Figure(perCall(x.Median()))
			}
			row = append(row, text)
		}
		t.Row(row...)
	}
	if t.Len() == 0 {
		return errUnmeasured
	}
	t.Markdown(out)
	return nil
}

// doors writes a row for each library and workload with 256 callers.
func doors(s *store, out io.Writer) error {
	d, err := s.document("doors")
	if err != nil {
		return err
	}
	r := d.Results()
	t := grid.New("256 callers", "goroutines, × pgx", "their CPU time, ×", "one loop, × pgx", "its CPU time, ×", "pgx, calls/s", "goroutines", "one loop", "allocations: repaint, pgx")
	const ours, inLoop, peer = "repaint, goroutines", "repaint, one loop", "pgx"
	for _, x := range r.Records {
		if x.Contestant != ours || x.Callers != 256 {
			continue
		}
		c := x.Case
		other := r.Find(c, peer)
		if other == nil {
			continue
		}
		t.Row(c.Database+": "+c.Workload,
			spread(compare(r, c, ours, peer, rate)), times(ratio(r, c, ours, peer, cpu)), spread(compare(r, c, inLoop, peer, rate)), times(ratio(r, c, inLoop, peer, cpu)),
			exact(r, c, peer), exact(r, c, ours), exact(r, c, inLoop),
			fmt.Sprintf("%.0f, %.0f", allocs(x.Median()), allocs(other.Median())))
	}
	if t.Len() == 0 {
		return errUnmeasured
	}
	t.Markdown(out)
	return nil
}
