package mysql_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/mysql"
)

// openDB opens an Engine on database/sql. Both are closed at the end of the test.
func openDB(t *testing.T, ctx context.Context, dsn string) *db.Engine {
	t.Helper()
	pool, err := sql.Open("mysql", dsn)
	require.NoError(t, err)
	e, err := mysql.OpenDB(ctx, pool)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, e.Close(context.Background()))
		require.NoError(t, pool.Close())
	})
	return e
}
