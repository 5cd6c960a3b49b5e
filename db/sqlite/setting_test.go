package sqlite_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

// Migrators switch foreign keys off through the sql.DB while they rebuild a table: in transactions,
// in single statements and on a sql.Conn. Otherwise dropping the old table would delete the rows
// that refer to it.
func TestASettingThroughTheSQLDBLastsUntilItIsSetBack(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		for _, url := range []string{dbtest.File(t), "sqlite://"} {
			e := dbtest.Open(t, ctx, url, db.PoolSize(2), db.MaxOverflow(0))
			door := e.SQL()
			exec := func(text string) {
				t.Helper()
				_, err := door.ExecContext(ctx, text)
				require.NoError(t, err, text)
			}
			count := func(q interface {
				QueryRowContext(context.Context, string, ...any) *sql.Row
			}, text string) (n int) {
				t.Helper()
				require.NoError(t, q.QueryRowContext(ctx, text).Scan(&n))
				return n
			}
			const enforced = "pragma foreign_keys"
			exec("create table owners (id integer primary key)")
			exec("create table pets (owner integer references owners on delete cascade)")
			exec("insert into owners values (1)")
			exec("insert into pets values (1)")

			exec("PRAGMA foreign_keys = OFF")
			require.Zero(t, count(door, enforced))
			tx, err := door.BeginTx(ctx, nil)
			require.NoError(t, err)
			require.Zero(t, count(tx, enforced))
			for _, text := range []string{"create table new (id integer primary key, age int)", "drop table owners", "alter table new rename to owners"} {
				_, err = tx.ExecContext(ctx, text)
				require.NoError(t, err, text)
			}
			require.NoError(t, tx.Commit())
			require.Equal(t, 1, count(door, "select count(*) from pets"), "the rows that refer to the old table")
			exec("insert into pets values (77)")
			conn, err := door.Conn(ctx)
			require.NoError(t, err)
			require.Zero(t, count(conn, enforced))
			require.NoError(t, conn.Close())

			exec("pragma foreign_keys(1);")
			require.Equal(t, 1, count(door, enforced))
			_, err = door.ExecContext(ctx, "insert into pets values (78)")
			require.ErrorIs(t, err, db.ErrForeignKey)

			conn, err = door.Conn(ctx)
			require.NoError(t, err)
			_, err = conn.ExecContext(ctx, "pragma foreign_keys = off")
			require.NoError(t, err)
			require.Zero(t, count(conn, enforced))
			require.Equal(t, 1, count(door, enforced), "a sql.Conn's setting is its own")
			require.NoError(t, conn.Close())
			require.Equal(t, 1, count(door, enforced))

			on, err := db.Scalar[int](ctx, e, enforced)
			require.NoError(t, err)
			require.Equal(t, 1, on)
			require.NoError(t, e.Close(ctx))
		}
	})
}
