package db_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/loop"
)

// awaited returns a future's value, and fails the test if there is an error.
func awaited[T any](t *testing.T, ctx context.Context, f *loop.Future[T]) T {
	t.Helper()
	v, err := repaint.Await(ctx, f)
	require.NoError(t, err)
	return v
}

func TestTheRedFaceDoesWhatTheBlueOneDoes(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, _ dbtest.Colour) {
		red := e.Async()
		require.True(t, red.Sync() == e)
		dbtest.Items(t, ctx, e, e)
		insert := func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, insertItem, value("x"))
			return err
		}
		count := func(r *db.Row) (n int) {
			require.NoError(t, r.Scan(&n))
			return n
		}
		// All calls start at once; then the test awaits them.
		var futures []*loop.Future[db.Result]
		for range 20 {
			futures = append(futures, red.Exec(ctx, insertItem, value("x")))
		}
		for _, f := range futures {
			require.EqualValues(t, 1, awaited(t, ctx, f).RowsAffected())
		}
		awaited(t, ctx, red.InTx(ctx, insert))
		tx := awaited(t, ctx, red.BeginTx(ctx))
		awaited(t, ctx, tx.Exec(ctx, insertItem, value("x")))
		awaited(t, ctx, tx.InTx(ctx, insert))
		inner := awaited(t, ctx, tx.BeginTx(ctx))
		awaited(t, ctx, inner.Exec(ctx, insertItem, value("x")))
		awaited(t, ctx, inner.Rollback(ctx))
		require.Equal(t, 23, count(awaited(t, ctx, tx.QueryRow(ctx, countItems))))
		require.True(t, awaited(t, ctx, tx.Query(ctx, countItems)).Next())
		awaited(t, ctx, tx.Commit(ctx))
		require.ErrorIs(t, func() error { _, err := repaint.Await(ctx, tx.Commit(ctx)); return err }(), db.ErrTxDone)

		conn := awaited(t, ctx, red.Connect(ctx, db.AutoBegin()))
		awaited(t, ctx, conn.Exec(ctx, insertItem, value("x")))
		awaited(t, ctx, conn.InTx(ctx, insert))
		awaited(t, ctx, conn.Rollback(ctx))
		awaited(t, ctx, conn.Exec(ctx, insertItem, value("x")))
		awaited(t, ctx, awaited(t, ctx, conn.BeginTx(ctx)).Rollback(ctx))
		awaited(t, ctx, conn.Commit(ctx))
		require.Equal(t, 24, count(awaited(t, ctx, conn.QueryRow(ctx, countItems))))
		require.True(t, awaited(t, ctx, conn.Query(ctx, countItems)).Next())
		awaited(t, ctx, conn.Close(ctx))

		n := awaited(t, ctx, db.RunSync(ctx, red, func(ctx context.Context, conn *db.Conn) (int, error) {
			return db.Scalar[int](ctx, conn, countItems)
		}))
		require.Equal(t, 24, n)
		require.Zero(t, e.Stats().InUse)

		reader := red.Reader()
		require.Equal(t, 24, count(awaited(t, ctx, reader.QueryRow(ctx, countItems))))
		require.True(t, awaited(t, ctx, reader.Query(ctx, countItems)).Next())
		_, err := repaint.Await(ctx, reader.Exec(ctx, insertItem, value("x")))
		require.ErrorIs(t, err, db.ErrReadOnly)
		_, err = repaint.Await(ctx, reader.InTx(ctx, insert))
		require.ErrorIs(t, err, db.ErrReadOnly)
		streamed := awaited(t, ctx, reader.Stream(ctx, countItems))
		require.True(t, awaited(t, ctx, streamed.Next(ctx)))
		awaited(t, ctx, streamed.Close(ctx))
		blue := e.Reader()
		require.True(t, blue.Async().Sync() == blue)

		own, cancel := context.WithCancel(ctx)
		f := red.Query(own, "select 1")
		cancel()
		if _, err := repaint.Await(ctx, f); err != nil {
			require.ErrorIs(t, err, context.Canceled)
		}
		awaited(t, ctx, red.Close(ctx))
	})
}

func TestStreamedRowsOfTheRedFaceDontSwitchForEachRow(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		if !c.Loop {
			return // without tasks there are no switches
		}
		fillItems(t, ctx, e, 3000)
		rows := awaited(t, ctx, e.Async().Stream(ctx, allItems))
		before, seen := repaint.CurrentStats().Switches, 0
		for awaited(t, ctx, rows.Next(ctx)) {
			seen++
			id, err := db.Get[int](rows.Sync(), "id")
			require.NoError(t, err)
			require.Equal(t, seen, id)
		}
		require.Equal(t, 3000, seen)
		require.Less(t, repaint.CurrentStats().Switches-before, uint64(100))
		rows = awaited(t, ctx, e.Async().Stream(ctx, allItems))
		require.True(t, awaited(t, ctx, rows.Next(ctx)))
		awaited(t, ctx, rows.Close(ctx))
		require.False(t, awaited(t, ctx, rows.Next(ctx)))
		require.Zero(t, e.Stats().InUse)
	})
}
