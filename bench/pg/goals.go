package main

import (
	"fmt"
	"time"

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

var (
	rate   = report.Column{Head: "calls/s", Of: func(s measure.Sample) float64 { return s.Rate }}
	mean   = report.Column{Head: "mean µs", Of: func(s measure.Sample) float64 { return s.Mean }}
	p50    = report.Column{Head: "p50 µs", Of: func(s measure.Sample) float64 { return s.P50 }}
	p99    = report.Column{Head: "p99 µs", Of: func(s measure.Sample) float64 { return s.P99 }}
	cpu    = report.Column{Head: "client CPU µs", Of: func(s measure.Sample) float64 { return s.CPU }}
	allocs = report.Column{Head: "allocations", Of: func(s measure.Sample) float64 { return s.Allocs }}
	bytes  = report.Column{Head: "bytes", Of: func(s measure.Sample) float64 { return s.Bytes }}
	conns  = report.Column{Head: "connections", Of: func(s measure.Sample) float64 { return s.Connections }}

	columns = []report.Column{mean, p50, p99, cpu, allocs, bytes, conns}
	ours    = []string{oursGoroutines, oursLoop}
	readers = []string{readerGoroutines, readerLoop}
)

// goals are the figures that the driver must reach, each in goroutines and in a loop. The last ones
// are about Readers.
func goals(r *report.Results) []report.Goal {
	const far = time.Millisecond
	var all []report.Goal
	who := ours
	add := func(text, workload string, callers int, trip time.Duration, peer string, of report.Column, limit float64, most bool) {
		c := report.Case{Workload: workload, Callers: callers, RoundTrip: trip}
		for _, own := range who {
			all = append(all, r.Ratio(text, c, own, peer, of, limit, most))
		}
	}
	add("point select, 256 callers, calls as many times pgxpool's best", "point select", 256, 0, ofPgxpool, rate, 1.6, false)
	add("the same at 1 ms, as many times pgxpool's with 16 connections", "point select", 256, far, ofPgxpool+"16", rate, 10, false)
	add("point select, 256 callers, as a part of the wire blaster's", "point select", 256, 0, ofBlaster, rate, 0.85, false)
	add("the same, client CPU as a part of pgx's", "point select", 256, 0, ofPgxpool, cpu, 0.5, true)
	add("with the slow query, 256 callers, calls as many times pgxpool's best", "1 of 1000 sleeps 50 ms", 256, 0, ofPgxpool, rate, 1.5, false)
	add("the same, p99 as a part of pgxpool's", "1 of 1000 sleeps 50 ms", 256, 0, ofPgxpool, p99, 1, true)
	add("one caller, latency as a part of pgx's", "point select", 1, 0, ofPgxpool, p50, 1.03, true)
	add("the same at 1 ms", "point select", 1, far, ofPgxpool, p50, 1.03, true)
	const rows = 10_000
	for _, callers := range []int{1, 32, 256} {
		add(fmt.Sprintf("10,000 rows, callers: %d, calls as many times pgx's best", callers), "10,000 rows", callers, 0, ofPgxpool, rate, 1, false)
		c := report.Case{Workload: "10,000 rows", Callers: callers}
		for _, own := range ours {
			all = append(all, r.Difference("the same, allocations more than pgx's for a row", c, own, ofPgxpool, allocs, rows, 0.01))
		}
	}
	add("insert and select, 40 callers, as many times asyncpg's best", "insert returning, select back", 40, 0, ofAsyncpg, rate, 8, false)
	add("the same, as many times SQLAlchemy async's best", "insert returning, select back", 40, 0, ofSQLAlchemy, rate, 25, false)
	who = readers
	add("a Reader's point select, 256 callers, calls as many times pgxpool's best", "point select", 256, 0, ofPgxpool, rate, 2.5, false)
	add("the same, as many times the wire blaster's, which has a Sync each", "point select", 256, 0, ofBlaster, rate, 1.2, false)
	add("the same, client CPU as a part of pgx's", "point select", 256, 0, ofPgxpool, cpu, 0.35, true)
	add("the same at 1 ms, calls as many times pgxpool's with 16 connections", "point select", 256, far, ofPgxpool+"16", rate, 8, false)
	add("a Reader with the slow query, 256 callers, p99 as a part of pgxpool's", "1 of 1000 sleeps 50 ms", 256, 0, ofPgxpool, p99, 1, true)
	return all
}
