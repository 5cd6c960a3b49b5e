// Picture draws the README's picture from what a run of bench/pg has measured:
//
//	cd bench && go run ./pg -only 'point select, 256' -json pg.json
//	cd bench && go run ./picture -from pg.json -to ../docs/gain.svg
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"image/color"
	"log"
	"os"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"github.com/seed1239206e/repaint/bench/internal/report"
)

func main() {
	from := flag.String("from", "pg.json", "the samples, as bench/pg writes them")
	to := flag.String("to", "../docs/gain.svg", "the picture")
	flag.Parse()
	if err := draw(*from, *to); err != nil {
		log.Fatal(err)
	}
}

// A bar is one contestant in one case.
type bar struct {
	title string
	rate  float64 // calls a second
	ours  bool
}

// shown are the contestants of the picture, from the top, and what it calls them.
var shown = []struct {
	contestant, title string
	ours              bool
}{
	{"pgxpool of 16", "pgxpool of 16", false},
	{"pgxpool of 64", "pgxpool of 64", false},
	{"pg, goroutines", "repaint, goroutines", true},
	{"pg, one loop", "repaint, one loop", true},
}

func draw(from, to string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	var d report.Document
	if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("reading %s: %w", from, err)
	}
	var bars []bar
	for _, roundTrip := range []time.Duration{0, time.Millisecond} {
		for _, s := range shown {
			for _, r := range d.Records {
				if r.Workload == "point select" && r.Callers == 256 && r.RoundTrip == roundTrip && r.Contestant == s.contestant {
					bars = append(bars, bar{s.title, r.Median.Rate, s.ours})
				}
			}
		}
	}
	if len(bars) != 2*len(shown) {
		return fmt.Errorf("%s has %d of the %d results that the picture shows: run bench/pg with -only 'point select, 256'", from, len(bars), 2*len(shown))
	}
	return paint(bars, to)
}

// paint draws the bars from the top: first those on loopback, then those with a round trip.
func paint(bars []bar, to string) error {
	p := plot.New()
	p.Title.Text = "Point selects a second, 256 callers"
	p.X.Label.Text = "repaint has 16 connections; × is beside pgxpool of 16"
	p.Y.Padding = vg.Points(16) // for fonts that are wider than the one that the library knows
	p.X.Min, p.X.Tick.Marker = 0, thousands{}
	n := len(shown)
	place := func(i int) float64 { return float64(len(bars) + 1 - i - i/n) } // a gap between the groups
	var names []plot.Tick
	for i, b := range bars {
		c, err := plotter.NewBarChart(plotter.Values{b.rate}, vg.Points(13))
		if err != nil {
			return err
		}
		c.Horizontal, c.XMin, c.LineStyle.Width = true, place(i), 0
		c.Color = color.RGBA{R: 0x9a, G: 0xa5, B: 0xb1, A: 0xff}
		if b.ours {
			c.Color = color.RGBA{R: 0x1f, G: 0x77, B: 0xd0, A: 0xff}
		}
		p.Add(c)
		names = append(names, plot.Tick{Value: place(i), Label: b.title})
		labels, err := plotter.NewLabels(plotter.XYLabels{
			XYs:    plotter.XYs{{X: b.rate, Y: place(i) - 0.18}},
			Labels: []string{fmt.Sprintf(" %s, %.1f ×", rounded(b.rate), b.rate/bars[i/n*n].rate)},
		})
		if err != nil {
			return err
		}
		p.Add(labels)
		p.X.Max = max(p.X.Max, 1.25*b.rate)
	}
	names = append(names,
		plot.Tick{Value: place(0) + 1, Label: "same machine:"},
		plot.Tick{Value: place(n) + 1, Label: "1 ms away:"})
	p.Y.Tick.Marker = plot.ConstantTicks(names)
	p.Y.Tick.LineStyle.Width, p.Y.LineStyle.Width = 0, 0
	p.Y.Min, p.Y.Max = 0.3, place(0)+1.4
	return p.Save(20*vg.Centimeter, 8.5*vg.Centimeter, to)
}

// thousands are ticks such as "50,000".
type thousands struct{}

func (thousands) Ticks(from, to float64) []plot.Tick {
	ticks := plot.DefaultTicks{}.Ticks(from, to)
	for i, t := range ticks {
		if t.Label != "" {
			ticks[i].Label = rounded(t.Value)
		}
	}
	return ticks
}

// rounded writes a rate in hundreds, with a comma.
func rounded(rate float64) string {
	n := int(rate/100+0.5) * 100
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%d,%03d", n/1000, n%1000)
}
