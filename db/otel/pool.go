package otel

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed1239206e/repaint/db"
)

// figure is one of the metrics that come from Engine.Stats.
type figure struct {
	name, unit, text string
	counts           bool // it only grows
	attrs            []attribute.KeyValue
	of               func(s db.Stats) float64
}

func state(name, value string) []attribute.KeyValue {
	return []attribute.KeyValue{attribute.String(name, value)}
}

var figures = []figure{
	{"db.client.connection.count", "{connection}", "Open connections", false, state("db.client.connection.state", "idle"), func(s db.Stats) float64 { return float64(s.Idle) }},
	{"db.client.connection.count", "{connection}", "Open connections", false, state("db.client.connection.state", "used"), func(s db.Stats) float64 { return float64(s.InUse) }},
	{"db.client.connection.max", "{connection}", "Connections that there may be", false, nil, func(s db.Stats) float64 { return float64(s.MaxOpen) }},
	{"db.client.connection.pending_requests", "{request}", "Callers that wait for a connection", false, nil, func(s db.Stats) float64 { return float64(s.Waiting) }},
	{"db.client.connection.timeouts", "{timeout}", "Callers that gave up waiting", true, nil, func(s db.Stats) float64 { return float64(s.Timeouts) }},
	{"repaint.db.connection.waits", "{request}", "Callers that had to wait", true, nil, func(s db.Stats) float64 { return float64(s.Waits) }},
	{"repaint.db.connection.wait_time", "s", "For which callers waited, all together", true, nil, func(s db.Stats) float64 { return s.WaitTime.Seconds() }},
	{"repaint.db.connection.opened", "{connection}", "Connections made", true, nil, func(s db.Stats) float64 { return float64(s.Connects) }},
	{"repaint.db.connection.errors", "{error}", "Connections that couldn't be made", true, nil, func(s db.Stats) float64 { return float64(s.ConnectErrors) }},
	{"repaint.db.connection.closed", "{connection}", "Connections closed", true, state("reason", "broken"), func(s db.Stats) float64 { return float64(s.Discarded) }},
	{"repaint.db.connection.closed", "{connection}", "Connections closed", true, state("reason", "lifetime"), func(s db.Stats) float64 { return float64(s.LifetimeClosed) }},
	{"repaint.db.connection.closed", "{connection}", "Connections closed", true, state("reason", "idle"), func(s db.Stats) float64 { return float64(s.IdleClosed) }},
	{"repaint.db.lane.count", "{connection}", "Connections that carry single statements", false, nil, func(s db.Stats) float64 { return float64(s.Lanes.Open) }},
	{"repaint.db.lane.pending_requests", "{request}", "Statements that wait for a lane", false, nil, func(s db.Stats) float64 { return float64(s.Lanes.Waiting) }},
}

// Pool records the figures of an Engine's connections, under a name for the pool, until stop is called.
// They are read when they are collected.
func (w *Watch) Pool(e *db.Engine, name string) (stop func() error, err error) {
	instruments := map[string]metric.Float64Observable{}
	var all []metric.Observable
	for _, f := range figures {
		if instruments[f.name] != nil {
			continue
		}
		var it metric.Float64Observable
		if f.counts {
			it, err = w.meter.Float64ObservableCounter(f.name, metric.WithUnit(f.unit), metric.WithDescription(f.text))
		} else {
			it, err = w.meter.Float64ObservableUpDownCounter(f.name, metric.WithUnit(f.unit), metric.WithDescription(f.text))
		}
		if err != nil {
			return nil, fmt.Errorf("otel: the figure %s: %w", f.name, err)
		}
		instruments[f.name] = it
		all = append(all, it)
	}
	common := []attribute.KeyValue{attribute.String("db.system.name", w.system), attribute.String("db.client.connection.pool.name", name)}
	r, err := w.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		s := e.Stats()
		for _, f := range figures {
			o.ObserveFloat64(instruments[f.name], f.of(s), metric.WithAttributes(common...), metric.WithAttributes(f.attrs...))
		}
		return nil
	}, all...)
	if err != nil {
		return nil, fmt.Errorf("otel: the figures of %s: %w", name, err)
	}
	return r.Unregister, nil
}
