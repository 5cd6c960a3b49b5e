package otel_test

import (
	"context"
	"fmt"

	"go.opentelemetry.io/otel/sdk/metric"
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
