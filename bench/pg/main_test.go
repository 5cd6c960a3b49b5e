package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// Every workload gives the right answers with every contestant, and the table has a row for each.
func TestComparison(t *testing.T) {
	testserver.Postgres(t) // or this test is skipped
	var out bytes.Buffer
	h := new(host)
	p := plan{rounds: 1, length: time.Millisecond, callers: []int{3}, trips: []time.Duration{0, 100 * time.Microsecond}, workloads: workloads}
	if err := h.run(func() { p.run(h, &out) }); err != nil {
		t.Fatal(err)
	}
	want := len(p.trips) * len(workloads)
	for _, c := range contestants {
		if n := strings.Count(out.String(), "| "+c.name+" |"); n != want {
			t.Errorf("%d rows for %s, not %d:\n%s", n, c.name, want, out.String())
		}
	}
}
