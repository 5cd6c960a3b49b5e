package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/greenlet"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// A greenlet that is killed during a statement takes its connection with it, and the next greenlet
// gets another.
func TestAKilledGreenletCostsOneConnection(t *testing.T) {
	server := testserver.Postgres(t)
	leakcheck.Test(t)
	ctx := t.Context()
	e := dbtest.Open(t, ctx, server.Database(t).URL(), db.PoolSize(1), db.MaxOverflow(0))
	require.NoError(t, repaint.Run(ctx, func(ctx context.Context) error {
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		began := make(chan struct{})
		var own *greenlet.Greenlet
		task := repaint.Spawn(ctx, func(ctx context.Context) (int, error) {
			own = greenlet.Current()
			close(began)
			_, err := conn.Exec(ctx, "select pg_sleep(100)")
			return 0, err
		})
		<-began
		running := func() bool {
			n, err := db.Scalar[int](ctx, e, "select count(*) from pg_stat_activity where query = 'select pg_sleep(100)' and state = 'active'")
			require.NoError(t, err)
			return n == 1
		}
		for !running() {
			require.NoError(t, repaint.Sleep(ctx, 0))
		}
		own.Kill()
		_, err = repaint.Await(ctx, task)
		require.Error(t, err)
		for running() {
			require.NoError(t, repaint.Sleep(ctx, 0))
		}
		other, err := e.Connect(ctx)
		require.NoError(t, err)
		require.Equal(t, 1, scalar[int](t, ctx, other, "select 1"))
		return other.Close()
	}))
}
