package otel_test

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/otel"
)

// Options say where spans and figures go. Without them, that is OpenTelemetry's global providers.
func ExampleOption() {
	spans, figures := trace.NewTracerProvider(), metric.NewMeterProvider()
	opts := []otel.Option{otel.Traces(spans), otel.Metrics(figures)}
	watch, err := otel.New(opts...)
	fmt.Println(watch != nil, err)
	// Output: true <nil>
}

// A Watch is the Config.Tracer of a DB, which tells it of each statement.
func ExampleWatch() {
	spans := tracetest.NewInMemoryExporter()
	watch, err := otel.New(otel.Traces(trace.NewTracerProvider(trace.WithSyncer(spans))))
	if err != nil {
		fmt.Println(err)
		return
	}
	config, err := pg.ParseConfig("postgres://me@127.0.0.1:1/app?sslmode=disable")
	if err != nil {
		fmt.Println(err)
		return
	}
	config.Tracer = watch
	conn, err := pg.OpenConfig(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "select 1", pgx.QueryExecModeExec) // no server is there
	fmt.Println(err != nil, len(spans.GetSpans()) > 0)
	// Output: true true
}

// figures is a Source: it adds up what two DBs have done.
type figures []otel.Source

func (f figures) Stats() (sum pg.Stats) {
	for _, of := range f {
		s := of.Stats()
		sum.Statements += s.Statements
		sum.Sessions += s.Sessions
	}
	return sum
}

// done is the Source of a DB that has run some statements.
type done int64

func (d done) Stats() pg.Stats { return pg.Stats{Statements: uint64(d)} }

// A *pg.DB and a *pg.Reader are Sources. So is a sum over several DBs.
func ExampleSource() {
	ctx := context.Background()
	reader := metric.NewManualReader()
	watch, err := otel.New(otel.Metrics(metric.NewMeterProvider(metric.WithReader(reader))))
	if err != nil {
		fmt.Println(err)
		return
	}
	stop, err := watch.Pool(figures{done(3), done(4)}, "shards")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	var read metricdata.ResourceMetrics
	err = reader.Collect(ctx, &read)
	fmt.Println(len(read.ScopeMetrics), err)
	// Output: 1 <nil>
}
