// Package figures defines the form in which statistics are exported, for OpenTelemetry and for
// Prometheus.
package figures

import (
	"fmt"
	"strings"
)

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

// Attribute returns what distinguishes the figure from others of its name in OpenTelemetry: the key and
// the value of an attribute. The key is "" if there are no others.
func (f Figure[S]) Attribute() (key, value string) {
	if f.Label == "state" {
		return "db.client.connection.state", f.Value
	}
	return f.Label, f.Value
}

// Instruments calls instrument once for each name, and returns what it makes, by name: figures of one
// name share an instrument.
func Instruments[S, I any](all []Figure[S], instrument func(Figure[S]) (I, error)) (map[string]I, error) {
	made := map[string]I{}
	for _, f := range all {
		if _, ok := made[f.Name]; ok {
			continue
		}
		it, err := instrument(f)
		if err != nil {
			return nil, fmt.Errorf("otel: the figure %s: %w", f.Name, err)
		}
		made[f.Name] = it
	}
	return made, nil
}
