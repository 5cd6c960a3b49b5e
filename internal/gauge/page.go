package gauge

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/seed1239206e/repaint/internal/grid"
	"github.com/seed1239206e/repaint/internal/webpage"
)

//go:embed page.css
var pageStyle string

//go:embed page.html
var pageBody string

var body = template.Must(template.New("bench").Funcs(template.FuncMap{
	"whole": grid.Whole, "figure": grid.Figure, "short": grid.Short, "known": grid.Known,
	"ms": func(us float64) string { return grid.Figure(us / 1000) },
}).Parse(pageBody))

// WritePage writes the report as one self-contained HTML page.
func (r *Report) WritePage(w io.Writer) error {
	return webpage.Write(w, webpage.Page{Title: "repaint bench", Style: pageStyle, Body: body, View: r.view()})
}

// A view is what the page shows.
type view struct {
	*Report
	Helped    int
	Ways      []string // for the legend
	Workloads []workloadView
}

type workloadView struct {
	Name             string
	Rates, Latencies plot
	Cases            []*Case
}

// A plot has a row for each way in each case, one below the other. Lengths are in pixels of the
// plot, whose width is plotWidth.
type plot struct {
	Title  string
	Height int
	Groups []label // the callers of a case
	Bars   []bar
	Ticks  []label
}

type label struct {
	X, Y float64
	Text string
}

type bar struct {
	X, Y, Width float64
	Color       int // of the way: the legend's index
	Text        string
	TextX       float64
	From, To    float64 // the whisker, from the least to the most
	Tip         string
}

const (
	plotWidth = 760
	plotLeft  = 150.0 // where the bars begin
	plotRight = 610.0 // where the longest ends, at most
	rowHeight = 20
	barHeight = 14
)

func (r *Report) view() view {
	v := view{Report: r, Helped: r.Helped()}
	for _, c := range r.Cases {
		for _, x := range c.Results {
			if !slices.Contains(v.Ways, x.Way) {
				v.Ways = append(v.Ways, x.Way)
			}
		}
		n := len(v.Workloads)
		if n == 0 || v.Workloads[n-1].Name != c.Workload {
			v.Workloads = append(v.Workloads, workloadView{Name: c.Workload})
			n++
		}
		v.Workloads[n-1].Cases = append(v.Workloads[n-1].Cases, c)
	}
	for i := range v.Workloads {
		w := &v.Workloads[i]
		w.Rates = v.plot("Calls a second; the line goes from the slowest round to the fastest", w.Cases, rates)
		w.Latencies = v.plot("Latency in ms: the bar ends at the median, the line at the 99th percentile", w.Cases, latenciesOf)
	}
	return v
}

// A reading is what a plot shows of a result.
type reading struct {
	value, from, to float64
	text            string
}

func rates(x *Result) reading {
	g := reading{value: x.Median.Rate, from: x.Median.Rate, to: x.Median.Rate, text: grid.Whole(x.Median.Rate)}
	for _, s := range x.Samples {
		g.from, g.to = min(g.from, s.Rate), max(g.to, s.Rate)
	}
	if x.Ratio != nil {
		g.text += ", " + grid.Short(x.Ratio.Median) + " ×"
	}
	return g
}

func latenciesOf(x *Result) reading {
	p50, p99 := x.Median.P50/1000, x.Median.P99/1000
	return reading{p50, p50, p99, grid.Figure(p50) + ", " + grid.Figure(p99)}
}

// plot draws the cases.
func (v *view) plot(title string, cases []*Case, read func(*Result) reading) plot {
	most := 0.0
	for _, c := range cases {
		for _, x := range c.Results {
			g := read(x)
			most = max(most, g.value, g.to)
		}
	}
	scale := func(value float64) float64 {
		if most == 0 {
			return plotLeft
		}
		return plotLeft + value/most*(plotRight-plotLeft)
	}
	p := plot{Title: title}
	y := 6.0
	for _, c := range cases {
		p.Groups = append(p.Groups, label{plotLeft - 12, y + barHeight - 3, count(c.Callers, "caller")})
		for _, x := range c.Results {
			g := read(x)
			p.Bars = append(p.Bars, bar{
				X: plotLeft, Y: y, Width: max(1, scale(g.value)-plotLeft), Color: slices.Index(v.Ways, x.Way),
				Text: g.text, TextX: max(scale(g.value), scale(g.to)) + 8, From: scale(g.from), To: scale(g.to),
				Tip: fmt.Sprintf("%s, %s: %s", c, x.Way, g.text),
			})
			y += rowHeight
		}
		y += rowHeight / 2
	}
	p.Height = int(y) + 14
	step := roundStep(most / 4)
	for i := 0; step > 0 && float64(i)*step <= most*1.001; i++ {
		value := float64(i) * step
		p.Ticks = append(p.Ticks, label{scale(value), y + 8, strconv.FormatFloat(value, 'f', -1, 64)})
	}
	return p
}

// roundStep returns the largest of 1, 2, 5, 10, 20, … that doesn't exceed a length; below 1 it goes
// on in the same way.
func roundStep(length float64) float64 {
	if length <= 0 {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(length)))
	for _, n := range []float64{5, 2} {
		if n*unit <= length {
			return n * unit
		}
	}
	return unit
}

// Middle is the height of the bar's whisker.
func (b bar) Middle() float64 { return b.Y + barHeight/2 }

// TextY is the base line of the bar's text.
func (b bar) TextY() float64 { return b.Y + barHeight - 3 }

// Thick is the bar's height.
func (b bar) Thick() int { return barHeight }

// Bottom is where the lines of the ticks end.
func (p plot) Bottom() int { return p.Height - 18 }

// Width is the plot's width.
func (p plot) Width() int { return plotWidth }
