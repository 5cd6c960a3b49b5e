package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/leakcheck"
	"github.com/seed1239206e/repaint/loop"
)

func TestRetryRunsAConflictAgain(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		dbtest.Items(t, ctx, e, e)
		runs := 0
		require.NoError(t, db.Retry(ctx, e, func(ctx context.Context, tx *db.Tx) error {
			runs++
			_, err := tx.Exec(ctx, insertItem, value("x"))
			require.NoError(t, err)
			if runs < 3 {
				return &db.Error{Op: "test", Fault: db.Fault{Condition: db.ErrSerialization}}
			}
			return nil
		}))
		require.Equal(t, 3, runs)
		requireItems(t, ctx, e, 1)

		mine := errors.New("mine")
		runs = 0
		require.ErrorIs(t, db.Retry(ctx, e, func(context.Context, *db.Tx) error { runs++; return mine }), mine)
		require.Equal(t, 1, runs)
		err := e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			return db.Retry(ctx, tx, func(context.Context, *db.Tx) error { return nil })
		})
		require.ErrorIs(t, err, db.ErrMisuse)
		conn, err := e.Connect(ctx, db.AutoBegin())
		require.NoError(t, err)
		defer conn.Close()
		require.ErrorIs(t, db.Retry(ctx, conn, func(context.Context, *db.Tx) error { return nil }), db.ErrMisuse)
	})
}

// Transactions that lock rows in opposite orders deadlock, and all succeed in the end.
func TestRetryGetsEverybodyThroughDeadlocks(t *testing.T) {
	dbtest.Everywhere(t, func(t *testing.T, ctx context.Context, e *db.Engine, c dbtest.Colour) {
		fillItems(t, ctx, e, 2)
		dbtest.Exec(t, ctx, e, "update items set value = '0'")
		const n = 20
		policy := db.RetryPolicy{Attempts: 100}
		require.NoError(t, c.Together(ctx, n, func(ctx context.Context, i int) error {
			return policy.InTx(ctx, e, func(ctx context.Context, tx *db.Tx) error {
				for k := range 2 {
					if _, err := tx.Exec(ctx, "update items set value = value + 1 where id = :id", db.Named("id", (i+k)%2+1)); err != nil {
						return err
					}
				}
				return nil
			})
		}))
		sums, err := db.All[int](ctx, e, "select value from items")
		require.NoError(t, err)
		require.Equal(t, []int{n, n}, sums)
	})
}

func TestRetryWaitsLongerEachTimeAndGivesUp(t *testing.T) {
	leakcheck.Test(t)
	conflict := &db.Error{Op: "test", Fault: db.Fault{Condition: db.ErrDeadlock}}
	f := &dbtest.Fake{}
	url := f.Register()
	require.NoError(t, repaint.Run(context.Background(), func(ctx context.Context) error {
		e, err := db.Open(ctx, url)
		require.NoError(t, err)
		attempts := []int{}
		start := repaint.CurrentLoop().Now()
		policy := db.RetryPolicy{Attempts: 5, Wait: time.Second, MaxWait: 3 * time.Second, Retrying: func(n int, err error) {
			require.ErrorIs(t, err, db.ErrDeadlock)
			attempts = append(attempts, n)
		}}
		err = policy.InTx(ctx, e, func(context.Context, *db.Tx) error { return conflict })
		require.ErrorIs(t, err, db.ErrDeadlock)
		require.Equal(t, []int{1, 2, 3, 4}, attempts)
		took := repaint.CurrentLoop().Now().Sub(start)
		require.LessOrEqual(t, took, (1+2+3+3)*time.Second)

		own, cancel := context.WithCancel(ctx)
		err = policy.InTx(own, e, func(context.Context, *db.Tx) error { cancel(); return conflict })
		require.ErrorIs(t, err, db.ErrDeadlock, "a context that has ended isn't waited with")
		return e.Close(ctx)
	}, loop.VirtualClock(time.Unix(0, 0))))
}
