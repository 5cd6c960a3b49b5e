// Package plan has what the commands that compare have in common: their flags, and the order in
// which they measure.
package plan

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/bench/internal/host"
	"github.com/seed1239206e/repaint/bench/internal/measure"
	"github.com/seed1239206e/repaint/bench/internal/report"
)

// A Plan says what to compare, and for how long.
type Plan struct {
	Rounds int
	Length time.Duration
	Only   *regexp.Regexp // cases
	With   *regexp.Regexp // contestants
	Goals  bool           // only the cases of the goals, and whether they are met
	JSON   string         // a file, or ""
}

// Main is the main function of a command. It reads the flags, and calls run with a stand-in for a
// test. It exits with 1 after an error.
func Main(name string, run func(ctx context.Context, tb testing.TB, out io.Writer, p Plan) error) {
	p, err := parse(flag.CommandLine, os.Args[1:])
	if err == nil {
		err = host.Run(func(tb testing.TB) {
			if err := run(context.Background(), tb, os.Stdout, p); err != nil {
				tb.Fatal(err)
			}
		})
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

func parse(flags *flag.FlagSet, args []string) (Plan, error) {
	var p Plan
	only := flags.String("only", "", "a regular expression for the names of the cases, such as 'point select, (1|32) caller'")
	with := flags.String("with", "", "a regular expression for the names of the contestants")
	flags.IntVar(&p.Rounds, "rounds", 3, "how often each is run")
	flags.DurationVar(&p.Length, "time", 200*time.Millisecond, "how long each runs, in each round")
	flags.BoolVar(&p.Goals, "goals", false, "run the cases that goals are about, and print whether they are met")
	flags.StringVar(&p.JSON, "json", "", "a file to write everything to, as JSON")
	if err := flags.Parse(args); err != nil {
		return p, err
	}
	var errs [3]error
	p.Only, errs[0] = regexp.Compile(*only)
	p.With, errs[1] = regexp.Compile(*with)
	if p.Rounds < 1 || p.Length <= 0 || flags.NArg() > 0 {
		errs[2] = errors.New("rounds and time must be positive, and there are no arguments but flags: see -help")
	}
	return p, errors.Join(errs[:]...)
}

// Select returns the cases that the flags ask for.
func (p Plan) Select(all []report.Case, goals []report.Goal) ([]report.Case, error) {
	var wanted []report.Case
	for _, g := range goals {
		wanted = append(wanted, g.Cases...)
	}
	all = slices.DeleteFunc(slices.Clone(all), func(c report.Case) bool {
		return !p.Only.MatchString(c.String()) || p.Goals && !slices.Contains(wanted, c)
	})
	if len(all) == 0 {
		return nil, fmt.Errorf("no case matches %q; the names of all are the headings of the tables", p.Only)
	}
	return all, nil
}

// An Entrant is a contestant in a case.
type Entrant struct {
	Name    string
	Measure func() (measure.Sample, error)
}

// Compare measures all entrants in turns, and in every other round in reverse, so that no
// contestant always comes after the same one.
func (p Plan) Compare(r *report.Results, c report.Case, all []Entrant) error {
	all = slices.Clone(all)
	for range p.Rounds {
		for _, e := range all {
			s, err := e.Measure()
			if err != nil {
				return fmt.Errorf("%s: %w", e.Name, err)
			}
			r.Add(c, e.Name, s)
		}
		slices.Reverse(all)
	}
	return nil
}

// Finish prints what comes after the tables, and writes the file.
func (p Plan) Finish(out io.Writer, r *report.Results, goals []report.Goal, servers, missing []string) error {
	for _, m := range missing {
		fmt.Fprintf(out, "\nMISSING: %s\n", m)
	}
	fmt.Fprintf(out, "\nMedians of %d rounds of %v, in turns. The spread is that of calls/s.\n", p.Rounds, p.Length)
	if p.Goals {
		report.Goals(out, goals)
	}
	if p.JSON == "" {
		return nil
	}
	return r.WriteFile(p.JSON, servers, missing, goals)
}
