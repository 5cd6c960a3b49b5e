package plan

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

func parsed(t *testing.T, args ...string) Plan {
	p, err := parse(flag.NewFlagSet("", flag.ContinueOnError), args)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWrongFlagsAreErrors(t *testing.T) {
	for _, args := range [][]string{{"-only", "("}, {"-with", "("}, {"-rounds", "0"}, {"-time", "0s"}, {"what"}, {"-nothing"}} {
		flags := flag.NewFlagSet("", flag.ContinueOnError)
		flags.SetOutput(io.Discard)
		if _, err := parse(flags, args); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
}

func TestCasesAreSelectedByNameAndGoal(t *testing.T) {
	a, b, c := report.Case{Workload: "update", Callers: 1}, report.Case{Workload: "update", Callers: 32}, report.Case{Workload: "select", Callers: 1}
	all, goals := []report.Case{a, b, c}, []report.Goal{{Cases: []report.Case{c}}, {Cases: []report.Case{b}}}
	for args, want := range map[string][]report.Case{
		"":                       all,
		"-only=^update":          {a, b},
		"-only=1_caller$":        {a, c},
		"-goals":                 {b, c},
		"-goals -only=32_caller": {b},
	} {
		words := strings.Fields(args)
		for i := range words {
			words[i] = strings.ReplaceAll(words[i], "_", " ")
		}
		got, err := parsed(t, words...).Select(all, goals)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %v, %v", args, got, err)
		}
	}
	if _, err := parsed(t, "-only=nothing").Select(all, goals); err == nil {
		t.Error("no case is an error")
	}
}

func TestRoundsGoThereAndBack(t *testing.T) {
	var order []string
	entrant := func(name string) Entrant {
		return Entrant{name, func() (measure.Sample, error) {
			order = append(order, name)
			return measure.Sample{Rate: float64(len(order))}, nil
		}}
	}
	r, c := new(report.Results), report.Case{Workload: "any", Callers: 1}
	if err := parsed(t).Compare(r, c, []Entrant{entrant("a"), entrant("b")}); err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(order, ""); got != "abbaab" {
		t.Error(got)
	}
	if got := r.Best(c, "b").Samples; len(got) != 3 || got[1].Rate != 3 {
		t.Error(got)
	}
	broken := errors.New("broken")
	err := parsed(t).Compare(r, c, []Entrant{{"c", func() (measure.Sample, error) { return measure.Sample{}, broken }}})
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "c: ") {
		t.Error(err)
	}
}
