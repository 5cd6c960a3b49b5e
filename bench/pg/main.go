// Pg compares package pg with pgxpool: the same workloads on the same server, in turns, and prints medians and ratios as Markdown tables.
//
//	cd bench && go run ./pg
//
// It starts a private PostgreSQL from the system's binaries. Client CPU is that of the whole process; with a round trip added that includes the proxy that adds it.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A plan says what to compare.
type plan struct {
	rounds    int
	length    time.Duration
	callers   []int
	trips     []time.Duration // added to each round trip
	workloads []workload
}

func main() {
	p := plan{callers: []int{1, 32, 256}, trips: []time.Duration{0, time.Millisecond}, workloads: workloads}
	only := flag.String("only", "", "a part of the names of the workloads to run")
	flag.IntVar(&p.rounds, "rounds", 3, "how often each is run")
	flag.DurationVar(&p.length, "time", 500*time.Millisecond, "how long each runs, in each round")
	flag.Parse()
	p.workloads = slices.DeleteFunc(slices.Clone(workloads), func(w workload) bool { return !strings.Contains(w.name, *only) })
	h := new(host)
	err := h.run(func() { p.run(h, os.Stdout) })
	if e := testserver.Shutdown(); err == nil {
		err = e
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "pg:", err)
		os.Exit(1)
	}
}

// run compares and prints.
func (p plan) run(h *host, out io.Writer) {
	ctx := context.Background()
	target := testserver.Postgres(h).Database(h)
	target.MustQuery(h, schema)
	for _, trip := range p.trips {
		where := target
		if trip > 0 {
			proxy := faultproxy.New(h, target.Addr())
			proxy.Delay(trip/2, trip-trip/2)
			where.Host, where.Port = proxy.Host(), proxy.Port()
		}
		for _, w := range p.workloads {
			for _, callers := range p.callers {
				fmt.Fprintf(out, "\n### %s, %d callers, %v of round trip added\n\n", w.name, callers, trip)
				if err := p.compare(ctx, out, where.URL(), w, callers); err != nil {
					h.Fatalf("%s: %v", w.name, err)
				}
			}
		}
	}
}

// compare runs one workload with all contestants, in turns.
func (p plan) compare(ctx context.Context, out io.Writer, url string, w workload, callers int) error {
	all := make([][]result, len(contestants))
	for range p.rounds {
		for i, c := range contestants {
			r, err := c.measure(ctx, url, w, callers, p.length)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			all[i] = append(all[i], r)
		}
	}
	fmt.Fprintln(out, "| | calls/s | of the first | p50 µs | p99 µs | client CPU µs | connections | spread |\n|---|--:|--:|--:|--:|--:|--:|--:|")
	var first float64
	for i, c := range contestants {
		rate := median(all[i], func(r result) float64 { return r.rate })
		if i == 0 {
			first = rate
		}
		least := slices.MinFunc(all[i], func(a, b result) int { return int(a.rate - b.rate) }).rate
		most := slices.MaxFunc(all[i], func(a, b result) int { return int(a.rate - b.rate) }).rate
		fmt.Fprintf(out, "| %s | %.0f | %.2f | %.0f | %.0f | %.1f | %.0f | ±%.0f %% |\n", c.name, rate, rate/first,
			median(all[i], func(r result) float64 { return r.p50 }), median(all[i], func(r result) float64 { return r.p99 }),
			median(all[i], func(r result) float64 { return r.cpu }), median(all[i], func(r result) float64 { return r.connections }), 50*(most-least)/rate)
	}
	return nil
}

func median(all []result, of func(result) float64) float64 {
	values := make([]float64, len(all))
	for i, r := range all {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
