// Pg compares package pg with other clients of PostgreSQL: the same workloads on the same server,
// in turns. It prints a table of medians for each case, with the ratio of pg's calls to those of
// each client.
//
//	cd bench && go run ./pg                               everything: some 10 minutes
//	cd bench && go run ./pg -goals                        what the goals are about, and which of them are met
//	cd bench && go run ./pg -only 'point select, 256'     the cases whose name matches this regular expression
//	cd bench && go run ./pg -with 'pgxpool|one loop'      the contestants whose name matches this one
//	cd bench && go run ./pg -goals -only 'point select, 256|sleeps.*256' -with 'pgxpool|Reader|blaster'   what is said of Readers
//	cd bench && go run ./pg -json pg.json                 all samples, too, to be read by programs
//
// It starts a private PostgreSQL from the system's binaries. A proxy in this process adds round
// trips. The peers are:
//
//   - pgxpool in several sizes, and pgx's SendBatch;
//   - a wire blaster, which writes messages that were encoded beforehand and only counts the
//     answers: the limit of the server;
//   - pgbench with prepared statements, single and in pipelines;
//   - asyncpg, and SQLAlchemy's async Core on it.
//
// The peers need Debian's packages postgresql, python3-asyncpg, python3-sqlalchemy and
// python3-greenlet. Pg says what is missing, and leaves it out.
//
// N callers have N statements under way at most, with each contestant: batches and pipelines
// of 16 are made by N/16 callers, pgbench has N connections, or N/16 with pipelines. Latencies are
// those of a batch or pipeline then. A batch is one transaction, and its statements are known
// beforehand, which is what other callers' statements aren't.
//
// Client CPU and allocations are those of this whole process, including the proxy where there is
// one. For pgbench, CPU is that of its process, less the CPU time of connecting. For the peers in
// Python it is that of their process during the measurement.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/plan"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

func main() {
	plan.Main("pg", func(ctx context.Context, tb testing.TB, out io.Writer, p plan.Plan) error {
		return comparison{p, workloads, []time.Duration{0, time.Millisecond}}.run(ctx, tb, out)
	})
}

type comparison struct {
	plan.Plan
	workloads []workload
	trips     []time.Duration // added to each round trip
}

// server starts a server that has room for the connections of all contestants of a case, and lets
// them in without passwords, because the time of logging in isn't measured.
func server(tb testing.TB) *testserver.Server {
	return testserver.Postgres(tb, testserver.Config("max_connections=800"),
		testserver.HBA("local all all trust", "host all all 127.0.0.1/32 trust"))
}

// run compares and prints.
func (p comparison) run(ctx context.Context, tb testing.TB, out io.Writer) error {
	r := new(report.Results)
	cases, err := p.Select(p.cases(), goals(r))
	if err != nil {
		return err
	}
	near := server(tb).Database(tb)
	near.MustQuery(tb, schema)
	all, missing := contestants()
	all = slices.DeleteFunc(all, func(c contestant) bool { return !p.With.MatchString(c.name) })
	if len(all) == 0 {
		return fmt.Errorf("no contestant matches %q; their names are in the tables", p.With)
	}
	for _, c := range cases {
		if err := p.compare(ctx, tb, r, near, c, all); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		r.Table(out, c, ours, columns)
	}
	return p.Finish(out, r, goals(r), []string{strings.TrimSpace(near.MustQuery(tb, "select version()"))}, missing)
}

func (p comparison) cases() (all []report.Case) {
	for _, trip := range p.trips {
		for _, w := range p.workloads {
			for _, callers := range w.callers {
				all = append(all, report.Case{Workload: w.name, Callers: callers, RoundTrip: trip})
			}
		}
	}
	return all
}

func (p comparison) workload(c report.Case) workload {
	return p.workloads[slices.IndexFunc(p.workloads, func(w workload) bool { return w.name == c.Workload })]
}

// compare runs one case with all contestants that take part.
func (p comparison) compare(ctx context.Context, tb testing.TB, r *report.Results, server testserver.Target, c report.Case, all []contestant) (err error) {
	if c.RoundTrip > 0 {
		proxy := faultproxy.New(tb, server.Addr())
		defer proxy.Close()
		proxy.Delay(c.RoundTrip/2, c.RoundTrip-c.RoundTrip/2)
		server.Host, server.Port = proxy.Host(), proxy.Port()
	}
	w := p.workload(c)
	var entrants []plan.Entrant
	rates := make(map[string]float64) // by contestant; "" is the contestant that was measured last
	for _, x := range all {
		if !x.takesPart(w, c.Callers) {
			continue
		}
		e, openErr := x.open(ctx, server, w, c.Callers)
		if openErr != nil {
			return fmt.Errorf("%s: %w", x.name, openErr)
		}
		defer func() { err = errors.Join(err, e.close(ctx)) }()
		entrants = append(entrants, plan.Entrant{Name: x.name, Measure: func() (measure.Sample, error) {
			s, err := e.measure(ctx, p.Length, cmp.Or(rates[x.name], rates[""], 1000))
			rates[x.name], rates[""] = s.Rate, s.Rate
			return s, err
		}})
	}
	return p.Compare(r, c, entrants)
}
