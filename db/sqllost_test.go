package db_test

import (
	"context"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// On driver.ErrBadConn, database/sql would close the sql.Conn, and wait for its rows.
func TestALostConnWithRowsOpenInSQL(t *testing.T) {
	lose := func(t *testing.T, ctx context.Context) {
		e, err := db.Open(ctx, testserver.Postgres(t).Database(t).URL())
		require.NoError(t, err)
		defer e.Close(context.Background())
		conn, err := e.SQL().Conn(ctx)
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.ExecContext(ctx, "set application_name = 'mine'")
		require.NoError(t, err)
		var pid int
		require.NoError(t, conn.QueryRowContext(ctx, "select pg_backend_pid()").Scan(&pid))
		rows, err := conn.QueryContext(ctx, "select generate_series(1, 3)")
		require.NoError(t, err)
		defer rows.Close()
		require.True(t, rows.Next())
		_, err = e.SQL().ExecContext(ctx, "select pg_terminate_backend($1)", pid)
		require.NoError(t, err)
		for left := 1; left > 0; {
			require.NoError(t, e.SQL().QueryRowContext(ctx, "select count(*) from pg_stat_activity where pid = $1", pid).Scan(&left))
		}
		for range 2 {
			_, err = conn.ExecContext(ctx, "select 1")
			require.NotErrorIs(t, err, driver.ErrBadConn)
			var lost *db.Error
			require.ErrorAs(t, err, &lost)
			_, err = conn.QueryContext(ctx, "select 1")
			require.ErrorAs(t, err, &lost)
		}
		require.NoError(t, ctx.Err())
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	t.Run("goroutine", func(t *testing.T) { lose(t, ctx) })
	t.Run("loop", func(t *testing.T) {
		require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error { lose(t, ctx); return nil }))
	})
}
