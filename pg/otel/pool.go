package otel

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed1239206e/repaint/internal/figures"
	"github.com/seed1239206e/repaint/internal/figures/pgfigures"
	"github.com/seed1239206e/repaint/pg"
)

// A Source has statistics: a *pg.DB, or a *pg.Reader.
type Source interface{ Stats() pg.Stats }

// Pool records the figures of a DB or a Reader, under a name for the pool, until the caller calls
// stop. OpenTelemetry reads the figures when it collects them. An error means that the figures
// couldn't be registered. Any goroutine may call Pool and stop.
func (w *Watch) Pool(of Source, name string) (stop func() error, err error) {
	instruments, err := figures.Instruments(pgfigures.All, w.instrument)
	if err != nil {
		return nil, err
	}
	var all []metric.Observable
	for _, it := range instruments {
		all = append(all, it)
	}
	common := []attribute.KeyValue{attribute.String("db.system.name", system), attribute.String("db.client.connection.pool.name", name)}
	r, err := w.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := of.Stats()
		for _, f := range pgfigures.All {
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
func (w *Watch) instrument(f figures.Figure[pg.Stats]) (metric.Float64Observable, error) {
	if f.Counts {
		return w.meter.Float64ObservableCounter(f.Name, metric.WithUnit(f.Unit), metric.WithDescription(f.Text))
	}
	return w.meter.Float64ObservableUpDownCounter(f.Name, metric.WithUnit(f.Unit), metric.WithDescription(f.Text))
}
