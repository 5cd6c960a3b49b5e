// Package report keeps measurements, and prints them: as tables, as goals that are met or missed,
// and as JSON.
package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seed1239206e/repaint/bench/internal/measure"
)

// A Case is what contestants are compared in.
type Case struct {
	Database  string        `json:"database,omitempty"`
	Workload  string        `json:"workload"`
	Callers   int           `json:"callers"`
	RoundTrip time.Duration `json:"round_trip_ns"` // the round trip that was added
}

// String returns the heading of the case, with which the flag -only is matched.
func (c Case) String() string {
	s := c.Workload
	if c.Database != "" {
		s = c.Database + ": " + s
	}
	if c.Callers == 1 {
		s += ", 1 caller"
	} else {
		s += fmt.Sprintf(", %d callers", c.Callers)
	}
	if c.RoundTrip > 0 {
		s += fmt.Sprintf(", %v of round trip added", c.RoundTrip)
	}
	return s
}

// A Record is one contestant in one case, one sample for each round.
type Record struct {
	Case
	Contestant string           `json:"contestant"`
	Samples    []measure.Sample `json:"samples"`
}

// Median returns the median of the samples.
func (r *Record) Median() measure.Sample { return measure.Median(r.Samples) }

// Spread returns how far the rates of the rounds are apart, relative to their median: 0.1 means ±10
// %.
func (r *Record) Spread() float64 {
	least, most := r.Samples[0].Rate, r.Samples[0].Rate
	for _, s := range r.Samples {
		least, most = min(least, s.Rate), max(most, s.Rate)
	}
	return (most - least) / 2 / r.Median().Rate
}

// Results are records, in the order in which they came.
type Results struct {
	Records []*Record
	Syncs   []Count
}

// Add adds the result of a round.
func (r *Results) Add(c Case, contestant string, s measure.Sample) {
	i := slices.IndexFunc(r.Records, func(old *Record) bool { return old.Case == c && old.Contestant == contestant })
	if i < 0 {
		i = len(r.Records)
		r.Records = append(r.Records, &Record{Case: c, Contestant: contestant})
	}
	r.Records[i].Samples = append(r.Records[i].Samples, s)
}

// Of returns the records of a case.
func (r *Results) Of(c Case) []*Record {
	return slices.DeleteFunc(slices.Clone(r.Records), func(x *Record) bool { return x.Case != c })
}

// Find returns a contestant's record in a case, or nil if it wasn't measured.
func (r *Results) Find(c Case, contestant string) *Record {
	for _, x := range r.Records {
		if x.Case == c && x.Contestant == contestant {
			return x
		}
	}
	return nil
}

// Best returns the contestant with the best median rate of those whose name begins so, or nil if
// none was measured.
func (r *Results) Best(c Case, prefix string) *Record {
	var best *Record
	for _, x := range r.Of(c) {
		if strings.HasPrefix(x.Contestant, prefix) && (best == nil || x.Median().Rate > best.Median().Rate) {
			best = x
		}
	}
	return best
}
