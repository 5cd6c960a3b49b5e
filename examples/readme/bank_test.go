//go:build readme

package readme_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	_ "github.com/seed1239206e/repaint/db/sqlite"
	"github.com/seed1239206e/repaint/repainttest"
)

// This test fails. The README shows how, and another test that it still does so.

func withdraw(ctx context.Context, e *db.Engine) (int, error) {
	balance, err := db.Scalar[int](ctx, e, "select balance from account")
	if err != nil || balance < 60 {
		return 0, err
	}
	_, err = e.Exec(ctx, "update account set balance = :rest", db.Named("rest", balance-60))
	return 60, err
}

func TestWithdraw(t *testing.T) {
	bank, reset := openBank(t) // one account, and what sets it to 100
	repainttest.Explore(t, 200, func(t *testing.T, ctx context.Context) {
		atm := func(ctx context.Context) (int, error) { return withdraw(ctx, bank) }
		paid, err := repaint.Gather(ctx, atm, atm)
		require.NoError(t, err)
		require.LessOrEqual(t, paid[0]+paid[1], 100)
	}, repainttest.Fresh(reset))
}

func openBank(t *testing.T) (e *db.Engine, reset func(ctx context.Context) error) {
	e, err := db.Open(t.Context(), "sqlite://")
	require.NoError(t, err)
	t.Cleanup(func() { _ = e.Close(context.Background()) })
	_, err = e.Exec(t.Context(), "create table account (balance int); insert into account values (100)")
	require.NoError(t, err)
	return e, func(ctx context.Context) error {
		_, err := e.Exec(ctx, "update account set balance = 100")
		return err
	}
}
