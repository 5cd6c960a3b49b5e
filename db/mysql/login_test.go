package mysql_test

import (
	"context"
	"errors"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestBeforeConnectKnowsTheNewPassword(t *testing.T) {
	srv := testserver.MariaDB(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		srv.MustQuery(t, "drop user if exists rotating")
		srv.MustQuery(t, "create user rotating identified by 'first'")
		srv.MustQuery(t, "grant all on *.* to rotating")
		var password atomic.Value
		password.Store("first")
		u := url.URL{Scheme: "mysql", User: url.UserPassword("nobody", "stale"), Host: srv.Addr(), Path: "/" + srv.DBName}
		dbtest.KnowsTheNewPassword(t, ctx, u.String(), &password, func() { srv.MustQuery(t, "alter user rotating identified by 'second'") })

		late := errors.New("no token today")
		_, err := db.Open(ctx, u.String(), db.BeforeConnect(func(context.Context, *db.Login) error { return late }))
		require.ErrorIs(t, err, late)
	})
}

// The health check finds and replaces connections that the server has cut, before a caller uses
// them.
func TestHealthCheckFindsTheDead(t *testing.T) {
	srv := testserver.MariaDB(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, srv.URL(), db.MinConns(1), db.HealthCheck(20*time.Millisecond))
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		id, err := db.Scalar[string](ctx, conn, "select cast(connection_id() as char)")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		before := e.Stats().Connects
		srv.MustQuery(t, "kill "+id)
		dbtest.Until(ctx, func() bool { s := e.Stats(); return s.Discarded > 0 && s.Connects > before && s.Idle > 0 })
		require.NoError(t, ctx.Err(), "%+v", e.Stats())
	})
}
