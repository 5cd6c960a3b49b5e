package otel_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/otel"
)

func ExampleWatch() {
	ctx := context.Background()
	spans := tracetest.NewInMemoryExporter()
	opts := []otel.Option{otel.Traces(trace.NewTracerProvider(trace.WithSyncer(spans)))}
	watch, err := otel.New("sqlite", opts...)
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := db.Open(ctx, "sqlite://", watch.Option())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	_, err = db.Scalar[int](ctx, engine, "select 1")
	fmt.Println(len(spans.GetSpans()), err)
	// Output: 1 <nil>
}

// Options say where spans and figures go. Without them, that is OpenTelemetry's global providers.
func ExampleOption() {
	spans, figures := trace.NewTracerProvider(), metric.NewMeterProvider()
	opts := []otel.Option{otel.Traces(spans), otel.Metrics(figures)}
	watch, err := otel.New("sqlite", opts...)
	fmt.Println(watch != nil, err)
	// Output: true <nil>
}

func ExampleWatch_Pool() {
	ctx := context.Background()
	figures := metric.NewManualReader() // a program has a periodic one
	watch, err := otel.New("sqlite", otel.Metrics(metric.NewMeterProvider(metric.WithReader(figures))))
	if err != nil {
		fmt.Println(err)
		return
	}
	engine, err := db.Open(ctx, "sqlite://", watch.Option())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer engine.Close(ctx)
	stop, err := watch.Pool(engine, "main")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	var collected metricdata.ResourceMetrics
	err = figures.Collect(ctx, &collected)
	for _, m := range collected.ScopeMetrics[0].Metrics {
		if m.Name == "db.client.connection.max" {
			fmt.Println(m.Name, m.Unit, err)
		}
	}
	// Output: db.client.connection.max {connection} <nil>
}
