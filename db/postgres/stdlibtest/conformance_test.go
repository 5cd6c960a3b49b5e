package stdlibtest

import (
	"context"
	"database/sql"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/dbconform"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

func TestConformance(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	s := dbtest.Postgres(t, at, func(t testing.TB, ctx context.Context, url string, opts ...db.Option) (*db.Engine, error) {
		pool, err := sql.Open("pgx", url)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, pool.Close()) })
		return postgres.OpenDB(ctx, pool, opts...)
	})
	s.CancelKeepsConn = false
	s.Lacks = map[string]string{"URL": "the Engine is opened on a *sql.DB"}
	dbconform.Run(t, s)
}
