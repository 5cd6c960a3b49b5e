package postgres_test

import (
	"context"
	"testing"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	_ "github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestConformance(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	s := dbtest.Postgres(t, at, func(t testing.TB, ctx context.Context, url string, opts ...db.Option) (*db.Engine, error) {
		return db.Open(ctx, url+"&pool_lanes=3", opts...)
	})
	s.Network = func(t testing.TB, ctx context.Context, opts ...db.Option) (*db.Engine, dbconform.Network, error) {
		over, network := dbtest.Network(t, at)
		e, err := db.Open(ctx, over.URL()+"&cancel_timeout=200ms", opts...)
		return e, network, err
	}
	s.URL = dbtest.PostgresURL(at) + "&pool_lanes=3"
	dbconform.Run(t, s)
}
