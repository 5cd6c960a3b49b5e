package stdlib_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/pg"
	"github.com/seed1239206e/repaint/pg/stdlib"
)

// Code for pgx's stdlib that wants the *pgx.Conn finds one, also next to statements of database/sql.
func TestRawLendsAPgxConn(t *testing.T) {
	bothColours(t, func(t *testing.T, db *door) {
		ctx := db.ctx
		conn, err := db.Conn(ctx)
		require.NoError(t, err)
		var first *pgx.Conn
		for range 2 {
			require.NoError(t, conn.Raw(func(c any) error {
				lent := c.(*stdlib.Conn).Conn()
				require.Same(t, lent, c.(*stdlib.Conn).Conn())
				if first == nil {
					first = lent
				}
				require.Same(t, first, lent)
				_, err := lent.Exec(ctx, "set application_name = 'raw'")
				return err
			}))
			var name string
			require.NoError(t, conn.QueryRowContext(ctx, "show application_name").Scan(&name), "it isn't lent any more")
			require.Equal(t, "raw", name)
		}
		tx, err := conn.BeginTx(ctx, nil)
		require.NoError(t, err)
		require.NoError(t, conn.Raw(func(c any) error {
			_, err := c.(*stdlib.Conn).Pgx(ctx)
			require.ErrorIs(t, err, pg.ErrInUse)
			require.Nil(t, c.(*stdlib.Conn).Conn())
			return nil
		}))
		require.NoError(t, tx.Rollback())
		require.NoError(t, conn.Raw(func(c any) error { // with something left under way
			_, err := c.(*stdlib.Conn).Conn().Exec(ctx, "begin")
			return err
		}))
		require.ErrorContains(t, conn.PingContext(ctx), "left a transaction open")
		require.NoError(t, conn.PingContext(ctx))
		require.NoError(t, conn.Raw(func(c any) error {
			_, err := c.(*stdlib.Conn).Conn().Exec(ctx, "set search_path to pg_catalog")
			return err
		}))
		require.NoError(t, conn.Close(), "while it is lent")
		next, err := db.Conn(ctx)
		require.NoError(t, err)
		defer func() { require.NoError(t, next.Close()) }()
		var path string
		require.NoError(t, next.QueryRowContext(ctx, "show search_path").Scan(&path))
		require.Equal(t, `"$user", public`, path)
	}, func(c *pg.Config) { c.Sessions = 1 })
}
