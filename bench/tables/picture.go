package main

import (
	"bytes"
	"fmt"
	"image/color"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/seed1239206e/repaint/internal/grid"

	"github.com/seed1239206e/repaint/bench/internal/report"
)

// A bar is one contestant in one case.
type bar struct {
	title string
	rate  float64 // calls a second
	ratio float64 // to the first bar of its group, as in the tables
	ours  bool
}

// shown are the contestants of the picture, from the top, with their names in it.
var shown = []struct {
	contestant, title string
	ours              bool
}{
	{"pgxpool of 16", "pgxpool of 16", false},
	{"pgxpool of 64", "pgxpool of 64", false},
	{"pg, goroutines", "repaint, goroutines", true},
	{"pg, one loop", "repaint, one loop", true},
}

// shownCase is the picture's case with a round trip.
func shownCase(roundTrip time.Duration) report.Case {
	return report.Case{Workload: "point select", Callers: 256, RoundTrip: roundTrip}
}

// picture draws README's picture: first the bars on loopback, then those with a round trip.
func (s *store) picture() ([]byte, error) {
	d, err := s.document("picture")
	if err != nil {
		return nil, err
	}
	r := d.Results()
	var bars []bar
	for _, roundTrip := range []time.Duration{0, far} {
		for _, x := range shown {
			if found := r.Find(shownCase(roundTrip), x.contestant); found != nil {
				bars = append(bars, bar{x.title, found.Median().Rate, ratio(r, shownCase(roundTrip), x.contestant, shown[0].contestant, rate), x.ours})
			}
		}
	}
	if len(bars) != 2*len(shown) {
		return nil, fmt.Errorf("picture.json has %d of the %d results that the picture shows: run make bench PARTS=picture", len(bars), 2*len(shown))
	}
	return paint(bars)
}

func paint(bars []bar) ([]byte, error) {
	p := plot.New()
	p.Title.Text = "Point selects a second, 256 callers"
	p.X.Label.Text = "repaint has 16 connections; × is beside pgxpool of 16"
	p.X.Min, p.X.Tick.Marker = 0, thousands{}
	n := len(shown)
	place := func(i int) float64 { return float64(len(bars) + 1 - i - i/n) } // a gap between the groups
	var names []plot.Tick
	for i, b := range bars {
		c, err := plotter.NewBarChart(plotter.Values{b.rate}, vg.Points(13))
		if err != nil {
			return nil, err
		}
		c.Horizontal, c.XMin, c.LineStyle.Width = true, place(i), 0
		c.Color = color.RGBA{R: 0x9a, G: 0xa5, B: 0xb1, A: 0xff}
		if b.ours {
			c.Color = color.RGBA{R: 0x1f, G: 0x77, B: 0xd0, A: 0xff}
		}
		p.Add(c)
		names = append(names, plot.Tick{Value: place(i), Label: b.title + room})
		labels, err := plotter.NewLabels(plotter.XYLabels{
			XYs:    plotter.XYs{{X: b.rate, Y: place(i) - 0.18}},
			Labels: []string{fmt.Sprintf(" %.1f ×, %s", b.ratio, rounded(b.rate))},
		})
		if err != nil {
			return nil, err
		}
		p.Add(labels)
		p.X.Max = max(p.X.Max, 1.25*b.rate)
	}
	names = append(names,
		plot.Tick{Value: place(0) + 1, Label: "same machine:" + room},
		plot.Tick{Value: place(n) + 1, Label: "1 ms away:" + room})
	p.Y.Tick.Marker = plot.ConstantTicks(names)
	p.Y.Tick.LineStyle.Width, p.Y.LineStyle.Width = 0, 0
	p.Y.Min, p.Y.Max = 0.3, place(0)+1.4
	canvas, err := p.WriterTo(20*vg.Centimeter, 8.5*vg.Centimeter, "svg")
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	_, err = canvas.WriteTo(&out)
	return out.Bytes(), err
}

// room is the space for fonts that are wider than the one that the library knows. A viewer removes
// blanks at the end.
const room = "          "

// thousands are ticks such as "50,000".
type thousands struct{}

func (thousands) Ticks(from, to float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(from, to)
	for i, t := range ticks {
		switch {
		case t.Label == "":
		case t.Value > 0.93*to: // the edge would cut it off
			ticks[i].Label = ""
		default:
			ticks[i].Label = rounded(t.Value)
		}
	}
	return ticks
}

// rounded writes a rate in hundreds, with a comma.
func rounded(rate float64) string { return grid.Whole(float64(int(rate/100+0.5) * 100)) }
