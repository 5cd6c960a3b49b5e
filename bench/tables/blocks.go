package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/internal/grid"

	"github.com/seed1239206e/repaint/bench/internal/report"
)

// A block is a text between markers, made from the samples of a part.
type block struct {
	name, part string
	write      func(s *store, out io.Writer) error
	bare       bool // without blank lines, and without the line that says where the samples come from
}

var blocks = []block{
	{name: "figures", part: "picture", write: readmeFigures, bare: true},

	{name: "machine", part: "machine", write: machine},
	{name: "own", part: "bench", write: ownBench},
	{name: "greenlet", part: "go", write: compared("go", "greenlet", greenletRows)},
	{name: "loop", part: "go", write: compared("go", "loop", loopRows)},
	{name: "bridge", part: "compare", write: bridge},
	{name: "many", part: "many", write: sleepers},
	{name: "independent", part: "go", write: independent},
	{name: "traces", part: "go", write: compared("go", "recorded", traceRows)},
	{name: "coop", part: "go", write: compared("go", "coop", coopRows)},
	{name: "db", part: "db", write: dbRace.write},
	{name: "db-alone", part: "db", write: dbAlone},
	{name: "db-loop", part: "db", write: dbLoops.write},
	{name: "db-goals", part: "db", write: goals("db", all)},
	{name: "pg", part: "pg", write: pgRace.write},
	{name: "pg-goals", part: "pg", write: goals("pg", notOfReaders)},
	{name: "readers", part: "pg", write: readerRace.write},
	{name: "reader-goals", part: "pg", write: goals("pg", ofReaders)},
	{name: "pg-transactions", part: "go", write: compared("go", "tasks", pgTransactionRows)},
	{name: "doors", part: "doors", write: doors},
	{name: "doors-goals", part: "doors", write: goals("doors", all)},
	{name: "web-sentence", part: "http", write: sentence},
	{name: "web-far", part: "http", write: web(far)},
	{name: "web-near", part: "http", write: web(0)},
	{name: "web-costs-far", part: "http", write: webCosts(far)},
	{name: "web-costs-near", part: "http", write: webCosts(0)},
	{name: "web-syncs", part: "http", write: syncs},
	{name: "picture", part: "picture", write: pictureTable},
	{name: "demo", part: "demo", write: demo},
}

// pictureTable has the figures of README's picture.
func pictureTable(s *store, out io.Writer) error {
	d, err := s.document("picture")
	if err != nil {
		return err
	}
	r := d.Results()
	t := grid.New("256 callers", "× pgxpool of 16", "calls/s", "its client CPU, ×", "spread")
	for _, trip := range []time.Duration{0, far} {
		for i, x := range shown {
			c := shownCase(trip)
			one := r.Find(c, x.contestant)
			if one == nil {
				continue
			}
			name := x.title
			if i == 0 {
				name = map[bool]string{true: "1 ms away: ", false: "same machine: "}[trip > 0] + name
			}
			t.Row(name, times(ratio(r, c, x.contestant, shown[0].contestant, rate)), grid.Whole(one.Median().Rate),
				times(ratio(r, c, x.contestant, shown[0].contestant, cpu)), fmt.Sprintf("±%.0f %%", 100*one.Spread()))
		}
	}
	if t.Len() == 0 {
		return errUnmeasured
	}
	t.Markdown(out)
	return nil
}

// readmeFigures writes README's table. A figure whose part has no samples is left out.
func readmeFigures(s *store, out io.Writer) error {
	t := grid.New("", "beside the peer", "")
	t.Columns[1].Left, t.Columns[2].Left = true, true
	row := func(what, ratio, figure string) {
		if !strings.HasPrefix(ratio, "–") && ratio != "" {
			t.Row(what, ratio, figure)
		}
	}
	if d, err := s.document("picture"); err == nil {
		r := d.Results()
		for _, x := range []struct {
			what string
			trip time.Duration
			peer string
		}{{"point select, 256 callers, 1 ms away", far, "pgxpool of 16"}, {"the same on one machine", 0, "pgxpool of 64"}} {
			c := shownCase(x.trip)
			row(x.what, times(ratio(r, c, "pg, goroutines", x.peer, rate))+" "+x.peer,
				fmt.Sprintf("%s/s, %s the client's CPU time", exact(r, c, "pg, goroutines"), times(ratio(r, c, "pg, goroutines", x.peer, cpu))))
		}
	}
	if d, err := s.document("http"); err == nil {
		r := d.Results()
		for _, x := range []struct{ what, route string }{{"net/http, a row as JSON, 1 ms away", "/db"}, {"net/http, 20 queries, 1 ms away", "/queries?n=20"}} {
			c := report.Case{Workload: x.route, Callers: 256, RoundTrip: far}
			row(x.what, times(ratio(r, c, webPg, webPool, rate))+" pgxpool", exact(r, c, webPg)+" requests/s, 16 connections")
		}
	}
	if d, err := s.document("db"); err == nil {
		r := d.Results()
		c := report.Case{Database: "PostgreSQL", Workload: "insert returning, select back", Callers: 256}
		row("insert and select back through `db`, 256 callers", times(ratio(r, c, "db, goroutines", "database/sql", rate))+" database/sql", exact(r, c, "db, goroutines")+"/s")
	}
	if b, err := s.benchmarks("go"); err == nil {
		x := b.row(comparison{ours: "greenlet Switch/greenlet", peers: []timing{{"", "greenlet Switch/channel"}}})
		row("switch between greenlets", x[1]+" × an unbuffered channel", x[3])
	}
	if b, err := s.benchmarks("compare"); err == nil {
		x := b.row(comparison{ours: "Loop/SpawnAwaitFinish/repaint", peers: []timing{{"", "Loop/SpawnAwaitFinish/goroutine"}}})
		row("task: spawn, await, end", x[1]+" × goroutine and channels", x[3])
	}
	if b, err := s.benchmarks("many"); err == nil {
		x := b.row(comparison{ours: "loop Sleepers/repaint", unit: "B/sleeper", peers: []timing{{"", "loop Sleepers/goroutine"}}})
		row("a sleeping task", x[1]+" × a goroutine", x[3])
	}
	if t.Len() == 0 {
		return errUnmeasured
	}
	t.Markdown(out)
	return nil
}
