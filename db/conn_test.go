package db_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/backend"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
)

func TestStatementsOfAConnCommitByThemselves(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, addAndSelect(ctx, conn, "a"))
		requireItems(t, ctx, e, 1)
		var value string
		require.NoError(t, conn.QueryRow(ctx, "select value from items").Scan(&value))
		require.Equal(t, "a", value)
	})
}

func TestCloseMayBeRepeatedAndUseAfterItIsAnError(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		require.NoError(t, conn.Close())
		require.NoError(t, conn.Close())
		_, err = conn.Exec(ctx, "select 1")
		require.ErrorIs(t, err, db.ErrClosed)
		require.ErrorContains(t, err, "the Conn is closed")
		_, err = conn.BeginTx(ctx)
		require.ErrorIs(t, err, db.ErrClosed)
		require.ErrorIs(t, conn.InTx(ctx, nil), db.ErrClosed)
		require.Zero(t, e.Stats().InUse, "it was given back once")
	})
}

func TestCloseRollsBackAndTheTransactionKnows(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		tx, err := conn.BeginTx(ctx)
		require.NoError(t, err)
		dbtest.Exec(t, ctx, tx, "insert into items(value) values ('a')")
		require.NoError(t, conn.Close())
		_, err = tx.Exec(ctx, "select 1")
		require.ErrorIs(t, err, db.ErrTxDone)
		require.ErrorContains(t, err, "its connection was closed")
		require.ErrorIs(t, tx.Commit(ctx), db.ErrTxDone, "who commits must hear that nothing was")
		requireItems(t, ctx, e, 0)
	})
}

func TestWhatAConnChangesInItselfIsNotPassedOn(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		e := dbtest.Open(t, ctx, "sqlite://", db.PoolSize(1))
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		dbtest.Exec(t, ctx, conn, "create temp table mine(v)", "pragma foreign_keys=off")
		got, err := db.Scalar[int](ctx, conn, "select count(*) from mine")
		require.NoError(t, err)
		require.Zero(t, got)
		require.NoError(t, conn.Close())

		_, err = e.Query(ctx, "select * from mine")
		require.ErrorIs(t, err, db.ErrUndefined)
		on, err := db.Scalar[bool](ctx, e, "pragma foreign_keys")
		require.NoError(t, err)
		require.True(t, on)
	})
}

func TestTwoTasksCantUseOneConnAtTheSameTime(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		own, cancel := context.WithCancel(ctx)
		defer cancel()
		other := c.Go(own, func(context.Context) error { return endlessQuery(own, conn) })
		for err == nil {
			_, err = conn.Exec(ctx, "select 1")
		}
		require.ErrorIs(t, err, db.ErrInUse)
		require.ErrorContains(t, err, "give each task its own Conn")
		require.ErrorIs(t, conn.Close(), db.ErrInUse)
		require.NoError(t, conn.Close(), "it is closing already")
		cancel()
		require.ErrorIs(t, other(), context.Canceled)
		require.Zero(t, e.Stats().InUse, "the connection went back when the other call had ended")
	})
}

func TestAConnSurvivesACancelledQuery(t *testing.T) {
	dbtest.Databases(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Exec(t, ctx, e, items)
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		defer conn.Close()
		connects := e.Stats().Connects
		for range 5 {
			own, cancel := context.WithCancel(ctx)
			soon := c.Go(ctx, func(context.Context) error { cancelSoon(ctx, cancel); return nil })
			_, err = conn.Query(own, endless)
			require.ErrorIs(t, err, context.Canceled)
			require.NoError(t, soon())
			require.NoError(t, addAndSelect(ctx, conn, "again"))
		}
		require.Equal(t, connects, e.Stats().Connects, "no connection was thrown away")
	})
}

func TestAConnThatWasLostSaysSo(t *testing.T) {
	dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
		f := &dbtest.Fake{OnDo: func(context.Context, *dbtest.FakeSession, *backend.Call) error { return dbtest.ErrFakeGone }}
		e := dbtest.Open(t, ctx, f.Register())
		conn, err := e.Connect(ctx)
		require.NoError(t, err)
		_, err = conn.Exec(ctx, "x")
		require.ErrorIs(t, err, db.ErrDisconnected)
		_, err = conn.Exec(ctx, "x")
		require.ErrorIs(t, err, db.ErrDisconnected)
		require.ErrorContains(t, err, "Connect again")
		require.NoError(t, conn.Close())

		tx, err := e.BeginTx(ctx)
		require.NoError(t, err)
		_, err = tx.Exec(ctx, "x")
		require.ErrorIs(t, err, db.ErrDisconnected)
		_, err = tx.Exec(ctx, "x")
		require.ErrorIs(t, err, db.ErrTxFailed)
		require.NoError(t, tx.Rollback(ctx))
		require.Zero(t, e.Stats().InUse)
		require.Equal(t, int64(2), e.Stats().Discarded)
	})
}
