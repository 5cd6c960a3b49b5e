package stdlibtest

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestNetworkIsSilentFromAnyMessageOn(t *testing.T) {
	dbtest.Silent{
		At:     dbtest.TrustingPostgres(t),
		Frames: faultproxy.Postgres,
		Open: func(ctx context.Context, at testserver.Target, _ time.Duration, opts ...db.Option) (*db.Engine, func() error, error) {
			pool, err := sql.Open("pgx", at.URL())
			if err != nil {
				return nil, nil, err
			}
			e, err := postgres.OpenDB(ctx, pool, opts...)
			if err != nil {
				_ = pool.Close()
			}
			return e, pool.Close, err
		},
	}.Test(t)
}
