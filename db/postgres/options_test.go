package postgres_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestOptionsOfOthersAreRefusedWithAdvice(t *testing.T) {
	for option, advice := range map[string]string{
		"pool_max_conns": "write pool_size", "pool_sessions": "write pool_size", "pool_min_sessions": "write pool_min_conns",
		"pool_ping_timeout": "write pre_ping", "pool_lane": "is pool_lanes meant", "pool_sise": "is pool_size meant", "geqo": "options=-c geqo=",
	} {
		_, err := db.Open(context.Background(), "postgres://u@localhost/d?"+option+"=1")
		require.ErrorIs(t, err, db.ErrUnknownOption, option)
		require.ErrorContains(t, err, option)
		require.ErrorContains(t, err, advice, option)
	}
}

func TestStatsHaveTheLanes(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, at.URL()+"&pool_lanes=3&pool_size=2&max_overflow=0")
		_, err := e.Exec(ctx, "select 1")
		require.NoError(t, err)
		s := e.Stats()
		require.Equal(t, 3, s.Lanes.Max)
		require.GreaterOrEqual(t, s.Lanes.Open, 1)
		require.LessOrEqual(t, s.Lanes.Open, 3)
		require.Zero(t, s.Lanes.Running+s.Lanes.Waiting)
		require.Equal(t, 2, s.MaxOpen)
	})
}
