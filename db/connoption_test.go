package db_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestAutoBeginCommitsAsYouGo(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		conn, err := e.Connect(ctx, db.AutoBegin())
		require.NoError(t, err)
		add := func(q db.Querier) {
			t.Helper()
			_, err := q.Exec(ctx, insertItem, value("x"))
			require.NoError(t, err)
		}
		require.NoError(t, conn.Commit(ctx), "there is nothing to commit")
		add(conn)
		require.NoError(t, conn.Commit(ctx))
		requireItems(t, ctx, e, 1)
		add(conn)
		add(conn)
		requireItems(t, ctx, conn, 3)
		require.NoError(t, conn.Rollback(ctx))
		requireItems(t, ctx, e, 1)

		mine := errors.New("mine")
		require.ErrorIs(t, conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { add(tx); return mine }), mine)
		require.NoError(t, conn.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { add(tx); return nil }))
		requireItems(t, ctx, conn, 2)
		nested, err := conn.BeginTx(ctx)
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "select 1")
		require.ErrorIs(t, err, db.ErrMisuse)
		require.ErrorContains(t, err, "a nested transaction is open")
		require.ErrorIs(t, conn.Commit(ctx), db.ErrMisuse)
		require.NoError(t, nested.Rollback(ctx))
		require.NoError(t, conn.Commit(ctx))
		requireItems(t, ctx, e, 2)

		add(conn)
		require.NoError(t, conn.Close(), "what isn't committed is rolled back")
		requireItems(t, ctx, e, 2)
		require.ErrorIs(t, conn.Commit(ctx), db.ErrClosed)

		plain, err := e.Connect(ctx)
		require.NoError(t, err)
		defer plain.Close()
		err = plain.Commit(ctx)
		require.ErrorIs(t, err, db.ErrMisuse)
		require.ErrorContains(t, err, "AutoBegin")
	})
}

func TestSavepointsNestToAnyDepth(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		odd := errors.New("odd")
		var down func(ctx context.Context, q db.Querier, depth int) error
		down = func(ctx context.Context, q db.Querier, depth int) error {
			return q.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				if _, err := tx.Exec(ctx, insertItem, value("x")); err != nil {
					return err
				}
				if depth < 20 {
					if err := down(ctx, tx, depth+1); err != nil && !errors.Is(err, odd) {
						return err
					}
				}
				if depth == 11 {
					return odd // this name, and all names below it
				}
				return nil
			})
		}
		require.NoError(t, down(ctx, e, 1))
		requireItems(t, ctx, e, 10)
	})
}

func TestSettingsOfTransactionConnAndEngine(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		ro := dbtest.Open(t, ctx, dbtestURL(t, e), db.ReadOnly(), db.PoolSize(1), db.MaxOverflow(0))
		if e.URL().Database != "" || e.Dialect().Name() != "sqlite" {
			_, err := ro.Exec(ctx, insertItem, value("x"))
			require.ErrorIs(t, err, db.ErrReadOnly)
			require.ErrorContains(t, err, "the Engine was opened as read-only")
			insert := func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, insertItem, value("x"))
				return err
			}
			require.ErrorIs(t, ro.InTx(ctx, insert), db.ErrReadOnly)
			require.NoError(t, ro.InTx(ctx, insert, db.ReadWrite()))
			conn, err := ro.Connect(ctx, db.ReadWrite())
			require.NoError(t, err)
			require.NoError(t, conn.InTx(ctx, insert))
			require.NoError(t, conn.Close())
			requireItems(t, ctx, ro, 2)
		}
		conn, err := e.Connect(ctx, db.ReadOnly(), db.HideParameters())
		require.NoError(t, err)
		_, err = conn.Exec(ctx, insertItem, value("secret"))
		require.ErrorIs(t, err, db.ErrReadOnly)
		require.NotContains(t, err.Error(), "secret")
		require.NoError(t, conn.Close())
		conn, err = e.Connect(ctx, db.ShowParameters())
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "insert into nope values (:v)", db.Named("v", "shown"))
		require.ErrorContains(t, err, `[v="shown"]`)
		require.NoError(t, conn.Close())
		_, err = e.Exec(ctx, "insert into nope values (:v)", db.Named("v", "shown"))
		require.ErrorContains(t, err, "[v string]", "the next one has its own settings")
	})
}

func TestIsolationIsAskedForInEachTransactionAndStaysNowhere(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		var got []db.TxOptions
		f := &dbtest.Fake{OnBegin: func(o db.TxOptions) error {
			got = append(got, o)
			return nil
		}}
		e := dbtest.Open(t, ctx, f.Register()+"?isolation=repeatable_read&read_only=on", db.PoolSize(1), db.MaxOverflow(0))
		begin := func(q db.Querier, opts ...db.TxOption) {
			require.NoError(t, q.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
				_, err := tx.Exec(ctx, "x")
				return err
			}, opts...))
		}
		begin(e)
		begin(e, db.Isolation(db.Serializable), db.ReadWrite())
		conn, err := e.Connect(ctx, db.Isolation(db.ReadCommitted))
		require.NoError(t, err)
		begin(conn)
		begin(conn, db.Isolation(db.DefaultIsolation))
		require.NoError(t, conn.Close())
		begin(e)
		require.Equal(t, []db.TxOptions{
			{ReadOnly: true, Isolation: db.RepeatableRead},
			{Isolation: db.Serializable},
			{ReadOnly: true, Isolation: db.ReadCommitted},
			{ReadOnly: true},
			{ReadOnly: true, Isolation: db.RepeatableRead},
		}, got)
		require.EqualValues(t, 1, e.Stats().Connects, "on one connection")
		_, err = db.Open(ctx, f.Register()+"?isolation=some")
		require.ErrorContains(t, err, "read_uncommitted, read_committed, repeatable_read, serializable")
	})
}

func TestConcurrentUseNamesBothPlaces(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		rows, err := conn.Stream(ctx, "select 1") // the stream stands for a task in the middle of a call
		require.NoError(t, err)
		defer rows.Close()
		_, err = db.Scalar[int](ctx, conn, "select 2")
		require.ErrorIs(t, err, db.ErrInUse)
		require.Regexp(t, `select 1, called at .*connoption_test\.go:\d+; this call is at .*connoption_test\.go:\d+`, err.Error())
	})
}
