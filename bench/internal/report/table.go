package report

import (
	"fmt"
	"io"

	"github.com/seed1239206e/repaint/internal/grid"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

// A Column is a figure of a table.
type Column struct {
	Head string
	Of   func(measure.Sample) float64
}

// Table prints the medians of a case in Markdown. For each of our contestants it has a column with
// the ratio of its rate to the row's rate.
func (r *Results) Table(out io.Writer, c Case, ours []string, columns []Column) {
	records := r.Of(c)
	if len(records) == 0 {
		return
	}
	heads := []string{"", "calls/s"}
	var own []*Record
	for _, name := range ours {
		if x := r.Find(c, name); x != nil {
			own = append(own, x)
			heads = append(heads, name+" ÷ it")
		}
	}
	for _, col := range columns {
		heads = append(heads, col.Head)
	}
	t := grid.New(append(heads, "spread")...)
	for _, x := range records {
		m := x.Median()
		cells := []string{x.Contestant, grid.Figure(m.Rate)}
		for _, o := range own {
			cells = append(cells, fmt.Sprintf("%.2f", o.Median().Rate/m.Rate))
		}
		for _, col := range columns {
			cells = append(cells, grid.Known(col.Of(m)))
		}
		t.Row(append(cells, fmt.Sprintf("±%.0f %%", 100*x.Spread()))...)
	}
	fmt.Fprintf(out, "\n### %s\n\n", c)
	t.Markdown(out)
}
