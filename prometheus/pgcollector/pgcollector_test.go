package pgcollector_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/prometheus/pgcollector"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestFiguresOfADB(t *testing.T) {
	srv := testserver.Postgres(t)
	check := func(t *testing.T, ctx context.Context) error {
		conn, err := pg.Open(srv.Database(t).URL() + "&pool_lanes=2&pool_sessions=3")
		require.NoError(t, err)
		defer func() { require.NoError(t, conn.Close(ctx)) }()
		registry := prometheus.NewPedanticRegistry()
		require.NoError(t, registry.Register(pgcollector.New(conn, "main")))
		require.NoError(t, registry.Register(pgcollector.New(conn.Reader(), "reader")), "beside it")
		require.NoError(t, conn.QueryRow(ctx, "select 1").Scan(new(int)))
		tx, err := conn.Begin(ctx)
		require.NoError(t, err)
		defer func() { require.NoError(t, tx.Rollback(ctx)) }()
		require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
# HELP db_client_connection_count Open sessions
# TYPE db_client_connection_count gauge
db_client_connection_count{pool="main",state="idle"} 0
db_client_connection_count{pool="main",state="used"} 1
db_client_connection_count{pool="reader",state="idle"} 0
db_client_connection_count{pool="reader",state="used"} 0
# HELP repaint_pg_session_acquires_total Callers that asked for a session
# TYPE repaint_pg_session_acquires_total counter
repaint_pg_session_acquires_total{pool="main"} 1
repaint_pg_session_acquires_total{pool="reader"} 0
`), "db_client_connection_count", "repaint_pg_session_acquires_total"))
		return nil
	}
	t.Run("goroutine", func(t *testing.T) { require.NoError(t, check(t, t.Context())) })
	t.Run("loop", func(t *testing.T) {
		require.NoError(t, repaint.Run(t.Context(), func(ctx context.Context) error { return check(t, ctx) }))
	})
}
