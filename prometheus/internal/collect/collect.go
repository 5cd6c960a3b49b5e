// Package collect makes a collector of figures.
package collect

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed1239206e/repaint/internal/figures"
)

// A Collector reads statistics when Prometheus asks.
type Collector[S any] struct {
	stats   func() S
	figures []figures.Figure[S]
	descs   []*prometheus.Desc // one for each figure
}

// New returns a collector whose metrics have the label pool.
func New[S any](stats func() S, pool string, all []figures.Figure[S]) *Collector[S] {
	c := &Collector[S]{stats: stats, figures: all}
	for _, f := range all {
		var labels []string
		if f.Label != "" {
			labels = []string{f.Label}
		}
		c.descs = append(c.descs, prometheus.NewDesc(f.Prometheus(), f.Text, labels, prometheus.Labels{"pool": pool}))
	}
	return c
}

// Describe implements prometheus.Collector.
func (c *Collector[S]) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *Collector[S]) Collect(to chan<- prometheus.Metric) {
	s := c.stats()
	for i, f := range c.figures {
		kind := prometheus.GaugeValue
		if f.Counts {
			kind = prometheus.CounterValue
		}
		var labels []string
		if f.Label != "" {
			labels = []string{f.Value}
		}
		to <- prometheus.MustNewConstMetric(c.descs[i], kind, f.Measure(s), labels...)
	}
}
