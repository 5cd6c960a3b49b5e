package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/internal/testserver"

	"github.com/seed1239206e/repaint/bench/internal/host"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

func TestMain(m *testing.M) { testserver.Main(m) }

var everything = regexp.MustCompile("")

// smoke is a plan that takes little time.
func smoke() plan {
	return plan{rounds: 1, length: time.Millisecond, trips: []time.Duration{100 * time.Microsecond}, workloads: slices.Clone(workloads), only: everything, with: everything}
}

// Every workload gives the right answers with every contestant, and its table has a row for each that takes part.
func TestEveryContestantDoesEveryWorkload(t *testing.T) {
	testserver.Postgres(t) // or this test is skipped
	all, missing := contestants()
	for _, m := range missing {
		if os.Getenv("REPAINT_REQUIRE_PEERS") == "1" {
			t.Errorf("REPAINT_REQUIRE_PEERS=1, and a peer is missing: %s", m)
		}
	}
	p := smoke()
	p.json = filepath.Join(t.TempDir(), "out.json")
	for i := range p.workloads {
		p.workloads[i].callers = []int{32} // with batches
	}
	p.workloads[0].callers = []int{1, 32}
	var out strings.Builder
	err := host.Run(func(tb testing.TB) {
		if err := p.run(t.Context(), tb, &out); err != nil {
			tb.Fatal(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		want := 0
		for _, w := range p.workloads {
			for _, callers := range w.callers {
				if c.takesPart(w, callers) {
					want++
				}
			}
		}
		if n := strings.Count(out.String(), "| "+c.name+" |"); n != want {
			t.Errorf("%d rows for %s, not %d:\n%s", n, c.name, want, out.String())
		}
	}
	text, err := os.ReadFile(p.json)
	if err != nil || !json.Valid(text) {
		t.Errorf("%v: %s", err, text)
	}
	if len(missing) > 0 {
		t.Skipf("the rest has passed, but peers are missing: %s", strings.Join(missing, "; "))
	}
}

// Every case that a goal is about can be measured, and every contestant that it names takes part there.
func TestGoalsAreAboutWhatIsMeasured(t *testing.T) {
	p := smoke()
	p.trips, p.goals = []time.Duration{0, time.Millisecond}, true
	r := new(report.Results)
	cases := p.cases(r)
	for _, g := range goals(r) {
		for _, c := range g.Cases {
			if !slices.Contains(cases, c) {
				t.Errorf("%s: %s isn't measured", g.Text, c)
			}
		}
		if g.Known {
			t.Errorf("%s is known before it is measured", g.Text)
		}
	}
	if _, missing := contestants(); len(missing) > 0 {
		t.Skipf("peers are missing: %s", strings.Join(missing, "; "))
	}
	all, _ := contestants()
	for _, c := range cases {
		w := p.workloads[slices.IndexFunc(p.workloads, func(w workload) bool { return w.name == c.Workload })]
		for i, x := range all {
			if x.takesPart(w, c.Callers) {
				r.Add(c, x.name, sampleOf(i+1))
			}
		}
	}
	for _, g := range goals(r) {
		if !g.Known {
			t.Errorf("%s can't be known: %+v", g.Text, g)
		}
	}
}

func TestOnlySelectsCases(t *testing.T) {
	p := smoke()
	p.trips, p.only = []time.Duration{0, time.Millisecond}, regexp.MustCompile("^(update|100 rows), (1|32) callers?$")
	var got []string
	for _, c := range p.cases(new(report.Results)) {
		got = append(got, c.String())
	}
	if want := []string{"update, 1 caller", "update, 32 callers", "100 rows, 1 caller", "100 rows, 32 callers"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	p.only = regexp.MustCompile("no such case")
	err := host.Run(func(tb testing.TB) {
		testserver.Postgres(t)
		if err := p.run(context.Background(), tb, new(strings.Builder)); err == nil || !strings.Contains(err.Error(), "no such case") {
			t.Error(err)
		}
	})
	if err != nil {
		t.Error(err)
	}
}
