package otel

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/figures"
	"github.com/seed1239206e/repaint/internal/figures/dbfigures"
)

// Pool records the figures of an Engine's connections, under a name for the pool, until the caller
// calls stop. OpenTelemetry reads them when it collects metrics; that does no I/O to the database.
// Pool returns an error if the provider can't make an instrument. stop returns the provider's
// error.
func (w *Watch) Pool(e *db.Engine, name string) (stop func() error, err error) {
	instruments, err := figures.Instruments(dbfigures.All, w.instrument)
	if err != nil {
		return nil, err
	}
	var all []metric.Observable
	for _, it := range instruments {
		all = append(all, it)
	}
	common := []attribute.KeyValue{attribute.String("db.system.name", w.system), attribute.String("db.client.connection.pool.name", name)}
	r, err := w.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := e.Stats()
		for _, f := range dbfigures.All {
			attrs := common
			if key, value := f.Attribute(); key != "" {
				attrs = append(attrs[:len(attrs):len(attrs)], attribute.String(key, value))
			}
			o.ObserveFloat64(instruments[f.Name], f.Measure(s), metric.WithAttributes(attrs...))
		}
		return nil
	}, all...)
	if err != nil {
		return nil, fmt.Errorf("otel: the figures of %s: %w", name, err)
	}
	return r.Unregister, nil
}

// instrument makes the instrument of a figure.
func (w *Watch) instrument(f figures.Figure[db.Stats]) (metric.Float64Observable, error) {
	if f.Counts {
		return w.meter.Float64ObservableCounter(f.Name, metric.WithUnit(f.Unit), metric.WithDescription(f.Text))
	}
	return w.meter.Float64ObservableUpDownCounter(f.Name, metric.WithUnit(f.Unit), metric.WithDescription(f.Text))
}
