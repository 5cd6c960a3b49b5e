package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestPoolOptionsThatCannotBeMeant(t *testing.T) {
	for options, want := range map[string]string{
		"?pool_max_conn_lifetime_jitter=1s":                   "needs a max_lifetime",
		"?pool_size=2&pool_min_conns=3":                       "pool_min_conns=3 is more than pool_size=2",
		"?pool_size=2&pool_min_idle_conns=3":                  "pool_min_idle_conns=3 is more than pool_size=2",
		"?max_lifetime=1h&pool_max_conn_lifetime=1h":          "are the same",
		"?pool_max_conn_idle_time=soon":                       "the option pool_max_conn_idle_time",
		"?pool_health_check_period=-1s":                       "the option pool_health_check_period",
		"?pool_min_conns=-1":                                  "the option pool_min_conns",
		"?connect_timeout=x":                                  "the option connect_timeout",
		"?pool_max_conn_lifetime=1h&pool_max_conn_idle_tim=1": "is pool_max_conn_idle_time meant?",
	} {
		_, err := db.Open(t.Context(), (&dbtest.Fake{}).Register()+options)
		require.ErrorContains(t, err, want, options)
	}
	for _, o := range []db.Option{db.MaxIdleTime(-1), db.HealthCheck(-1), db.ConnectTimeout(-1), db.MinConns(-1), db.MinIdleConns(-1), db.MaxLifetimeJitter(-1)} {
		_, err := db.Open(t.Context(), (&dbtest.Fake{}).Register(), o)
		require.ErrorIs(t, err, db.ErrMisuse)
	}
	_, err := db.Open(t.Context(), "sqlite://", db.BeforeConnect(func(context.Context, *db.Login) error { return nil }))
	require.ErrorIs(t, err, db.ErrMisuse)
	require.ErrorContains(t, err, "no login")
}

func TestConnectTimeoutIsApartFromTheCallers(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		fake := &dbtest.Fake{OnConnect: func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		}}
		_, err := db.Open(ctx, fake.Register()+"?connect_timeout=10ms")
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "connect_timeout=10ms")
		require.NoError(t, ctx.Err())
	})
}

// After each failed attempt the next one waits longer; the first success ends that.
func TestConnectingBacksOff(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		gone := errors.New("gone")
		down := false
		var at []time.Time
		fake := &dbtest.Fake{OnConnect: func(context.Context) error {
			at = append(at, time.Now())
			if down {
				return gone
			}
			return nil
		}}
		e := dbtest.Open(t, ctx, fake.Register())
		down = true
		e.Invalidate()
		at = nil
		for range 4 {
			_, err := e.Connect(ctx)
			require.ErrorIs(t, err, gone)
		}
		// The pauses are at least half of 20 ms, 40 ms and 80 ms.
		require.GreaterOrEqual(t, at[3].Sub(at[0]), 70*time.Millisecond)
		down = false
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		e.Invalidate()
		conn, err = e.Connect(ctx)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
	})
}
