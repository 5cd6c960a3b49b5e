// Http compares web services on PostgreSQL: the same routes on net/http and on fasthttp, through
// pgxpool and through package pg, under the load of wrk. It prints a table of medians for each
// case, and how many Syncs the service sends for each request, counted on the wire.
//
//	cd bench && go run ./http                                  everything: some 20 minutes
//	cd bench && go run ./http -only '^/(db|queries).*256'      the cases whose name matches this regular expression
//	cd bench && go run ./http -with net/http                   the services whose name matches this one
//	cd bench && go run ./http -json http.json                  all samples, too, to be read by programs
//
// Four routes follow TechEmpower's rules: /db reads one row of 10,000, /queries?n= as many as it is
// asked for, one query and one Sync each, /updates?n= reads that many and writes each of them, and
// /fortunes reads all rows of a small table, adds one, sorts and renders them. /async-db is
// HttpArena's query: items in a range of prices, 50 at most, as JSON.
//
// The services have 16 connections at most. "Run and Loader" is a repaint.Run for each request,
// with a coop.Loader: what it reads of several rows is one statement, which TechEmpower's rules
// forbid. It shows what a service can do that isn't bound by them.
//
// Client CPU is that of this process for a request: of the service, and of the proxy where a round
// trip is added, but not of wrk and of the server. wrk comes from Debian's packages:
// scripts/install-servers.sh load. Its measurements take whole seconds.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
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
	plan.Main("http", func(ctx context.Context, tb testing.TB, out io.Writer, p plan.Plan) error {
		return comparison{p, []int{16, 64, 256, 512}, []time.Duration{0, time.Millisecond}}.run(ctx, tb, out)
	})
}

type comparison struct {
	plan.Plan
	connections []int // connections that wrk opens
	trips       []time.Duration
}

// routes are the routes of the tables, each with a request for it.
var routes = []string{"/db", "/queries?n=20", "/updates?n=20", "/fortunes", "/async-db?min=10&max=50&limit=50"}

var columns = []report.Column{
	{Head: "p50 µs", Of: func(s measure.Sample) float64 { return s.P50 }},
	{Head: "p99 µs", Of: func(s measure.Sample) float64 { return s.P99 }},
	{Head: "CPU µs a request", Of: func(s measure.Sample) float64 { return s.CPU }},
	{Head: "database connections", Of: func(s measure.Sample) float64 { return s.Connections }},
}

// ours are the services that run on repaint.
var ours = []string{onPg, onLoader}

func (p comparison) run(ctx context.Context, tb testing.TB, out io.Writer) error {
	r := new(report.Results)
	cases, err := p.Select(p.cases(), goals(r))
	if err != nil {
		return err
	}
	sides := slices.DeleteFunc(slices.Clone(services), func(s service) bool { return !p.With.MatchString(s.name) })
	if len(sides) == 0 {
		return fmt.Errorf("no service matches %q; their names are in the tables", p.With)
	}
	at := database(tb)
	if err := countSyncs(ctx, out, r, at, sides); err != nil {
		return err
	}
	var missing []string
	if wrk, err := findWrk(); err != nil {
		missing = append(missing, err.Error())
	} else {
		for _, c := range cases {
			if err := p.compare(ctx, tb, r, at, wrk, c, sides); err != nil {
				return fmt.Errorf("%s: %w", c, err)
			}
			r.Table(out, c, ours, columns)
		}
	}
	return p.Finish(out, r, goals(r), []string{strings.TrimSpace(at.MustQuery(tb, "select version()"))}, missing)
}

// goals are the figures that the services must reach.
func goals(r *report.Results) []report.Goal {
	rate := report.Column{Head: "requests/s", Of: func(s measure.Sample) float64 { return s.Rate }}
	var all []report.Goal
	for _, trip := range []time.Duration{0, time.Millisecond} {
		for _, route := range routes {
			c := report.Case{Workload: route, Callers: 256, RoundTrip: trip}
			all = append(all, r.Ratio(c.String()+": requests, times pgxpool's", c, onPg, onPool, rate, 1, false))
		}
	}
	return all
}

func (p comparison) cases() (all []report.Case) {
	for _, trip := range p.trips {
		for _, route := range routes {
			for _, n := range p.connections {
				all = append(all, report.Case{Workload: route, Callers: n, RoundTrip: trip})
			}
		}
	}
	return all
}

// compare runs one case with all services in turns.
func (p comparison) compare(ctx context.Context, tb testing.TB, r *report.Results, at testserver.Target, wrk string, c report.Case, sides []service) (err error) {
	if c.RoundTrip > 0 {
		proxy := faultproxy.New(tb, at.Addr())
		defer proxy.Close()
		proxy.Delay(c.RoundTrip/2, c.RoundTrip-c.RoundTrip/2)
		at.Host, at.Port = proxy.Host(), proxy.Port()
	}
	var entrants []plan.Entrant
	for _, s := range sides {
		running, startErr := s.start(ctx, at.URL(), nil)
		if startErr != nil {
			return fmt.Errorf("%s: %w", s.name, startErr)
		}
		defer func() { err = errors.Join(err, running.stop()) }()
		entrants = append(entrants, plan.Entrant{Name: s.name, Measure: func() (measure.Sample, error) {
			return load(ctx, wrk, "http://"+running.addr+c.Workload, c.Callers, p.Length, running.connections)
		}})
	}
	return p.Compare(r, c, entrants)
}

// database makes a database with the tables of all routes.
func database(tb testing.TB) testserver.Target {
	at := testserver.Postgres(tb, testserver.Config("max_connections=300"),
		testserver.HBA("local all all trust", "host all all 127.0.0.1/32 trust")).Database(tb)
	at.MustQuery(tb, schema)
	return at
}

// A service is routes on a web server, over a store.
type service struct {
	name string
	open func(ctx context.Context, url string, dial dialer) (store, error)
	// serve serves until the listener is closed.
	serve func(l net.Listener, s store) (stop func() error)
}

const (
	onPool     = "net/http, pgxpool"
	onPg       = "net/http, pg"
	onLoader   = "net/http, pg, Run and Loader"
	fastOnPool = "fasthttp, pgxpool"
	fastOnPg   = "fasthttp, pg"
)

var services = []service{
	{onPool, openPool, serveNet},
	{onPg, openLanes, serveNet},
	{onLoader, openLoaders, serveNet},
	{fastOnPool, openPool, serveFast},
	{fastOnPg, openLanes, serveFast},
}

// A server is a service that runs.
type server struct {
	addr        string
	connections func() int // to the database
	stop        func() error
}

// start starts the service on a port of its own. dial makes its connections to the database, if it
// isn't nil.
func (s service) start(ctx context.Context, url string, dial dialer) (*server, error) {
	st, err := s.open(ctx, url, dial)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, st.close(ctx))
	}
	stop := s.serve(l, st)
	return &server{l.Addr().String(), st.connections, func() error { return errors.Join(stop(), st.close(ctx)) }}, nil
}
