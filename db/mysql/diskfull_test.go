package mysql_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestAFullTableIsADiskFull(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, _ dbtest.Colour) {
		e := dbtest.Open(t, ctx, server.Database(t).URL())
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		dbtest.Exec(t, ctx, conn, "set session max_heap_table_size = 16384", "create table t (v char(250)) engine = memory")
		for err == nil {
			_, err = conn.Exec(ctx, "insert into t values ('x'), ('x'), ('x'), ('x'), ('x'), ('x'), ('x'), ('x'), ('x'), ('x')")
		}
		require.ErrorIs(t, err, db.ErrDiskFull)
	})
}
