// Package measure makes callers do a workload for a time, and takes the figures.
package measure

import (
	"slices"
	"strconv"
)

// A Sample has what was measured in one round, each figure for one call. A figure that isn't known
// is 0.
type Sample struct {
	Rate        float64 `json:"rate,omitzero"` // calls in a second, of all callers together
	Mean        float64 `json:"mean_us,omitzero"`
	P50         float64 `json:"p50_us,omitzero"`
	P99         float64 `json:"p99_us,omitzero"`
	CPU         float64 `json:"cpu_us,omitzero"` // the client's, user and system
	Allocs      float64 `json:"allocs,omitzero"`
	Bytes       float64 `json:"bytes,omitzero"`
	Connections float64 `json:"connections,omitzero"` // on the server, in all
}

// Rounded returns the sample with four digits of each figure.
func (s Sample) Rounded() Sample {
	for _, f := range []*float64{&s.Rate, &s.Mean, &s.P50, &s.P99, &s.CPU, &s.Allocs, &s.Bytes, &s.Connections} {
		*f, _ = strconv.ParseFloat(strconv.FormatFloat(*f, 'g', 4, 64), 64) // what was written can be read
	}
	return s
}

// Median returns the median of each figure by itself. There must be a sample.
func Median(all []Sample) Sample {
	of := func(field func(Sample) float64) float64 {
		values := make([]float64, len(all))
		for i, s := range all {
			values[i] = field(s)
		}
		slices.Sort(values)
		n := len(values)
		return (values[(n-1)/2] + values[n/2]) / 2
	}
	return Sample{
		Rate:        of(func(s Sample) float64 { return s.Rate }),
		Mean:        of(func(s Sample) float64 { return s.Mean }),
		P50:         of(func(s Sample) float64 { return s.P50 }),
		P99:         of(func(s Sample) float64 { return s.P99 }),
		CPU:         of(func(s Sample) float64 { return s.CPU }),
		Allocs:      of(func(s Sample) float64 { return s.Allocs }),
		Bytes:       of(func(s Sample) float64 { return s.Bytes }),
		Connections: of(func(s Sample) float64 { return s.Connections }),
	}
}
