package stdlibtest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/db/postgres"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// After a single statement, pgx doesn't tell whether it was executed. A transaction begins on
// another connection.
func TestTransactionsOnConnectionsThatEndAtTheMomentOfUse(t *testing.T) {
	target := testserver.Postgres(t).Database(t)
	dbtest.Ends{
		At: target,
		Open: func(t testing.TB, ctx context.Context, opts ...db.Option) *db.Engine {
			pool, err := sql.Open("pgx", target.URL())
			require.NoError(t, err)
			t.Cleanup(func() { _ = pool.Close() }) // Close complains about connections that are gone
			e, err := postgres.OpenDB(ctx, pool, opts...)
			require.NoError(t, err)
			return e
		},
		All:    func(t testing.TB) { target.MustQuery(t, dbtest.EndBackends) },
		OnlyTx: true,
	}.Test(t)
}
