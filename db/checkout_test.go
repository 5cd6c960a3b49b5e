package db_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// forget checks out a connection and never gives it back.
func forget(t *testing.T, ctx context.Context, e *db.Engine, what string) {
	switch what {
	case "a connection":
		_, err := e.Connect(ctx)
		require.NoError(t, err)
	case "a transaction":
		tx, err := e.BeginTx(ctx)
		require.NoError(t, err)
		dbtest.Exec(t, ctx, tx, "insert into items(value) values ('x')")
	case "a stream":
		rows, err := e.Stream(ctx, "select 1 union select 2")
		require.NoError(t, err)
		require.True(t, rows.Next())
	}
}

func TestWhatIsForgottenIsFoundReportedAndReplaced(t *testing.T) {
	for _, what := range []string{"a connection", "a transaction", "a stream"} {
		t.Run(what, func(t *testing.T) {
			leaks := make(chan db.Leak, 100)
			dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
				dbtest.Items(t, ctx, e, e)
				forget(t, ctx, e, what)
				for e.Stats().Leaked == 0 || e.Stats().InUse > 0 {
					runtime.GC()
					_ = repaint.Sleep(ctx, 0)
				}
				leak := <-leaks
				require.True(t, leak.Collected)
				require.Contains(t, leak.Stack(), "db_test.forget")
				requireItems(t, ctx, e, 0, "it was rolled back")
				require.NoError(t, addAndSelectPlain(ctx, e))
			}, db.ReportLeaks(time.Hour, func(l db.Leak) { leaks <- l }), db.PoolSize(1), db.MaxOverflow(0))
		})
	}
}

func addAndSelectPlain(ctx context.Context, e *db.Engine) error {
	_, err := e.Exec(ctx, "insert into items(value) values ('y')")
	return err
}

func TestPrePingReplacesWhatDoesntAnswer(t *testing.T) {
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		at := server.Database(t)
		proxy := faultproxy.New(t, at.Addr())
		at.Host, at.Port = proxy.Host(), proxy.Port()
		e := dbtest.Open(t, ctx, at.URL()+"?pre_ping=0")
		hold := func() (conns []*db.Conn) {
			for range 3 {
				conn, err := e.Connect(ctx)
				require.NoError(t, err)
				conns = append(conns, conn)
			}
			return conns
		}
		for _, conn := range hold() {
			require.NoError(t, conn.Close())
		}
		require.EqualValues(t, 3, e.Stats().Connects)
		proxy.Cut()
		for _, conn := range hold() {
			_, err := conn.Exec(ctx, "select 1")
			require.NoError(t, err)
			require.NoError(t, conn.Close())
		}
		require.EqualValues(t, 6, e.Stats().Connects, "one was asked, and the others of its time are replaced with it")
		require.NoError(t, c.Together(ctx, 20, func(ctx context.Context, i int) error {
			_, err := e.Exec(ctx, "select 1")
			return err
		}))
	})
}

func TestInvalidateReplacesConnections(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		before := e.Stats().Connects
		conn, err = e.Connect(ctx)
		require.NoError(t, err)
		e.Invalidate()
		_, err = conn.Exec(ctx, "select 1")
		require.NoError(t, err, "who has one goes on with it")
		require.NoError(t, conn.Close())
		conn, err = e.Connect(ctx)
		require.NoError(t, err)
		require.Equal(t, before+1, e.Stats().Connects)
		conn.Invalidate()
		_, err = conn.Exec(ctx, "select 1")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		conn, err = e.Connect(ctx)
		require.NoError(t, err)
		require.Equal(t, before+2, e.Stats().Connects)
		require.NoError(t, conn.Close())
	})
}
