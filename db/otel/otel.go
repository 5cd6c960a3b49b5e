// Package otel records traces and metrics of package db's Engines with OpenTelemetry, by its
// semantic conventions for databases.
//
//	watch, err := otel.New("postgres")
//	engine, err := db.Open(ctx, url, watch.Option())
//	...
//	stop, err := watch.Pool(engine, "main")
//
// Each statement is a span, a child of its caller's span. It has db.system.name, db.query.text and
// db.operation.name, db.collection.name if the text shows it, and error.type after a failure. Its
// duration goes into the histogram db.client.operation.duration, in seconds. The text is the
// caller's, with its parameters as :name; ? replaces each literal, since literals may be values.
// Parameters are never recorded.
//
// The metrics of Pool are listed, each with its unit and a value to alert on, in
// docs/guide-deploy.md.
//
// Prometheus reads them through OpenTelemetry's exporter, or without OpenTelemetry from
// prometheus/dbcollector. For a log of statements in package slog, db.Log is enough; it needs
// nothing of this package.
package otel

import (
	"context"
	"errors"
	"fmt"

	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/sqlsummary"
)

const scope = "github.com/seed1239206e/repaint/db/otel"

// A Watch records what Engines do. Several Engines of one database may share it, and several
// goroutines may use it at once.
type Watch struct {
	system   string
	tracer   trace.Tracer
	meter    metric.Meter
	duration metric.Float64Histogram
}

// Option configures a [Watch].
type Option func(*config)

type config struct {
	traces  trace.TracerProvider
	metrics metric.MeterProvider
}

// Traces sets the receiver of spans; the default is OpenTelemetry's global provider.
func Traces(p trace.TracerProvider) Option { return func(c *config) { c.traces = p } }

// Metrics sets the receiver of figures; the default is OpenTelemetry's global provider.
func Metrics(p metric.MeterProvider) Option { return func(c *config) { c.metrics = p } }

// New returns a Watch for Engines of one database. dialect is the name of the dialect in the
// database's URL, such as "postgres". New returns an error if the provider can't make the histogram
// of durations.
func New(dialect string, opts ...Option) (*Watch, error) {
	c := config{traces: otelapi.GetTracerProvider(), metrics: otelapi.GetMeterProvider()}
	for _, set := range opts {
		set(&c)
	}
	w := &Watch{system: systemOf(dialect), tracer: c.traces.Tracer(scope), meter: c.metrics.Meter(scope)}
	var err error
	w.duration, err = w.meter.Float64Histogram("db.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("How long statements took, waiting for a connection included"),
		metric.WithExplicitBucketBoundaries(.001, .005, .01, .05, .1, .5, 1, 5, 10))
	if err != nil {
		return nil, fmt.Errorf("otel: the histogram of durations: %w", err)
	}
	return w, nil
}

// systemOf returns the conventions' name for a dialect.
func systemOf(dialect string) string {
	switch dialect {
	case "postgres", "postgresql":
		return "postgresql"
	}
	return dialect // the conventions name sqlite, mysql and mariadb as the dialects do
}

// Option returns the option with which db.Open opens an Engine that the Watch records.
func (w *Watch) Option() db.Option {
	return db.OnEvents(db.Events{BeforeExecute: w.before, AfterExecute: w.after})
}

// kept is what a Watch keeps about an Execution while it runs.
type kept struct {
	span  trace.Span
	attrs []attribute.KeyValue
	other any // the earlier value of Execution.Data
}

func (w *Watch) before(ctx context.Context, x *db.Execution) error {
	q := sqlsummary.Read(w.system, x.Statement)
	attrs := []attribute.KeyValue{attribute.String("db.system.name", w.system)}
	if q.Operation != "" {
		attrs = append(attrs, attribute.String("db.operation.name", q.Operation))
	}
	if q.Collection != "" {
		attrs = append(attrs, attribute.String("db.collection.name", q.Collection))
	}
	_, span := w.tracer.Start(ctx, q.Name(w.system), trace.WithSpanKind(trace.SpanKindClient),
		trace.WithAttributes(attrs...), trace.WithAttributes(attribute.String("db.query.text", q.Text)))
	x.Data = &kept{span, attrs, x.Data}
	return nil
}

func (w *Watch) after(ctx context.Context, x *db.Execution) {
	k, ok := x.Data.(*kept)
	if !ok {
		return
	}
	x.Data = k.other
	attrs := k.attrs
	if x.Err != nil {
		kind := attribute.String("error.type", errorType(x.Err))
		attrs = append(attrs, kind)
		k.span.SetAttributes(kind)
		var known *db.Error
		if errors.As(x.Err, &known) && known.Code != "" {
			k.span.SetAttributes(attribute.String("db.response.status_code", known.Code))
		}
		k.span.SetStatus(codes.Error, kind.Value.AsString()) // the error's text would show the statement with its literals
	} else if x.Rows > 0 {
		k.span.SetAttributes(attribute.Int("db.response.returned_rows", x.Rows))
	}
	k.span.End()
	w.duration.Record(ctx, x.Duration.Seconds(), metric.WithAttributes(attrs...))
}

// errorType returns the value of error.type: the kind of the error, or the database's code.
func errorType(err error) string {
	var known *db.Error
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case errors.Is(err, db.ErrTimeout):
		return "timeout"
	case errors.As(err, &known) && known.Code != "":
		return known.Code
	case errors.Is(err, db.ErrDisconnected):
		return "disconnected"
	}
	return "_OTHER"
}
