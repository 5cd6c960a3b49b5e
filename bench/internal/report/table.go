package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

// A Column is a figure of a table.
type Column struct {
	Head string
	Of   func(measure.Sample) float64
}

// Table prints the medians of a case in Markdown. For each of ours it has a column that says how
// many times the row's rate ours is.
func (r *Results) Table(out io.Writer, c Case, ours []string, columns []Column) {
	records := r.Of(c)
	if len(records) == 0 {
		return
	}
	fmt.Fprintf(out, "\n### %s\n\n| | calls/s |", c)
	var own []*Record
	for _, name := range ours {
		for _, x := range records {
			if x.Contestant == name {
				own = append(own, x)
				fmt.Fprintf(out, " %s ÷ it |", name)
			}
		}
	}
	for _, col := range columns {
		fmt.Fprintf(out, " %s |", col.Head)
	}
	fmt.Fprintf(out, " spread |\n|---|%s\n", strings.Repeat("--:|", len(own)+len(columns)+2))
	for _, x := range records {
		m := x.Median()
		fmt.Fprintf(out, "| %s | %s |", x.Contestant, Number(m.Rate))
		for _, o := range own {
			fmt.Fprintf(out, " %.2f |", o.Median().Rate/m.Rate)
		}
		for _, col := range columns {
			if v := col.Of(m); v > 0 {
				fmt.Fprintf(out, " %s |", Number(v))
			} else {
				fmt.Fprint(out, " – |")
			}
		}
		fmt.Fprintf(out, " ±%.0f %% |\n", 100*x.Spread())
	}
}

// Number has three digits or more.
func Number(v float64) string {
	switch {
	case v < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case v < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	digits := strconv.FormatFloat(v, 'f', 0, 64)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
