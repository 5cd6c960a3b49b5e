package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/seed1239206e/repaint/internal/grid"
)

// A Goal is a figure that must be reached.
type Goal struct {
	Text  string
	Limit float64
	Most  bool    // the limit is the most that the figure may be; otherwise it is the least
	Cases []Case  // what must be measured for it
	Value float64 // what was measured: the median of the rounds
	Low   float64 // the least of the rounds
	High  float64
	Known bool   // whether it was
	Note  string // what was compared with what
}

// Met reports whether the measured figure is good enough.
func (g Goal) Met() bool {
	return g.Known && (g.Most && g.Value <= g.Limit || !g.Most && g.Value >= g.Limit)
}

// Outcome says what became of it: met, missed, or not measured.
func (g Goal) Outcome() string {
	switch {
	case !g.Known:
		return "not measured"
	case g.Met():
		return "met"
	}
	return "**missed**"
}

// Goals prints the goals as a Markdown table.
func Goals(out io.Writer, goals []Goal) {
	t := grid.New("goal", "limit", "median of the rounds", "", "medians of what was compared")
	t.Columns[3].Left, t.Columns[4].Left = true, true
	for _, g := range goals {
		t.Row(g.Text, g.Bound(), g.Figure(), g.Outcome(), g.Note)
	}
	fmt.Fprint(out, "\n### Goals\n\n")
	t.Markdown(out)
}

// Bound says what the figure must be, such as "≥ 2".
func (g Goal) Bound() string {
	if g.Most {
		return fmt.Sprintf("≤ %v", g.Limit)
	}
	return fmt.Sprintf("≥ %v", g.Limit)
}

// Figure returns what was measured, or a dash.
func (g Goal) Figure() string {
	if !g.Known {
		return "–"
	}
	return fmt.Sprintf("%.2f", g.Value)
}

// Ratio is a goal about a figure of two contestants in a case: the figure of ours, by its whole
// name, divided by the peer's. The peer is the best of those whose name begins so. The ratio is the
// median of the rounds' ratios, so changes from round to round cancel out.
func (r *Results) Ratio(text string, c Case, ours, peer string, of Column, limit float64, most bool) Goal {
	return r.compare(Goal{Text: text + ": " + ours, Limit: limit, Most: most, Cases: []Case{c}}, ours, peer, of, "÷", func(a, b float64) float64 { return a / b })
}

// Difference is a goal about how much more of a figure ours takes than the peer, for each of so
// many parts of a call. The limit is the most that it may be.
func (r *Results) Difference(text string, c Case, ours, peer string, of Column, parts int, limit float64) Goal {
	return r.compare(Goal{Text: text + ": " + ours, Limit: limit, Most: true, Cases: []Case{c}}, ours, peer, of, "−", func(a, b float64) float64 { return (a - b) / float64(parts) })
}

func (r *Results) compare(g Goal, ours, peer string, of Column, sign string, how func(a, b float64) float64) Goal {
	c := g.Cases[0]
	own := r.Find(c, ours)
	other := r.Best(c, peer)
	if own == nil || other == nil {
		return g
	}
	a, b := of.Of(own.Median()), of.Of(other.Median())
	if b == 0 || len(own.Samples) != len(other.Samples) {
		return g
	}
	values := make([]float64, len(own.Samples))
	for i := range values {
		values[i] = how(of.Of(own.Samples[i]), of.Of(other.Samples[i]))
	}
	slices.Sort(values)
	g.Low, g.High = values[0], values[len(values)-1]
	g.Value, g.Known = (values[(len(values)-1)/2]+values[len(values)/2])/2, true
	g.Note = fmt.Sprintf("%s %s %s %s of %s", of.Head, grid.Figure(a), sign, grid.Figure(b), other.Contestant)
	return g
}
