package otel_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/otel"
	_ "github.com/seed1239206e/repaint/db/sqlite"
)

// bothColours runs a test in a goroutine, and in a task of a loop.
func bothColours(t *testing.T, fn func(t *testing.T, ctx context.Context)) {
	t.Run("goroutine", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		fn(t, ctx)
	})
	t.Run("loop", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				fn(t, ctx)
				return 0, nil
			}))
			return err
		}))
	})
}

// Each statement is a span below its caller's span, without values, and its duration is measured.
func TestTracesAndMetrics(t *testing.T) {
	bothColours(t, func(t *testing.T, ctx context.Context) {
		spans := tracetest.NewInMemoryExporter()
		traces := trace.NewTracerProvider(trace.WithSyncer(spans))
		reader := metric.NewManualReader()
		watch, err := otel.New("sqlite", otel.Traces(traces), otel.Metrics(metric.NewMeterProvider(metric.WithReader(reader))))
		require.NoError(t, err)
		engine, err := db.Open(ctx, "sqlite://", watch.Option())
		require.NoError(t, err)
		defer func() { require.NoError(t, engine.Close(ctx)) }()
		stop, err := watch.Pool(engine, "main")
		require.NoError(t, err)

		in, request := traces.Tracer("test").Start(ctx, "request")
		_, err = engine.Exec(in, "create table users (id integer, name text unique)")
		require.NoError(t, err)
		_, err = engine.Exec(in, "insert into users values (42, 'ada') -- ada, again")
		require.NoError(t, err)
		rows, err := engine.Query(in, "select name from users where id = :id", db.Named("id", 42))
		require.NoError(t, err)
		rows.Close()
		_, err = engine.Exec(in, "insert into users values (43, 'ada')")
		require.ErrorIs(t, err, db.ErrUnique)
		request.End()

		all := spans.GetSpans()
		require.Len(t, all, 5)
		require.Equal(t, "INSERT users", all[1].Name)
		require.Equal(t, request.SpanContext().SpanID(), all[1].Parent.SpanID())
		require.Subset(t, all[1].Attributes, []attribute.KeyValue{
			attribute.String("db.system.name", "sqlite"),
			attribute.String("db.operation.name", "INSERT"),
			attribute.String("db.collection.name", "users"),
			attribute.String("db.query.text", "insert into users values (?, ?)"),
		})
		require.Equal(t, "SELECT users", all[2].Name)
		require.Contains(t, all[2].Attributes, attribute.String("db.query.text", "select name from users where id = :id"))
		require.Contains(t, all[2].Attributes, attribute.Int("db.response.returned_rows", 1))
		require.Equal(t, codes.Error, all[3].Status.Code)
		require.Equal(t, "SQLITE_CONSTRAINT_UNIQUE (2067)", all[3].Status.Description)
		for _, span := range all {
			for _, a := range span.Attributes {
				require.NotContains(t, a.Value.String(), "ada")
			}
		}

		var got metricdata.ResourceMetrics
		require.NoError(t, reader.Collect(ctx, &got))
		found := map[string]metricdata.Metrics{}
		for _, m := range got.ScopeMetrics[0].Metrics {
			found[m.Name] = m
		}
		durations := found["db.client.operation.duration"]
		require.Equal(t, "s", durations.Unit)
		var n uint64
		for _, p := range durations.Data.(metricdata.Histogram[float64]).DataPoints {
			n += p.Count
		}
		require.EqualValues(t, 4, n)
		points := found["db.client.connection.count"].Data.(metricdata.Sum[float64]).DataPoints
		require.Len(t, points, 2)
		require.EqualValues(t, engine.Stats().Open, points[0].Value+points[1].Value)
		most := found["db.client.connection.max"].Data.(metricdata.Sum[float64]).DataPoints[0]
		require.EqualValues(t, engine.Stats().MaxOpen, most.Value)
		pool, _ := most.Attributes.Value("db.client.connection.pool.name")
		require.Equal(t, "main", pool.AsString())
		require.Len(t, found["repaint.db.connection.closed"].Data.(metricdata.Sum[float64]).DataPoints, 3)
		require.NoError(t, stop())
	})
}
