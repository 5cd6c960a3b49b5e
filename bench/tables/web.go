package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/internal/grid"

	"github.com/seed1239206e/repaint/bench/internal/report"
)

const (
	webPool   = "net/http, pgxpool"
	webPg     = "net/http, pg"
	webLoader = "net/http, pg, Run and Loader"
)

var webServices = []string{webPool, webPg, webLoader, "fasthttp, pgxpool", "fasthttp, pg"}

// web writes a row for each route and number of connections: the ratio to net/http on pgxpool, then
// the requests a second.
func web(trip time.Duration) func(s *store, out io.Writer) error {
	return webTable("requests/s", trip, func(x, base *report.Record) string {
		text := grid.Whole(x.Median().Rate)
		if x != base {
			text = fmt.Sprintf("%s ×, %s", grid.Short(x.Median().Rate/base.Median().Rate), text)
		}
		return text
	})
}

// webCosts writes the rest: the 99th percentile, the service's CPU time, and its database
// connections.
func webCosts(trip time.Duration) func(s *store, out io.Writer) error {
	return webTable("p99 ms, CPU µs a request, connections to the database", trip, func(x, _ *report.Record) string {
		m := x.Median()
		return fmt.Sprintf("%s, %s, %.0f", grid.Figure(p99(m)/1000), grid.Whole(cpu(m)), conns(m))
	})
}

func webTable(head string, trip time.Duration, cell func(x, base *report.Record) string) func(s *store, out io.Writer) error {
	return func(s *store, out io.Writer) error {
		d, err := s.document("http")
		if err != nil {
			return err
		}
		r := d.Results()
		t := grid.New(append([]string{head}, webServices...)...)
		var seen []report.Case
		for _, x := range r.Records {
			if x.RoundTrip != trip || slices.Contains(seen, x.Case) {
				continue
			}
			seen = append(seen, x.Case)
			base := r.Find(x.Case, webPool)
			row := []string{fmt.Sprintf("`%s`, %d connections", route(x.Workload), x.Callers)}
			for _, name := range webServices {
				text := "–"
				if one := r.Find(x.Case, name); one != nil && base != nil {
					text = cell(one, base)
				}
				row = append(row, text)
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
}

// route shortens the request of a case to its name in the tables.
func route(workload string) string {
	path, query, _ := strings.Cut(workload, "?")
	if strings.HasPrefix(query, "n=") {
		return path + "?" + query
	}
	return path
}

// syncs writes how many Syncs each service sends for a request.
func syncs(s *store, out io.Writer) error {
	d, err := s.document("http")
	if err != nil {
		return err
	}
	heads, rows := []string{"Syncs for a request, on the wire"}, map[string][]string{}
	var names []string
	for _, c := range d.Syncs {
		if head := "`" + route(c.Of) + "`"; !slices.Contains(heads, head) {
			heads = append(heads, head)
		}
		if rows[c.Contestant] == nil {
			names = append(names, c.Contestant)
			rows[c.Contestant] = []string{c.Contestant}
		}
		rows[c.Contestant] = append(rows[c.Contestant], fmt.Sprint(c.N))
	}
	if len(names) == 0 {
		return errUnmeasured
	}
	t := grid.New(heads...)
	for _, name := range names {
		t.Row(rows[name]...)
	}
	t.Markdown(out)
	return nil
}

// sentence says how many times as many requests ordinary handlers answer on pg as on pgxpool, with
// 256 connections of the load.
func sentence(s *store, out io.Writer) error {
	d, err := s.document("http")
	if err != nil {
		return err
	}
	r := d.Results()
	n := func(trip time.Duration, path string) string {
		for _, x := range r.Records {
			if x.RoundTrip == trip && x.Callers == 256 && route(x.Workload) == path {
				return grid.Short(ratio(r, x.Case, webPg, webPool, rate))
			}
		}
		return "?"
	}
	fmt.Fprintf(out, "**Ordinary net/http handlers answer %s times pgxpool's requests for a row, and %s times those for 20 queries, with\n"+
		"16 connections to a database that is 1 ms away.** On the same machine that is %s and %s times. For `/fortunes` it is %s (and %s) times,\n"+
		"for `/updates?n=20` %s (%s), for `/async-db` %s (%s). All of it with 256 clients; the load, the services and the server\n"+
		"share the machine's processors, and pgxpool has 16 connections, too.\n",
		n(far, "/db"), n(far, "/queries?n=20"), n(0, "/db"), n(0, "/queries?n=20"), n(far, "/fortunes"), n(0, "/fortunes"),
		n(far, "/updates?n=20"), n(0, "/updates?n=20"), n(far, "/async-db"), n(0, "/async-db"))
	return nil
}
