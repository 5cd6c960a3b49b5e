// Doors compares the same code on repaint and on pgx, in turns: the stores of module compat, which
// are programs for GORM, bun, sqlx, ent and sqlc. It prints a table of medians for each case, and
// whether the goals are met.
//
//	cd bench/doors && go run . -goals              everything that goals are about: some 2 minutes
//	cd bench/doors && go run . -only 'gorm.*256'   the cases whose name matches this regular expression
//
// It starts a private PostgreSQL from the system's binaries. Each side may have 16 connections,
// which on repaint lanes and sessions share. The network is the loopback, and the same with half a
// millisecond more in each direction.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/plan"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

func main() {
	plan.Main("doors", func(ctx context.Context, tb testing.TB, out io.Writer, p plan.Plan) error {
		return run(ctx, tb, out, p)
	})
}

var rate = report.Column{Head: "calls/s", Of: func(s measure.Sample) float64 { return s.Rate }}

var columns = []report.Column{
	rate,
	{Head: "p50 µs", Of: func(s measure.Sample) float64 { return s.P50 }},
	{Head: "p99 µs", Of: func(s measure.Sample) float64 { return s.P99 }},
	{Head: "client CPU µs", Of: func(s measure.Sample) float64 { return s.CPU }},
	{Head: "allocs/op", Of: func(s measure.Sample) float64 { return s.Allocs }},
}

const (
	onRepaint = "repaint, goroutines"
	inLoop    = "repaint, one loop"
	onPgx     = "pgx"
)

func run(ctx context.Context, tb testing.TB, out io.Writer, p plan.Plan) error {
	r := new(report.Results)
	cases, err := p.Select(allCases(), goals(r))
	if err != nil {
		return err
	}
	server := start(tb)
	for _, c := range cases {
		if err := server.compare(ctx, p, r, c); err != nil {
			return fmt.Errorf("%s: %w", c, err)
		}
		r.Table(out, c, []string{onRepaint, inLoop}, columns)
	}
	return p.Finish(out, r, goals(r), []string{server.version}, nil)
}

func allCases() (all []report.Case) {
	for _, network := range networks {
		for _, l := range libraries {
			for _, w := range workloads {
				for _, callers := range []int{1, 256} {
					all = append(all, report.Case{Database: network, Workload: l.name + ", " + w.name, Callers: callers})
				}
			}
		}
	}
	return all
}

// goals are the figures that the doors must reach.
func goals(r *report.Results) (all []report.Goal) {
	for _, c := range allCases() {
		limit := 0.97 // one caller is never slower by more than 3 %
		_, w := parts(c)
		switch {
		case c.Callers == 1:
		case w.transaction:
			limit = 1
		case w.reads && c.Database == delayed:
			limit = 5
		case w.reads:
			limit = 1.4
		default:
			continue // there is none for inserts
		}
		all = append(all, r.Ratio(c.String()+": calls as many times pgx's", c, onRepaint, onPgx, rate, limit, false))
	}
	return all
}

// compare runs one case with all sides in turns.
func (s *server) compare(ctx context.Context, p plan.Plan, r *report.Results, c report.Case) (err error) {
	library, w := parts(c)
	var entrants []plan.Entrant
	for _, name := range []string{onRepaint, inLoop, onPgx} {
		if !p.With.MatchString(name) {
			continue
		}
		store, closeStore, err := s.open(ctx, library, name == onPgx, c.Database)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, closeStore()) }()
		callers := measure.Callers{N: c.Callers, Loop: name == inLoop}
		entrants = append(entrants, plan.Entrant{Name: name, Measure: func() (measure.Sample, error) {
			return callers.Run(ctx, p.Length, func(ctx context.Context, i int) error { return w.do(ctx, store, i) })
		}})
	}
	return p.Compare(r, c, entrants)
}
