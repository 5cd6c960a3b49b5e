package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/internal/testserver"

	"github.com/seed1239206e/repaint/bench/internal/plan"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

func TestMain(m *testing.M) { testserver.Main(m) }

var (
	everything = regexp.MustCompile("")
	found      = sync.OnceValues(contestants) // looking for Python takes a while
)

// smoke is a short comparison.
func smoke() comparison {
	p := plan.Plan{Rounds: 1, Length: time.Millisecond, Only: everything, With: everything}
	return comparison{p, slices.Clone(workloads), []time.Duration{100 * time.Microsecond}}
}

// Every workload gives the right answers with every contestant, and its table has a row for each
// that takes part.
func TestEveryContestantDoesEveryWorkload(t *testing.T) {
	all, missing := found()
	p := smoke()
	p.JSON = filepath.Join(t.TempDir(), "out.json")
	for i := range p.workloads {
		p.workloads[i].callers = []int{32} // with batches
	}
	p.workloads[0].callers = []int{1, 32}
	var out strings.Builder
	if err := p.run(t.Context(), t, &out); err != nil {
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
	text, err := os.ReadFile(p.JSON)
	if err != nil || !json.Valid(text) {
		t.Errorf("%v: %s", err, text)
	}
	plan.Present(t, missing) // the contestants that are there have passed
}

// Every case that a goal is about can be measured, and every contestant that it names takes part
// there.
func TestGoalsAreAboutWhatIsMeasured(t *testing.T) {
	all, missing := found()
	plan.Present(t, missing)
	p := comparison{workloads: workloads, trips: []time.Duration{0, time.Millisecond}}
	r := new(report.Results)
	for _, c := range p.cases() {
		for i, x := range all {
			if x.takesPart(p.workload(c), c.Callers) {
				r.Add(c, x.name, sampleOf(i+1))
			}
		}
	}
	for _, g := range goals(new(report.Results)) {
		if g.Known {
			t.Errorf("%s is known before it is measured", g.Text)
		}
	}
	for _, g := range goals(r) {
		if !g.Known {
			t.Errorf("%s can't be known: %+v", g.Text, g)
		}
	}
}
