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

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/plan"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

func TestMain(m *testing.M) { testserver.Main(m) }

var (
	everything = regexp.MustCompile("")
	found      = sync.OnceValues(contestants) // looking for Python takes a while
)

// Every workload gives the right answers with every contestant on every database, and its table has
// a row for each that takes part.
func TestEveryContestantDoesEveryWorkload(t *testing.T) {
	all, missing := found()
	p := comparison{
		plan.Plan{Rounds: 1, Length: time.Millisecond, Only: everything, With: everything, JSON: filepath.Join(t.TempDir(), "out.json")},
		slices.Clone(workloads),
	}
	for i := range p.workloads {
		p.workloads[i].callers = []int{min(3, p.workloads[i].callers[len(p.workloads[i].callers)-1])}
	}
	var out strings.Builder
	if err := p.run(t.Context(), t, &out); err != nil {
		t.Fatal(err)
	}
	for _, server := range []string{postgres, maria} {
		if strings.Contains(out.String(), "MISSING: "+server) {
			t.Skipf("%s is missing; the others have passed", server)
		}
	}
	want := make(map[string]int)
	for _, x := range all {
		for _, kind := range []string{memory, file, postgres, maria} {
			for _, w := range p.workloads {
				if x.takesPart(kind, w) {
					want[x.name]++
				}
			}
		}
	}
	for name, n := range want {
		if got := strings.Count(out.String(), "| "+name+" |"); got != n {
			t.Errorf("%d rows for %s, not %d:\n%s", got, name, n, out.String())
		}
	}
	text, err := os.ReadFile(p.JSON)
	if err != nil || !json.Valid(text) {
		t.Errorf("%v: %s", err, text)
	}
	plan.Present(t, missing) // the contestants that are there have passed
}

// Every case that a goal is about is measured, and every contestant that it names takes part there.
func TestGoalsAreAboutWhatIsMeasured(t *testing.T) {
	all, _ := found() // no goal is about contestants that may be missing
	p := comparison{workloads: workloads}
	r := new(report.Results)
	for _, c := range p.cases() {
		for i, x := range all {
			if v := float64(i + 1); x.takesPart(c.Database, p.workload(c)) {
				r.Add(c, x.name, measure.Sample{Rate: v, Allocs: v, CPU: v})
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
