package gauge

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"
)

// A Report is the result of Run.
type Report struct {
	Version     string   `json:"version,omitempty"` // of the program
	Go          string   `json:"go"`
	OS          string   `json:"os"`
	Arch        string   `json:"arch"`
	CPUs        int      `json:"cpus"`
	Database    string   `json:"database"` // its URL without the password
	Server      string   `json:"server"`
	Connections int      `json:"connections"` // of each way, at most
	Delay       Span     `json:"delay"`       // added to each round trip
	Duration    Span     `json:"duration"`    // of each way in each case
	Rounds      int      `json:"rounds"`
	Interrupted bool     `json:"interrupted"`
	Notes       []string `json:"notes"`
	Cases       []*Case  `json:"cases"`
}

// A Span is a duration that JSON shows as text, such as "5s".
type Span time.Duration

func (s Span) String() string               { return time.Duration(s).String() }
func (s Span) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s *Span) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	*s = Span(d)
	return err
}

// A Case is a workload with a number of callers.
type Case struct {
	Workload   string    `json:"workload"`
	Statements int       `json:"statements"` // of one call
	Callers    int       `json:"callers"`
	Results    []*Result `json:"results"` // the plain pool's is the first
	Helps      bool      `json:"helps"`   // whether repaint makes more calls than the plain pool, in every round
	Verdict    string    `json:"verdict"` // in words
}

func (c *Case) String() string { return c.Workload + ", " + count(c.Callers, "caller") }

// A Result has what was measured in one way.
type Result struct {
	Way     string   `json:"way"`
	Samples []Sample `json:"samples"` // one for each round
	Median  Sample   `json:"median"`  // of each figure by itself
	Ratio   *Ratio   `json:"ratio"`   // of the rates: this way's to the plain pool's; null for that one
	CPU     *Ratio   `json:"cpu_ratio"`
}

// A Sample is one round. A figure that isn't known is 0.
type Sample struct {
	Rate        float64 `json:"calls_per_second"` // of all callers together
	P50         float64 `json:"p50_us"`
	P99         float64 `json:"p99_us"`
	CPU         float64 `json:"client_cpu_us"` // for each call, of this process, in user and system mode
	Connections int     `json:"connections"`
	PerWrite    float64 `json:"statements_per_write"` // to the network
}

// A Ratio is the median of the rounds' ratios, with the smallest and the largest.
type Ratio struct {
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

// Micro returns a duration in microseconds.
func Micro(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func (c *Case) measured() bool { return len(c.Results) > 0 && len(c.Results[0].Samples) > 0 }

// conclude computes medians and ratios, and says what they mean.
func (c *Case) conclude() {
	c.Results = slices.DeleteFunc(c.Results, func(r *Result) bool { return len(r.Samples) == 0 })
	plain := c.Results[0]
	for _, r := range c.Results {
		r.Median = Sample{
			Rate: r.median(func(s Sample) float64 { return s.Rate }),
			P50:  r.median(func(s Sample) float64 { return s.P50 }), P99: r.median(func(s Sample) float64 { return s.P99 }),
			CPU:         r.median(func(s Sample) float64 { return s.CPU }),
			Connections: int(r.median(func(s Sample) float64 { return float64(s.Connections) })),
			PerWrite:    r.median(func(s Sample) float64 { return s.PerWrite }),
		}
		if r != plain {
			r.Ratio = ratio(r, plain, func(s Sample) float64 { return s.Rate })
			r.CPU = ratio(r, plain, func(s Sample) float64 { return s.CPU })
		}
	}
	c.judge()
}

func (r *Result) median(of func(Sample) float64) float64 {
	values := make([]float64, len(r.Samples))
	for i, s := range r.Samples {
		values[i] = of(s)
	}
	return median(values)
}

// median sorts the values. There must be one.
func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// ratio compares the rounds that both results have, and returns nil if there is none.
func ratio(r, plain *Result, of func(Sample) float64) *Ratio {
	var values []float64
	for i := range min(len(r.Samples), len(plain.Samples)) {
		if p := of(plain.Samples[i]); p > 0 {
			values = append(values, of(r.Samples[i])/p)
		}
	}
	if len(values) == 0 {
		return nil
	}
	m := median(values)
	return &Ratio{Median: m, Least: values[0], Most: values[len(values)-1]}
}

// worthwhile is the gain from which on repaint helps. Less may be chance.
const worthwhile = 1.05

// judge says whether repaint helps, and by which way.
func (c *Case) judge() {
	plain := c.Results[0].Way
	var best *Result
	for _, r := range c.Results {
		if r.Ratio != nil && (best == nil || r.Ratio.Median > best.Ratio.Median) {
			best = r
		}
	}
	if best == nil {
		c.Verdict = "Only " + plain + " was measured."
		return
	}
	x := best.Ratio
	switch {
	case x.Median >= worthwhile && x.Least > 1:
		c.Helps = true
		c.Verdict = fmt.Sprintf("repaint helps: %s makes %.1f times as many calls as %s.", best.Way, x.Median, plain)
	case x.Median >= worthwhile:
		c.Verdict = fmt.Sprintf("It isn't shown that repaint helps: %s makes %.2f times as many calls as %s, but %.2f times in one round.", best.Way, x.Median, plain, x.Least)
	case x.Median > 2-worthwhile:
		c.Verdict = fmt.Sprintf("repaint doesn't help here: %s makes %.2f times as many calls as %s, which is no difference.", best.Way, x.Median, plain)
	default:
		c.Verdict = fmt.Sprintf("repaint doesn't help here: the best of its ways makes only %.2f times as many calls as %s.", x.Median, plain)
	}
	if best.CPU != nil && best.CPU.Most < 0.9 {
		c.Verdict += fmt.Sprintf(" It takes %.2f times the client's CPU time.", best.CPU.Median)
	}
}

// Helped returns in how many cases repaint helps.
func (r *Report) Helped() (n int) {
	for _, c := range r.Cases {
		if c.Helps {
			n++
		}
	}
	return n
}

// Write writes the report as JSON.
func (r *Report) Write(w io.Writer) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("making JSON of the report: %w", err)
	}
	_, err = w.Write(append(text, '\n'))
	return err
}
