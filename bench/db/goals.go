package main

import (
	"fmt"
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

// goals are the figures that the core must reach.
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
	}
	return append(all, loopGoals(r)...)
}

// loopGoals say that a loop must not be slower than goroutines.
func loopGoals(r *report.Results) (all []report.Goal) {
	for _, kind := range []string{memory, file, postgres, maria} {
		for _, callers := range []int{1, 32, 256} {
			c := report.Case{Database: kind, Workload: transaction, Callers: callers}
			what := fmt.Sprintf("%s, %s, %d tasks' calls as many times ", kind, transaction, callers)
			all = append(all,
				r.Ratio(what+"as many goroutines'", c, oursLoop, oursGoroutines, rate, 1, false),
				r.Ratio(what+"database/sql's best", c, oursLoop, ofSQL, rate, 1.1, false))
			if kind == postgres {
				all = append(all,
					r.Ratio(what+"as many goroutines' of pg", c, ofPgLoop, ofPg, rate, 1, false),
					r.Ratio("the same, client CPU", c, ofPgLoop, ofPg, cpu, 0.85, true))
			}
		}
		for _, w := range []string{pointSelect, insertBack} {
			c := report.Case{Database: kind, Workload: w, Callers: 256}
			all = append(all, r.Ratio(kind+", "+w+": 256 tasks' calls as many times 256 goroutines'", c, oursLoop, oursGoroutines, rate, 1, false))
		}
	}
	for _, kind := range []string{memory, file} {
		c := report.Case{Database: kind, Workload: pointSelect, Callers: 1}
		all = append(all, r.Ratio(kind+", "+pointSelect+": time of a lone task as a part of a goroutine's", c, oursLoop, oursGoroutines, perCall, 1.2, true))
	}
	return all
}
