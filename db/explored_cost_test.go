package db_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/repainttest"
)

// The test logs the time for a schedule of 2 tasks with 4 statements each. The goal is 0.5 ms for
// SQLite in memory, and 5 ms for PostgreSQL.
func TestSchedulesOfTwoTasksWithFourStatements(t *testing.T) {
	explore := func(t *testing.T, database string, task func(e *db.Engine) func(ctx context.Context) error) (schedules int) {
		e := openAccounts(t, explorable[database](t))
		repainttest.Explore(t, 100, func(t *testing.T, ctx context.Context) {
			schedules++
			require.NoError(t, together(ctx, task(e), task(e)))
		})
		return schedules
	}
	t.Run("SQLite in memory", func(t *testing.T) { // where a transaction has the database to itself
		require.Equal(t, 70, explore(t, "SQLite in memory", func(e *db.Engine) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				for range 4 {
					if _, err := e.Exec(ctx, "update account set balance = balance + 1 where name = 'ada'"); err != nil {
						return err
					}
				}
				return nil
			}
		}))
	})
	t.Run("PostgreSQL", func(t *testing.T) { // where one task's update waits for the other's commit
		require.Equal(t, 50, explore(t, "PostgreSQL", func(e *db.Engine) func(ctx context.Context) error {
			return rewrite(e)
		}))
	})
}

// rewrite reads a value and writes it again, in a transaction of four statements.
func rewrite(e *db.Engine) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			n, err := db.Scalar[int](ctx, tx, "select balance from account where name = 'ada'")
			if err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "update account set balance = :n where name = 'ada'", db.Named("n", n))
			return err
		})
	}
}
