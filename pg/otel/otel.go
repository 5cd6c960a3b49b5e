// Package otel makes a DB of package pg record traces and metrics with OpenTelemetry, by its
// semantic conventions for databases, as db/otel does for an Engine of package db.
//
//	watch, err := otel.New()
//	config.Tracer = watch
//	conn, err := pg.OpenConfig(config)
//	...
//	stop, err := watch.Pool(conn, "main")
//
// Each query, batch, COPY and Prepare is a span, a child of its caller's span. So is each
// connection that the DB opens. A span has db.system.name, db.query.text, db.operation.name,
// db.collection.name where the text shows it, and after a failure error.type and
// db.response.status_code. The durations of queries, batches and COPYs go into the histogram
// db.client.operation.duration, in seconds. The recorded text has ? in place of literals, because
// they may be values. Arguments are never recorded.
//
// The metrics of Pool are listed, each with its unit and a value to alert on, in
// docs/guide-deploy.md. Those whose names begin with db.client.connection are of sessions.
//
// A log of statements in package slog is pg.LogTracer, which needs nothing of this package.
package otel

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	otelapi "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/seed1239206e/repaint/internal/sqlsummary"
	"github.com/seed1239206e/repaint/pg"
)

const (
	scope  = "github.com/seed1239206e/repaint/pg/otel"
	system = "postgresql"
)

// A Watch records what DBs do. It is a pg.Config.Tracer. Any number of DBs may share it, and any
// goroutine may call its methods.
type Watch struct {
	tracer   trace.Tracer
	meter    metric.Meter
	duration metric.Float64Histogram
}

var (
	_ pgx.QueryTracer    = (*Watch)(nil)
	_ pgx.BatchTracer    = (*Watch)(nil)
	_ pgx.CopyFromTracer = (*Watch)(nil)
	_ pgx.PrepareTracer  = (*Watch)(nil)
	_ pgx.ConnectTracer  = (*Watch)(nil)
)

// An Option configures a [Watch].
type Option func(*config)

type config struct {
	traces  trace.TracerProvider
	metrics metric.MeterProvider
}

// Traces sets the provider of the spans' tracer. The default is OpenTelemetry's global provider.
func Traces(p trace.TracerProvider) Option { return func(c *config) { c.traces = p } }

// Metrics sets the provider of the meter. The default is OpenTelemetry's global provider.
func Metrics(p metric.MeterProvider) Option { return func(c *config) { c.metrics = p } }

// New returns a Watch.
func New(opts ...Option) (*Watch, error) {
	c := config{traces: otelapi.GetTracerProvider(), metrics: otelapi.GetMeterProvider()}
	for _, set := range opts {
		set(&c)
	}
	w := &Watch{tracer: c.traces.Tracer(scope), meter: c.metrics.Meter(scope)}
	var err error
	w.duration, err = w.meter.Float64Histogram("db.client.operation.duration", metric.WithUnit("s"),
		metric.WithDescription("How long statements took, waiting for a connection included"),
		metric.WithExplicitBucketBoundaries(.001, .005, .01, .05, .1, .5, 1, 5, 10))
	if err != nil {
		return nil, fmt.Errorf("otel: the histogram of durations: %w", err)
	}
	return w, nil
}

// An operation is what the context carries from the start of a call to its end.
type operation struct {
	span  trace.Span
	attrs []attribute.KeyValue
	began time.Time // zero if the duration isn't recorded
}

type operationKey struct{}

func (w *Watch) start(ctx context.Context, name string, timed bool, attrs []attribute.KeyValue, more ...attribute.KeyValue) context.Context {
	o := operation{attrs: append(attrs, attribute.String("db.system.name", system))}
	ctx, o.span = w.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(o.attrs...), trace.WithAttributes(more...))
	if timed {
		o.began = time.Now()
	}
	return context.WithValue(ctx, operationKey{}, &o)
}

func (w *Watch) end(ctx context.Context, err error) {
	o, _ := ctx.Value(operationKey{}).(*operation)
	if o == nil {
		return
	}
	if err != nil {
		kind := errorType(err)
		o.attrs = append(o.attrs, attribute.String("error.type", kind))
		o.span.SetAttributes(attribute.String("error.type", kind))
		var server *pgconn.PgError
		if errors.As(err, &server) {
			o.span.SetAttributes(attribute.String("db.response.status_code", server.Code))
		}
		o.span.SetStatus(codes.Error, kind) // not the error's text, which has the statement with its literals
	}
	o.span.End()
	if !o.began.IsZero() {
		w.duration.Record(ctx, time.Since(o.began).Seconds(), metric.WithAttributes(o.attrs...))
	}
}

// errorType returns the SQLSTATE, or the kind of the error.
func errorType(err error) string {
	var server *pgconn.PgError
	var lost *pg.LostError
	switch {
	case errors.Is(err, context.Canceled):
		return "canceled"
	case pgconn.Timeout(err):
		return "timeout"
	case errors.As(err, &server):
		return server.Code
	case errors.As(err, &lost):
		return "disconnected"
	}
	return "_OTHER"
}

// about returns the attributes of a statement that metrics have, too.
func about(q sqlsummary.Summary) (attrs []attribute.KeyValue) {
	if q.Operation != "" {
		attrs = append(attrs, attribute.String("db.operation.name", q.Operation))
	}
	if q.Collection != "" {
		attrs = append(attrs, attribute.String("db.collection.name", q.Collection))
	}
	return attrs
}

// TraceQueryStart implements pgx.QueryTracer.
func (w *Watch) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	q := sqlsummary.Read(system, data.SQL)
	return w.start(ctx, q.Name(system), true, about(q), attribute.String("db.query.text", q.Text))
}

// TraceQueryEnd implements pgx.QueryTracer.
func (w *Watch) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryEndData) {
	if data.Err == nil && data.CommandTag.Select() {
		trace.SpanFromContext(ctx).SetAttributes(attribute.Int64("db.response.returned_rows", data.CommandTag.RowsAffected()))
	}
	w.end(ctx, data.Err)
}

// TraceBatchStart implements pgx.BatchTracer.
func (w *Watch) TraceBatchStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchStartData) context.Context {
	return w.start(ctx, "BATCH", true, []attribute.KeyValue{attribute.String("db.operation.name", "BATCH")},
		attribute.Int("db.operation.batch.size", data.Batch.Len()))
}

// TraceBatchQuery implements pgx.BatchTracer. The queries of a batch are one span.
func (w *Watch) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}

// TraceBatchEnd implements pgx.BatchTracer.
func (w *Watch) TraceBatchEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceBatchEndData) {
	w.end(ctx, data.Err)
}

// TraceCopyFromStart implements pgx.CopyFromTracer.
func (w *Watch) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromStartData) context.Context {
	q := sqlsummary.Summary{Operation: "COPY", Collection: data.TableName.Sanitize()}
	return w.start(ctx, q.Name(system), true, about(q))
}

// TraceCopyFromEnd implements pgx.CopyFromTracer.
func (w *Watch) TraceCopyFromEnd(ctx context.Context, _ *pgx.Conn, data pgx.TraceCopyFromEndData) {
	w.end(ctx, data.Err)
}

// TracePrepareStart implements pgx.PrepareTracer.
func (w *Watch) TracePrepareStart(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareStartData) context.Context {
	q := sqlsummary.Read(system, data.SQL)
	return w.start(ctx, "PREPARE "+q.Name(system), false, nil, attribute.String("db.query.text", q.Text))
}

// TracePrepareEnd implements pgx.PrepareTracer.
func (w *Watch) TracePrepareEnd(ctx context.Context, _ *pgx.Conn, data pgx.TracePrepareEndData) {
	w.end(ctx, data.Err)
}

// TraceConnectStart implements pgx.ConnectTracer.
func (w *Watch) TraceConnectStart(ctx context.Context, data pgx.TraceConnectStartData) context.Context {
	return w.start(ctx, "CONNECT", false, nil, attribute.String("db.namespace", data.ConnConfig.Database),
		attribute.String("server.address", data.ConnConfig.Host), attribute.Int("server.port", int(data.ConnConfig.Port)))
}

// TraceConnectEnd implements pgx.ConnectTracer.
func (w *Watch) TraceConnectEnd(ctx context.Context, data pgx.TraceConnectEndData) {
	w.end(ctx, data.Err)
}
