package tasks_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/repainttest"
)

func openTestDatabase(t *testing.T) *db.Engine {
	engine, err := db.Open(t.Context(), "sqlite://")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close(context.Background())) })
	_, err = engine.Exec(t.Context(), "create table account (balance int)")
	require.NoError(t, err)
	return engine
}

func reset(t *testing.T, ctx context.Context, engine *db.Engine) {
	_, err := engine.Exec(ctx, "delete from account")
	require.NoError(t, err)
	_, err = engine.Exec(ctx, "insert into account values (100)")
	require.NoError(t, err)
}

// withdraw is right: it leaves the arithmetic to the database.
func withdraw(ctx context.Context, engine *db.Engine, n int) error {
	return db.ExecOne(ctx, engine, "update account set balance = balance - :n", db.Args{"n": n})
}

func balance(t *testing.T, ctx context.Context, engine *db.Engine) int {
	n, err := db.Scalar[int](ctx, engine, "select balance from account")
	require.NoError(t, err)
	return n
}

func TestWithdraw(t *testing.T) {
	engine := openTestDatabase(t)
	repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
		reset(t, ctx, engine)
		g := repaint.NewGroup(ctx)
		for range 2 {
			g.Go(func(ctx context.Context) error { return withdraw(ctx, engine, 10) })
		}
		require.NoError(t, g.Wait())
		require.Equal(t, 80, balance(t, ctx, engine))
	})
}

func TestEmptiedAndReduced(t *testing.T) {
	ctx, engine := t.Context(), openTestDatabase(t)
	main := func(t *testing.T, ctx context.Context) {
		g := repaint.NewGroup(ctx)
		for range 2 {
			g.Go(func(ctx context.Context) error { return withdraw(ctx, engine, 10) })
		}
		require.NoError(t, g.Wait())
	}
	t.Run("emptied", func(t *testing.T) {
		reset, err := repainttest.Emptied(ctx, repainttest.Texts(engine.SQL()), "insert into account values (100)")
		require.NoError(t, err)
		repainttest.Explore(t, 200, main, repainttest.Fresh(reset))
		require.Equal(t, 80, balance(t, ctx, engine))
	})
	t.Run("reduced", func(t *testing.T) {
		schema, err := repainttest.ReadSchema(ctx, repainttest.Texts(engine.SQL()))
		require.NoError(t, err)
		repainttest.Explore(t, 10_000, main, repainttest.Reduced(schema))
	})
}
