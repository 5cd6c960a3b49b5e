package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestNetworkIsSilentFromAnyMessageOn(t *testing.T) {
	dbtest.Silent{
		At:     dbtest.TrustingPostgres(t),
		Frames: faultproxy.Postgres,
		Open: func(ctx context.Context, at testserver.Target, patience time.Duration, opts ...db.Option) (*db.Engine, func() error, error) {
			e, err := db.Open(ctx, at.URL()+"&cancel_timeout="+patience.String(), opts...)
			return e, nil, err
		},
	}.Test(t)
}
