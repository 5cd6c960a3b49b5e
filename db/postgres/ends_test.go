package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestConnectionsThatEndAtTheMomentOfUse(t *testing.T) {
	target := testserver.Postgres(t).Database(t)
	for name, url := range map[string]string{"pg": target.URL(), "pipeline=off": target.URL() + "&pipeline=off"} {
		t.Run(name, func(t *testing.T) {
			dbtest.Ends{
				At: target,
				Open: func(t testing.TB, ctx context.Context, opts ...db.Option) *db.Engine {
					e, err := db.Open(ctx, url, opts...)
					require.NoError(t, err)
					return e
				},
				All: func(t testing.TB) { target.MustQuery(t, dbtest.EndBackends) },
			}.Test(t)
		})
	}
}

func TestIdleSessionTimeoutAtTheMomentOfUse(t *testing.T) {
	target := testserver.Postgres(t).Database(t)
	dbtest.Ends{
		At: target,
		Open: func(t testing.TB, ctx context.Context, opts ...db.Option) *db.Engine {
			e, err := db.Open(ctx, target.URL()+"&idle_session_timeout=400", opts...)
			require.NoError(t, err)
			return e
		},
	}.TestSpread(t, 400*time.Millisecond, 2)
}
