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

func open(t testing.TB, ctx context.Context, url string, opts ...db.Option) (*db.Engine, error) {
	pool, err := sql.Open("pgx", url)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	return postgres.OpenDB(ctx, pool, opts...)
}

func TestConformance(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	s := dbtest.Postgres(t, at, open)
	s.CancelKeepsConn = false
	s.Lacks = map[string]string{"URL": "the Engine is opened on a *sql.DB"}
	dbconform.Run(t, s)
}

func TestValuesOfPostgreSQLAlone(t *testing.T) {
	url := dbtest.PostgresURL(testserver.Postgres(t).Database(t))
	dbtest.PostgresValues(t, true, func(t testing.TB, ctx context.Context) *db.Engine {
		e, err := open(t, ctx, url)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close(context.Background())) })
		return e
	})
}
