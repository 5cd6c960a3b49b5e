package tasks_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/pg"
)

func begun(ctx context.Context, conn *pg.DB) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, "update accounts set balance = balance - 10 where id = $1", 7)
		return err
	})
	return err
}

func streamed(ctx context.Context, conn *pg.DB) error {
	tx, err := conn.NewTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable})
	if err != nil {
		return err
	}
	defer tx.Rollback(ctx)
	rows, err := tx.Stream(ctx, "select id from users")
	if err != nil {
		return err
	}
	rows.Close()
	return tx.Commit(ctx)
}

func TestTransactions(t *testing.T) {
	withPg(t, func(t *testing.T, ctx context.Context, conn *pg.DB) {
		require.NoError(t, begun(ctx, conn))
		require.NoError(t, streamed(ctx, conn))
		var balance int
		require.NoError(t, conn.QueryRow(ctx, "select balance from accounts").Scan(&balance))
		require.Equal(t, 90, balance)
	})
}

func nested(ctx context.Context, engine *db.Engine) error {
	err := engine.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
		// An error, a panic or a Goexit rolls back. Otherwise the transaction is committed.
		return tx.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { // a savepoint, to any depth
			_, err := tx.Exec(ctx, "update accounts set balance = balance - 10 where id = :id", db.Named("id", 7))
			return err
		})
	}, db.Isolation(db.Serializable))
	return err
}

type transferring = func(ctx context.Context, tx *db.Tx) error

func retried(ctx context.Context, engine *db.Engine, transfer transferring) error {
	err := db.Retry(ctx, engine, transfer, db.Isolation(db.Serializable))
	return err
}

var errReconciled = errors.New("reconciled")

func reconcile(_ context.Context, err error) error { return fmt.Errorf("%w: %w", errReconciled, err) }

func reconciled(ctx context.Context, engine *db.Engine, transfer transferring) error {
	err := engine.InTx(ctx, transfer)
	if errors.Is(err, db.ErrUnknownOutcome) {
		// Look for the transfer by a key that it has, before you do it again.
		return reconcile(ctx, err)
	}
	return err
}

func TestTransactionsOfAnyDatabase(t *testing.T) {
	withDB(t, func(t *testing.T, ctx context.Context, engine *db.Engine) {
		require.NoError(t, nested(ctx, engine))
		calls := 0
		transfer := func(ctx context.Context, tx *db.Tx) error {
			if calls++; calls == 1 {
				return db.ErrConflict
			}
			return db.ExecOne(ctx, tx, "update accounts set balance = balance - 10 where id = :id", db.Args{"id": 7})
		}
		require.NoError(t, retried(ctx, engine, transfer))
		require.NoError(t, reconciled(ctx, engine, transfer))
		lost := func(context.Context, *db.Tx) error { return db.ErrUnknownOutcome }
		require.ErrorIs(t, reconciled(ctx, engine, lost), errReconciled)
		balance, err := db.Scalar[int](ctx, engine, "select balance from accounts")
		require.NoError(t, err)
		require.Equal(t, 70, balance)
	})
}
