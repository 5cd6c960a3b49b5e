package oteltest

import (
	"context"
	"testing"
	"time"

	"github.com/exaring/otelpgx"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// The adapter that was made for pgx records a span for each query, batch, COPY, preparation and
// connection, below that of the caller, in a goroutine and in a task.
func TestSpans(t *testing.T) {
	srv := testserver.Postgres(t)
	t.Run("goroutine", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		spans(t, ctx, srv)
	})
	t.Run("loop", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
			_, err := repaint.Await(ctx, repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
				spans(t, ctx, srv)
				return 0, nil
			}))
			return err
		}))
	})
}

func spans(t *testing.T, ctx context.Context, srv *testserver.Server) {
	exporter := tracetest.NewInMemoryExporter()
	provider := trace.NewTracerProvider(trace.WithSyncer(exporter))
	tracer := provider.Tracer("test")
	config, err := pg.ParseConfig(srv.Database(t).URL() + "&pool_lanes=1&pool_sessions=1")
	require.NoError(t, err)
	config.Tracer = otelpgx.NewTracer(otelpgx.WithTracerProvider(provider), otelpgx.WithFullSQLInSpanName(), otelpgx.WithQuerySpanNamePrefix())
	whole, database := tracer.Start(ctx, "database")
	config.Context = whole
	db, err := pg.OpenConfig(config)
	require.NoError(t, err)

	ctx, request := tracer.Start(ctx, "request")
	_, err = db.Exec(ctx, "create table t (id int)")
	require.NoError(t, err)
	_, err = db.Exec(ctx, "insert into t values ($1), ($2)", 1, 2)
	require.NoError(t, err)
	require.Error(t, db.QueryRow(ctx, "select 1 / $1::int", 0).Scan(new(int)))
	b := new(pgx.Batch)
	b.Queue("select 'one'")
	b.Queue("select 'two'")
	require.NoError(t, db.SendBatch(ctx, b).Close())
	_, err = db.CopyFrom(ctx, pgx.Identifier{"t"}, []string{"id"}, pgx.CopyFromRows([][]any{{3}, {4}, {5}}))
	require.NoError(t, err)
	rows, err := db.Stream(ctx, "select id from t")
	require.NoError(t, err)
	for rows.Next() {
	}
	s, err := db.Acquire(ctx)
	require.NoError(t, err)
	_, err = s.Prepare(ctx, "mine", "select 'prepared'")
	require.NoError(t, err)
	s.Release()
	require.NoError(t, pgx.BeginFunc(ctx, db, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "delete from t")
		return err
	}))
	request.End()
	require.NoError(t, db.Close(ctx))
	database.End()

	found := map[string][]tracetest.SpanStub{}
	for _, span := range exporter.GetSpans() {
		found[span.Name] = append(found[span.Name], span)
	}
	rowsOf := func(span tracetest.SpanStub) int64 {
		for _, a := range span.Attributes {
			if a.Key == otelpgx.RowsAffectedKey {
				return a.Value.AsInt64()
			}
		}
		return -1
	}
	below := func(parent, name string) tracetest.SpanStub {
		t.Helper()
		require.NotEmpty(t, found[name], "a span %q among %v", name, found)
		require.Equal(t, found[parent][0].SpanContext.SpanID(), found[name][0].Parent.SpanID(), name)
		require.False(t, found[name][0].EndTime.Before(found[name][0].StartTime))
		return found[name][0]
	}
	below("request", "query create table t (id int)")
	require.EqualValues(t, 2, rowsOf(below("request", "query insert into t values ($1), ($2)")))
	failed := below("request", "query select 1 / $1::int")
	require.Equal(t, codes.Error, failed.Status.Code)
	require.Contains(t, failed.Status.Description, "division by zero")
	require.Contains(t, failed.Attributes, attribute.String("db.query.text", "select 1 / $1::int"))
	batch := below("request", "batch start")
	require.Contains(t, batch.Attributes, attribute.Int("db.operation.batch.size", 2))
	below("batch start", "batch query select 'one'")
	below("batch start", "batch query select 'two'")
	require.EqualValues(t, 3, rowsOf(below("request", `copy_from "t"`)))
	require.EqualValues(t, 5, rowsOf(below("request", "query select id from t")))
	below("request", "prepare select 'prepared'")
	require.EqualValues(t, 5, rowsOf(below("request", "query delete from t")))
	connect := below("database", "connect")
	require.Contains(t, connect.Attributes, attribute.String("server.address", srv.Host))
	require.Len(t, found["connect"], 2, "a lane and a session")
	for name, all := range found {
		for _, span := range all {
			for _, a := range span.Attributes {
				require.NotContains(t, a.Value.Emit(), srv.Password+"@", name)
			}
		}
	}
}
