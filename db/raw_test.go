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
		require.NoError(t, conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			require.ErrorIs(t, conn.Raw(ctx, insert), db.ErrMisuse)
			return tx.Raw(ctx, insert)
		}))
		gone := errors.New("gone")
		require.ErrorIs(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
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

// The Engine doesn't read the statements of Raw, so the database refuses them.
func TestRawOfWhatOnlyReadsCantWrite(t *testing.T) {
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
		refused := func(err error) {
			t.Helper()
			require.Error(t, err)
			require.Equal(t, db.ErrReadOnly, e.Dialect().Fault(err).Condition)
		}
		for range 2 {
			conn, err := e.Connect(ctx, db.ReadOnly())
			require.NoError(t, err)
			refused(conn.Raw(ctx, insert))
			require.NoError(t, conn.Close())
			refused(e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return tx.Raw(ctx, insert) }, db.ReadOnly()))
			conn, err = e.Connect(ctx)
			require.NoError(t, err)
			refused(conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Query(ctx, "select * from items")
				require.NoError(t, err)
				return tx.Raw(ctx, insert)
			}, db.ReadOnly()))
			dbtest.Exec(t, ctx, conn, "insert into items(value) values ('written')") // the connection's next user may write
			require.NoError(t, conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				dbtest.Exec(t, ctx, tx, "delete from items")
				return nil
			}))
			require.NoError(t, conn.Close())
			dbtest.Exec(t, ctx, e, "insert into items(value) values ('written')", "delete from items")
		}
	}, db.PoolSize(1), db.MaxOverflow(0))
}

func TestAnEngineThatOnlyReadsReadsAFile(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		url := dbtest.File(t)
		dbtest.Exec(t, ctx, dbtest.Open(t, ctx, url), items, "insert into items(value) values ('a')")
		e := dbtest.Open(t, ctx, url, db.ReadOnly())
		requireItems(t, ctx, e, 1)
		_, err := e.Exec(ctx, "delete from items")
		require.ErrorIs(t, err, db.ErrReadOnly)
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			dbtest.Exec(t, ctx, tx, "insert into items(value) values ('b')")
			return nil
		}, db.ReadWrite()))
		require.NoError(t, c.Together(ctx, 20, func(ctx context.Context, i int) error {
			if i%4 == 0 {
				return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					_, err := tx.Exec(ctx, "insert into items(value) values ('c')")
					return err
				}, db.ReadWrite())
			}
			_, err := e.Query(ctx, "select * from items")
			return err
		}))
		requireItems(t, ctx, e, 7)
	})
}

// After a reader has used a connection of a sql.DB, it isn't read-only for the sql.DB's other
// users.
func TestWhoReadsLeavesTheSQLDBAsItWas(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		pool, err := sql.Open("sqlite", "file:"+t.TempDir()+"/x.db?_pragma=synchronous(off)")
		require.NoError(t, err)
		defer pool.Close()
		_, err = pool.Exec(items)
		require.NoError(t, err)
		e, err := sqlite.OpenDB(ctx, pool, db.ReadOnly())
		require.NoError(t, err)
		requireItems(t, ctx, e, 0)
		require.NoError(t, e.Close(ctx))
		pool.SetMaxOpenConns(1)
		_, err = pool.Exec("insert into items(value) values ('written')")
		require.NoError(t, err)
	})
}
