// Package figures defines the form in which statistics are exported, for OpenTelemetry and for
// Prometheus.
package figures

import "strings"

// A Figure is a metric that comes from statistics of type S.
type Figure[S any] struct {
	Name    string // by OpenTelemetry's rules: db.client.connection.count
	Unit    string // "s", or what is counted, in braces
	Text    string
	Counts  bool   // it only grows
	Label   string // distinguishes figures of one name; "" if there is only one
	Value   string // of the label
	Measure func(S) float64
}

// Prometheus returns the figure's name in Prometheus, by OpenTelemetry's rules for such names.
func (f Figure[S]) Prometheus() string {
	name := strings.ReplaceAll(f.Name, ".", "_")
	if f.Unit == "s" {
		name += "_seconds"
	}
	if f.Counts {
		name += "_total"
	}
	return name
}
