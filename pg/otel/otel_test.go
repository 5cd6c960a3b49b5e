package otel_test

import (
	"context"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/otel"
)

func TestMain(m *testing.M) { testserver.Main(m) }

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
			fn(t, ctx)
			return nil
		}))
	})
}

func TestTracesAndMetrics(t *testing.T) {
	srv := testserver.Postgres(t)
	bothColours(t, func(t *testing.T, ctx context.Context) {
		exporter := tracetest.NewInMemoryExporter()
		traces := trace.NewTracerProvider(trace.WithSyncer(exporter))
		reader := metric.NewManualReader()
		watch, err := otel.New(otel.Traces(traces), otel.Metrics(metric.NewMeterProvider(metric.WithReader(reader))))
		require.NoError(t, err)
		config, err := pg.ParseConfig(srv.Database(t).URL() + "&pool_lanes=2&pool_sessions=3")
		require.NoError(t, err)
		config.Tracer = watch
		conn, err := pg.OpenConfig(config)
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close(ctx)) }()
		stop, err := watch.Pool(conn, "main")
		require.NoError(t, err)
		defer func() { require.NoError(t, stop()) }()

		in, request := traces.Tracer("test").Start(ctx, "request")
		_, err = conn.Exec(in, "create table users (id int primary key, name text)")
		require.NoError(t, err)
		_, err = conn.Exec(in, "insert into users values ($1, 'ada') -- ada", 42)
		require.NoError(t, err)
		var name string
		require.NoError(t, conn.QueryRow(in, "select name from users where id = $1", 42).Scan(&name))
		_, err = conn.Exec(in, "insert into users values ($1, 'ada')", 42)
		require.Error(t, err)
		b := new(pgx.Batch)
		b.Queue("select 1")
		b.Queue("select 2")
		require.NoError(t, conn.SendBatch(in, b).Close())
		_, err = conn.CopyFrom(in, pgx.Identifier{"users"}, []string{"id", "name"}, pgx.CopyFromRows([][]any{{1, "ada"}}))
		require.NoError(t, err)
		s, err := conn.Acquire(in)
		require.NoError(t, err)
		_, err = s.Prepare(in, "mine", "select 'ada'")
		require.NoError(t, err)
		s.Release()
		request.End()

		spans := map[string]tracetest.SpanStub{}
		var inserts []tracetest.SpanStub
		for _, span := range exporter.GetSpans() {
			spans[span.Name] = span
			if span.Name == "INSERT users" {
				inserts = append(inserts, span)
			}
			for _, a := range span.Attributes {
				require.NotContains(t, a.Value.String(), "ada")
			}
			require.NotContains(t, span.Status.Description, "ada")
		}
		require.Len(t, inserts, 2)
		require.Equal(t, request.SpanContext().SpanID(), inserts[0].Parent.SpanID())
		require.Subset(t, inserts[0].Attributes, []attribute.KeyValue{
			attribute.String("db.system.name", "postgresql"),
			attribute.String("db.operation.name", "INSERT"),
			attribute.String("db.collection.name", "users"),
			attribute.String("db.query.text", "insert into users values ($1, ?)"),
		})
		require.Contains(t, inserts[1].Attributes, attribute.String("error.type", "23505"))
		require.Contains(t, inserts[1].Attributes, attribute.String("db.response.status_code", "23505"))
		require.Contains(t, spans["SELECT users"].Attributes, attribute.Int64("db.response.returned_rows", 1))
		require.Contains(t, spans["BATCH"].Attributes, attribute.Int("db.operation.batch.size", 2))
		require.Contains(t, spans, `COPY "users"`)
		require.Contains(t, spans, "PREPARE SELECT")
		require.Contains(t, spans, "CONNECT")

		tx, err := conn.Begin(ctx)
		require.NoError(t, err)
		var got metricdata.ResourceMetrics
		require.NoError(t, reader.Collect(ctx, &got))
		require.NoError(t, tx.Rollback(ctx))
		values := map[string]float64{}
		var durations uint64
		for _, m := range got.ScopeMetrics[0].Metrics {
			switch data := m.Data.(type) {
			case metricdata.Sum[float64]:
				for _, p := range data.DataPoints {
					pool, _ := p.Attributes.Value("db.client.connection.pool.name")
					require.Equal(t, "main", pool.AsString())
					state, _ := p.Attributes.Value("db.client.connection.state")
					values[m.Name+state.AsString()] = p.Value
				}
			case metricdata.Histogram[float64]:
				require.Equal(t, "s", m.Unit)
				for _, p := range data.DataPoints {
					durations += p.Count
				}
			}
		}
		require.EqualValues(t, 1, values["db.client.connection.countused"])
		require.EqualValues(t, 3, values["db.client.connection.max"])
		require.EqualValues(t, 2, values["repaint.pg.lane.max"])
		require.Positive(t, values["repaint.pg.lane.count"])
		require.Positive(t, values["repaint.pg.statement.syncs"])
		require.EqualValues(t, conn.Stats().Statements, values["repaint.pg.statement.submitted"])
		require.GreaterOrEqual(t, durations, uint64(6), "statements, the batch and the COPY")
	})
}
