package main

import (
	"math"

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

var (
	rate    = report.Column{Head: "calls/s", Of: func(s measure.Sample) float64 { return s.Rate }}
	perCall = report.Column{Head: "ns/op", Of: func(s measure.Sample) float64 {
		if s.Rate == 0 {
			return 0
		}
		return 1e9 / s.Rate
	}}
	p50    = report.Column{Head: "p50 µs", Of: func(s measure.Sample) float64 { return s.P50 }}
	p99    = report.Column{Head: "p99 µs", Of: func(s measure.Sample) float64 { return s.P99 }}
	cpu    = report.Column{Head: "client CPU µs", Of: func(s measure.Sample) float64 { return s.CPU }}
	allocs = report.Column{Head: "allocs/op", Of: func(s measure.Sample) float64 { return s.Allocs }}
	bytes  = report.Column{Head: "B/op", Of: func(s measure.Sample) float64 { return s.Bytes }}

	columns = []report.Column{perCall, p50, p99, cpu, allocs, bytes}
	ours    = []string{oursGoroutines, oursLoop}
)

// goals are what the core is to reach.
func goals(r *report.Results) []report.Goal {
	core := report.Case{Database: postgres, Workload: pointSelect + byCall, Callers: 1}
	chance := r.Difference("what chance makes of that, ns", core, ofPgAgain, ofPg, perCall, 1, 1000)
	chance.Value = math.Abs(chance.Value)
	all := []report.Goal{
		r.Difference("the core's cost over pg, a point select, ns", core, oursGoroutines, ofPg, perCall, 1, 1000),
		chance,
		r.Difference("the core's cost over pg, allocations", core, oursGoroutines, ofPg, allocs, 1, 4),
	}
	for _, kind := range []string{memory, file} {
		for _, w := range []string{pointSelect, insertBack, transaction, hundredRows} {
			c := report.Case{Database: kind, Workload: w + byCall, Callers: 1}
			all = append(all, r.Ratio(kind+", "+w+": time as a part of database/sql's best", c, oursGoroutines, ofSQL, perCall, 1.05, true))
		}
		for _, w := range []string{pointSelect, insertBack, transaction} {
			c := report.Case{Database: kind, Workload: w, Callers: 256}
			all = append(all, r.Ratio(kind+", "+w+": 256 tasks' calls as many times 256 goroutines'", c, oursLoop, oursGoroutines, rate, 1, false))
		}
	}
	return all
}
