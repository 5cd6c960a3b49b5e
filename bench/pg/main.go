// Pg compares package pg with other clients of PostgreSQL: the same workloads on the same server, in turns. It prints a table of medians for each case,
// with how many times the others' calls ours are.
//
//	cd bench && go run ./pg                               everything: some 10 minutes
//	cd bench && go run ./pg -goals                        what the goals are about, and which of them are met
//	cd bench && go run ./pg -only 'point select, 256'     the cases whose name matches this regular expression
//	cd bench && go run ./pg -with 'pgxpool|one loop'      the contestants whose name matches this one
//	cd bench && go run ./pg -json pg.json                 all samples, too, to be read by programs
//
// It starts a private PostgreSQL from the system's binaries; a round trip is added by a proxy in this process. The peers are pgxpool in several sizes,
// and pgx's SendBatch; a wire blaster, which writes messages that were encoded beforehand and only counts the answers: the limit of the server; pgbench with
// prepared statements, single and in pipelines; asyncpg and SQLAlchemy's async Core on it. These need Debian's packages postgresql, python3-asyncpg,
// python3-sqlalchemy and python3-greenlet. What is missing is said, and left out.
//
// N callers have N statements under way at most, whoever the contestant is: batches and pipelines of 16 are made by N/16 callers, pgbench has N connections,
// or N/16 with pipelines. Latencies are those of a batch or pipeline then. A batch is one transaction, and its statements are known beforehand, which is
// what other callers' statements aren't.
//
// Client CPU and allocations are those of this whole process, of the proxy too, where there is one. For pgbench, CPU is that of its process without what it
// takes to connect; for the peers in Python it is that of their process while it is measured.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"

	"github.com/seed1239206e/repaint/bench/internal/host"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

// A plan says what to compare.
type plan struct {
	rounds    int
	length    time.Duration
	trips     []time.Duration // added to each round trip
	workloads []workload
	only      *regexp.Regexp // cases
	with      *regexp.Regexp // contestants
	goals     bool           // only the cases of the goals, and whether they are met
	json      string         // a file
}

func main() {
	p := plan{trips: []time.Duration{0, time.Millisecond}, workloads: workloads}
	only := flag.String("only", "", "a regular expression for the names of the cases, such as 'point select, (1|32) caller'")
	with := flag.String("with", "", "a regular expression for the names of the contestants")
	flag.IntVar(&p.rounds, "rounds", 3, "how often each is run")
	flag.DurationVar(&p.length, "time", 200*time.Millisecond, "how long each runs, in each round")
	flag.BoolVar(&p.goals, "goals", false, "run the cases that goals are about, and print whether they are met")
	flag.StringVar(&p.json, "json", "", "a file to write everything to, as JSON")
	flag.Parse()
	var errs [3]error
	p.only, errs[0] = regexp.Compile(*only)
	p.with, errs[1] = regexp.Compile(*with)
	if p.rounds < 1 || p.length <= 0 || flag.NArg() > 0 {
		errs[2] = errors.New("rounds and time must be positive, and there are no other arguments: see -help")
	}
	err := errors.Join(errs[:]...)
	if err == nil {
		err = host.Run(func(tb testing.TB) {
			if err := p.run(context.Background(), tb, os.Stdout); err != nil {
				tb.Fatal(err)
			}
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pg:", err)
		os.Exit(1)
	}
}

// server has room for the connections of all contestants of a case, and lets them in without passwords: how long these take isn't the question.
func server(tb testing.TB) *testserver.Server {
	return testserver.Postgres(tb, testserver.Config("max_connections=800"),
		testserver.HBA("local all all trust", "host all all 127.0.0.1/32 trust"))
}

// run compares and prints.
func (p plan) run(ctx context.Context, tb testing.TB, out io.Writer) error {
	srv := server(tb)
	near := srv.Database(tb)
	near.MustQuery(tb, schema)
	all, missing := contestants()
	all = slices.DeleteFunc(all, func(c contestant) bool { return !p.with.MatchString(c.name) })
	r := new(report.Results)
	cases := p.cases(r)
	if len(cases) == 0 || len(all) == 0 {
		return fmt.Errorf("no case matches %q, or no contestant %q", p.only, p.with)
	}
	for _, c := range cases {
		where := near
		if c.RoundTrip > 0 {
			proxy := faultproxy.New(tb, near.Addr())
			defer proxy.Close()
			proxy.Delay(c.RoundTrip/2, c.RoundTrip-c.RoundTrip/2)
			where.Host, where.Port = proxy.Host(), proxy.Port()
		}
		if err := p.compare(ctx, r, where, c, all); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		r.Table(out, c, ours, columns)
	}
	for _, m := range missing {
		fmt.Fprintf(out, "\nMISSING: %s\n", m)
	}
	fmt.Fprintf(out, "\nMedians of %d rounds of %v, in turns. The spread is that of calls/s.\n", p.rounds, p.length)
	found := goals(r)
	if p.goals {
		report.Goals(out, found)
	}
	if p.json == "" {
		return nil
	}
	return r.WriteFile(p.json, []string{strings.TrimSpace(near.MustQuery(tb, "select version()"))}, missing, found)
}

// cases are those that were asked for.
func (p plan) cases(r *report.Results) []report.Case {
	var wanted, all []report.Case
	for _, g := range goals(r) {
		wanted = append(wanted, g.Cases...)
	}
	for _, trip := range p.trips {
		for _, w := range p.workloads {
			for _, callers := range w.callers {
				c := report.Case{Workload: w.name, Callers: callers, RoundTrip: trip}
				if p.only.MatchString(c.String()) && (!p.goals || slices.Contains(wanted, c)) {
					all = append(all, c)
				}
			}
		}
	}
	return all
}

// compare runs one case with all contestants that take part, in turns: in each round in the other direction, so that nobody always comes after the same one.
func (p plan) compare(ctx context.Context, r *report.Results, server testserver.Target, c report.Case, all []contestant) (err error) {
	w := p.workloads[slices.IndexFunc(p.workloads, func(w workload) bool { return w.name == c.Workload })]
	type entry struct {
		name string
		entrant
	}
	var entries []entry
	defer func() {
		for _, e := range entries {
			err = errors.Join(err, e.close(ctx))
		}
	}()
	for _, x := range all {
		if !x.takesPart(w, c.Callers) {
			continue
		}
		e, err := x.open(ctx, server, w, c.Callers)
		if err != nil {
			return fmt.Errorf("%s: %w", x.name, err)
		}
		entries = append(entries, entry{x.name, e})
	}
	rates := make(map[string]float64) // of each, and "" of whoever was measured last
	for round := range p.rounds {
		for i := range entries {
			e := entries[i]
			if round%2 == 1 {
				e = entries[len(entries)-1-i]
			}
			s, err := e.measure(ctx, p.length, cmp.Or(rates[e.name], rates[""], 1000))
			if err != nil {
				return fmt.Errorf("%s: %w", e.name, err)
			}
			rates[e.name], rates[""] = s.Rate, s.Rate
			r.Add(c, e.name, s)
		}
	}
	return nil
}
