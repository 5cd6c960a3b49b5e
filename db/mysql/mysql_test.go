package mysql_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// onMariaDB runs a test on a new database, in both colours.
func onMariaDB(t *testing.T, fn func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour), opts ...db.Option) {
	t.Helper()
	server := testserver.MariaDB(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		fn(t, ctx, dbtest.Open(t, ctx, server.Database(t).URL(), opts...), c)
	})
}

func TestInsertAndSelect(t *testing.T) {
	onMariaDB(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		require.NoError(t, c.Together(ctx, 100, func(ctx context.Context, i int) error {
			id, err := db.Scalar[int64](ctx, e, "insert into items(value) values (:v) returning id", db.Named("v", "x"))
			if err != nil {
				return err
			}
			_, err = db.Scalar[string](ctx, e, "select value from items where id = :id", db.Named("id", id))
			return err
		}))
	})
}
