// Package measure has callers do a workload for a time, and takes the figures.
package measure

import "slices"

// A Sample is what was measured in one round, each figure for one call. What isn't known is 0.
type Sample struct {
	Rate        float64 `json:"rate"` // calls in a second, of all callers together
	Mean        float64 `json:"mean_us"`
	P50         float64 `json:"p50_us"`
	P99         float64 `json:"p99_us"`
	CPU         float64 `json:"cpu_us"` // the client's, user and system
	Allocs      float64 `json:"allocs"`
	Bytes       float64 `json:"bytes"`
	Connections float64 `json:"connections"` // on the server, in all
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
