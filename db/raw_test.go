package db_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/db/sqlite"
)

func TestRawIsTheDriversConnection(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		insert := func(ctx context.Context, conn any) error {
			stmt, err := conn.(driver.Conn).Prepare("insert into items(value) values ('raw')")
			if err != nil {
				return err
			}
			_, err = stmt.(driver.StmtExecContext).ExecContext(ctx, nil)
			return errors.Join(err, stmt.Close())
		}
		count := func(q db.Querier) int {
			n, err := db.Scalar[int](ctx, q, "select count(*) from items")
			require.NoError(t, err)
			return n
		}
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		require.NoError(t, conn.Raw(ctx, insert))
		require.Equal(t, 1, count(conn))
		require.NoError(t, conn.Begin(ctx, func(ctx context.Context, tx *db.Tx) error {
			require.ErrorIs(t, conn.Raw(ctx, insert), db.ErrMisuse)
			return tx.Raw(ctx, insert)
		}))
		gone := errors.New("gone")
		require.ErrorIs(t, e.Begin(ctx, func(ctx context.Context, tx *db.Tx) error {
			require.NoError(t, tx.Raw(ctx, insert))
			require.Equal(t, 3, count(tx))
			require.ErrorIs(t, tx.Raw(ctx, func(context.Context, any) error { return gone }), gone)
			require.Equal(t, 3, count(tx))
			return gone
		}), gone)
		require.Equal(t, 2, count(conn))
		before := e.Stats().Open
		require.NoError(t, conn.Close())
		require.Equal(t, before-1, e.Stats().Open, "nobody knows what is left behind in it")
		require.ErrorIs(t, conn.Raw(ctx, insert), db.ErrClosed)
		_, ok := e.Driver().(driver.Connector)
		require.True(t, ok)
	})
}

func TestDriverIsWhatWasOpened(t *testing.T) {
	pool, err := sql.Open("sqlite", "file:"+t.TempDir()+"/test.db")
	require.NoError(t, err)
	defer pool.Close()
	ctx := context.Background()
	e, err := sqlite.OpenDB(ctx, pool)
	require.NoError(t, err)
	defer e.Close(ctx)
	require.Same(t, pool, e.Driver())
	fake := &dbtest.Fake{}
	f := dbtest.Open(t, ctx, fake.Register())
	require.Nil(t, f.Driver())
	conn, err := f.Connect(ctx)
	require.NoError(t, err)
	defer conn.Close()
	require.ErrorIs(t, conn.Raw(ctx, func(context.Context, any) error { return nil }), db.ErrUnsupported)
}
