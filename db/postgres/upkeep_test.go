package postgres_test

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
	"github.com/seed1239206e/repaint/pg"
)

// The options of the pool apply to lanes, too.
func TestPoolOptionsHoldForLanes(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, at.URL()+"&pool_lanes=3&pool_min_lanes=2&max_lifetime=3600&pool_max_conn_lifetime_jitter=1m&pool_max_conn_idle_time=30s&pool_health_check_period=1s")
		config := e.Driver().(*pg.DB).Config()
		require.Equal(t, time.Hour, config.MaxConnLifetime)
		require.Equal(t, time.Minute, config.MaxConnLifetimeJitter)
		require.Equal(t, 30*time.Second, config.MaxConnIdleTime)
		require.Equal(t, time.Second, config.HealthCheckPeriod)
		require.Equal(t, 2, config.MinLanes)

		e = dbtest.Open(t, ctx, at.URL(), db.MaxIdleTime(time.Minute))
		require.Equal(t, time.Minute, e.Driver().(*pg.DB).Config().MaxConnIdleTime)
	})
}

// The health check finds and replaces connections that the server has cut, before a caller uses
// them.
func TestHealthCheckFindsTheDead(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, at.URL()+"&application_name=warm-"+c.Name, db.MinConns(1), db.HealthCheck(20*time.Millisecond))
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		pid, err := db.Scalar[string](ctx, conn, "select cast(pg_backend_pid() as text)")
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		at.MustQuery(t, "select pg_terminate_backend("+pid+")")
		others := "select count(*) from pg_stat_activity where application_name = 'warm-" + c.Name + "' and pid <> " + pid
		dbtest.Until(ctx, func() bool { return at.MustQuery(t, others) == "1" })
		require.NoError(t, ctx.Err(), "%+v", e.Stats())
	})
}

// Reset replaces the lanes, too.
func TestResetReplacesLanes(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, at.URL()+"&pool_lanes=1")
		pid := func() int {
			pid, err := db.Scalar[int](ctx, e, "select pg_backend_pid()")
			require.NoError(t, err)
			return pid
		}
		old := pid()
		e.Reset()
		dbtest.Until(ctx, func() bool { return pid() != old })
		require.NoError(t, ctx.Err())
	})
}

func TestBeforeConnectKnowsTheNewPassword(t *testing.T) {
	srv := testserver.Postgres(t, testserver.HBA("local all all trust", "host all rotating 127.0.0.1/32 scram-sha-256"))
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		srv.MustQuery(t, "drop role if exists rotating; create role rotating login password 'first'")
		var password atomic.Value
		password.Store("first")
		u := url.URL{Scheme: "postgres", User: url.UserPassword("nobody", "stale"), Host: srv.Addr(), Path: "/" + srv.DBName, RawQuery: "sslmode=disable"}
		dbtest.KnowsTheNewPassword(t, ctx, u.String(), &password, func() { srv.MustQuery(t, "alter role rotating password 'second'") })

		late := errors.New("no token today")
		_, err := db.Open(ctx, u.String(), db.BeforeConnect(func(context.Context, *db.Login) error { return late }))
		require.ErrorIs(t, err, late)
	})
}
