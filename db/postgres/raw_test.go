package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

func TestWhatTheDriverCanDoBeyond(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, at.URL())
		dbtest.Exec(t, ctx, e, "drop table if exists items", "create table items(id int primary key, value text)")
		count := func(q db.Querier) int {
			n, err := db.Scalar[int](ctx, q, "select count(*) from items")
			require.NoError(t, err)
			return n
		}
		rows := func(from int) pgx.CopyFromSource {
			return pgx.CopyFromSlice(3, func(i int) ([]any, error) { return []any{from + i, "copied"}, nil })
		}

		// COPY is a part of a transaction, before and after other statements.
		gone := errors.New("rolled back")
		copyAndInsert := func(ctx context.Context, tx *db.Tx) error {
			err := tx.Raw(ctx, func(ctx context.Context, conn any) error {
				_, err := conn.(pgx.Tx).CopyFrom(ctx, pgx.Identifier{"items"}, []string{"id", "value"}, rows(1))
				return err
			})
			if err == nil {
				_, err = tx.Exec(ctx, "insert into items values (4, 'inserted')")
			}
			require.Equal(t, 4, count(tx))
			return err
		}
		require.ErrorIs(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return errors.Join(copyAndInsert(ctx, tx), gone) }), gone)
		require.Zero(t, count(e))
		require.NoError(t, e.InTx(ctx, copyAndInsert))
		require.Equal(t, 4, count(e))

		// An error of the server makes the transaction fail, up to the savepoint.
		require.NoError(t, e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			err := tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				err := tx.Raw(ctx, func(ctx context.Context, conn any) error {
					_, err := conn.(pgx.Tx).CopyFrom(ctx, pgx.Identifier{"items"}, []string{"id", "value"}, rows(4))
					return err
				})
				require.ErrorContains(t, err, "23505")
				_, again := tx.Exec(ctx, "select 1")
				require.ErrorIs(t, again, db.ErrTxFailed)
				return err
			})
			require.Error(t, err)
			require.Equal(t, 4, count(tx))
			require.ErrorIs(t, tx.Raw(ctx, func(context.Context, any) error { return gone }), gone, "an error of fn's own is no failure of the transaction")
			require.Equal(t, 4, count(tx))
			return nil
		}))

		// No other caller sees what is left behind in a session.
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		var out strings.Builder
		require.NoError(t, conn.Raw(ctx, func(ctx context.Context, raw any) error {
			s := raw.(*pg.Session)
			_, err := s.Exec(ctx, "set work_mem = '1234kB'")
			require.NoError(t, err)
			_, err = conn.Exec(ctx, "select 1")
			require.ErrorIs(t, err, db.ErrInUse)
			_, err = s.CopyTo(ctx, &out, "copy (select id from items order by id) to stdout")
			return err
		}))
		require.Equal(t, "1\n2\n3\n4\n", out.String())
		mine, err := db.Scalar[string](ctx, conn, "show work_mem")
		require.NoError(t, err)
		require.Equal(t, "1234kB", mine)
		open := e.Stats().Open
		require.NoError(t, conn.Close())
		require.Equal(t, open-1, e.Stats().Open, "the connection is gone")
		require.ErrorIs(t, conn.Raw(ctx, nil), db.ErrClosed)

		// The DB listens on a connection of its own.
		pool := e.Driver().(*pg.DB)
		listener, err := pool.Listen(ctx, "news")
		require.NoError(t, err)
		_, err = e.Exec(ctx, "select pg_notify('news', :what)", db.Named("what", "it works"))
		require.NoError(t, err)
		for n, err := range listener.All(ctx) {
			require.NoError(t, err)
			if n.Payload == "it works" {
				break
			}
		}
		listener.Close()
	})
}

func TestRawOfAConnThatBeginsByItself(t *testing.T) {
	at := testserver.Postgres(t).Database(t)
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, at.URL())
		dbtest.Exec(t, ctx, e, "drop table if exists items", "create table items(id int primary key)")
		conn, err := e.Connect(ctx, db.AutoBegin())
		require.NoError(t, err)
		require.NoError(t, conn.Raw(ctx, func(ctx context.Context, raw any) error {
			_, err := raw.(pgx.Tx).Exec(ctx, "insert into items values (1)")
			return err
		}))
		ctx2, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, conn.Raw(ctx2, func(context.Context, any) error { panic("it isn't called") }), context.Canceled)
		require.NoError(t, conn.Rollback(ctx))
		require.NoError(t, conn.Close())
		n, err := db.Scalar[int](ctx, e, "select count(*) from items")
		require.NoError(t, err)
		require.Zero(t, n)
	})
}

func TestRawOfWhatOnlyReadsCantWrite(t *testing.T) {
	onPostgres(t, "", func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, "create table items(id int primary key, value text)")
		rows := pgx.CopyFromRows([][]any{{1, "copied"}})
		refused := func(err error) {
			t.Helper()
			require.Error(t, err)
			require.Equal(t, db.ErrReadOnly, e.Dialect().Fault(err).Condition, err)
		}
		for range 2 {
			conn, err := e.Connect(ctx, db.ReadOnly())
			require.NoError(t, err)
			refused(conn.Raw(ctx, func(ctx context.Context, conn any) error {
				_, err := conn.(*pg.Session).CopyFrom(ctx, pgx.Identifier{"items"}, []string{"id", "value"}, rows)
				return err
			}))
			refused(conn.Raw(ctx, func(ctx context.Context, conn any) error {
				_, err := conn.(*pg.Session).Exec(ctx, "insert into items values (1, 'x')")
				return err
			}))
			require.NoError(t, conn.Close())
			for _, text := range []string{"select 1", "set transaction read write", "set local transaction_read_only = off"} {
				refused(e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
					return tx.Raw(ctx, func(ctx context.Context, conn any) error {
						sub, err := conn.(pgx.Tx).Begin(ctx)
						require.NoError(t, err)
						_, _ = sub.Exec(ctx, text) // the server refuses to let it write
						require.NoError(t, sub.Rollback(ctx))
						_, err = conn.(pgx.Tx).CopyFrom(ctx, pgx.Identifier{"items"}, []string{"id", "value"}, rows)
						return err
					})
				}, db.ReadOnly()))
			}
			dbtest.Exec(t, ctx, e, "insert into items values (1, 'x')", "delete from items")
		}
	}, db.PoolSize(1), db.MaxOverflow(0))
}
