package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/internal/grid"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

// A benchReport is the part of the JSON of repaint bench that a table needs.
type benchReport struct {
	Server string
	Cases  []benchCase
}

type benchCase struct {
	Workload string
	Callers  int
	Helps    bool
	Results  []benchResult
}

type benchResult struct {
	Way    string
	Median struct {
		Rate float64 `json:"calls_per_second"`
	}
	Ratio *struct{ Median, Least, Most float64 }
}

// readReport reads the JSON of repaint bench.
func readReport(text []byte) (r benchReport, err error) {
	if err = json.Unmarshal(text, &r); err != nil {
		err = fmt.Errorf("reading the report of repaint bench: %w", err)
	}
	return r, err
}

// compactReport keeps the whole report, with one line for each way in a case.
func compactReport(text []byte) ([]byte, error) {
	r, err := readReport(text)
	if err != nil || len(r.Cases) == 0 {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Compact(&out, text); err != nil {
		return nil, err
	}
	compact := out.Bytes()
	for _, before := range []string{`{"workload":`, `{"way":`} {
		compact = bytes.ReplaceAll(compact, []byte(before), []byte("\n"+before))
	}
	return append(bytes.TrimSpace(compact), '\n'), nil
}

// ownBench writes the table of repaint bench with its built-in workloads.
func ownBench(s *store, out io.Writer) error {
	text, err := s.read("bench.json")
	if err != nil {
		return err
	}
	r, err := readReport(text)
	if err != nil {
		return err
	}
	var ways []string
	for _, c := range r.Cases {
		for _, x := range c.Results {
			if !slices.Contains(ways, x.Way) {
				ways = append(ways, x.Way)
			}
		}
	}
	t := grid.New(append(append([]string{"calls/s: × the plain pool, spread of the rounds"}, ways...), "does repaint help?")...)
	t.Columns[len(t.Columns)-1].Left = true
	for _, c := range r.Cases {
		row := []string{c.Workload + ", " + callers(c.Callers)}
		for _, way := range ways {
			text := "–"
			if i := slices.IndexFunc(c.Results, func(x benchResult) bool { return x.Way == way }); i >= 0 {
				x := c.Results[i]
				text = grid.Whole(x.Median.Rate)
				if x.Ratio != nil {
					text = fmt.Sprintf("%s × (%s–%s), %s", grid.Short(x.Ratio.Median), grid.Short(x.Ratio.Least), grid.Short(x.Ratio.Most), text)
				}
			}
			row = append(row, text)
		}
		t.Row(append(row, map[bool]string{true: "yes", false: "no, or not shown"}[c.Helps])...)
	}
	fmt.Fprintf(out, "The built-in workloads, with `--allow-writes`, on %s:\n\n", r.Server)
	t.Markdown(out)
	return nil
}

// A row of the demo's table: the way, requests a second, the time of a request, statements.
var demoRow = regexp.MustCompile(`^(goroutines|greenlets|greenlets, Loader) (\d+) ([\d.]+(?:ns|µs|ms|s)) (\d+)$`)

func demoLines(text []byte) ([]byte, error) {
	return lines(text, demoRow.MatchString), nil
}

// demo writes the table of the demo's first act.
func demo(s *store, out io.Writer) error {
	text, err := s.read("demo.txt")
	if err != nil {
		return err
	}
	var ways []string
	rates, statements := map[string][]measure.Sample{}, map[string]string{}
	for line := range strings.Lines(string(text)) {
		found := demoRow.FindStringSubmatch(strings.TrimSpace(line))
		if found == nil {
			return fmt.Errorf("demo.txt: no row of the demo's table: %s", line)
		}
		v, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			return err
		}
		if !slices.Contains(ways, found[1]) {
			ways = append(ways, found[1])
		}
		rates[found[1]] = append(rates[found[1]], measure.Sample{Rate: v})
		statements[found[1]] = found[4]
	}
	if len(ways) == 0 {
		return errUnmeasured
	}
	t := grid.New("", "× goroutines", "requests/s", "statements")
	base := measure.Median(rates[ways[0]]).Rate
	for _, way := range ways {
		v := measure.Median(rates[way]).Rate
		t.Row(way, grid.Short(v/base), grid.Whole(v), statements[way])
	}
	t.Markdown(out)
	return nil
}

// machine writes what the last complete run has found: the machine, versions, and what is missing.
func machine(s *store, out io.Writer) error {
	text, err := s.read("machine.md")
	if err == nil {
		_, err = out.Write(text)
	}
	return err
}
