package db_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/contexttest"
	"github.com/seed1239206e/repaint/internal/testserver"
)

// poolWaits are the calls that wait for the one connection, or for the turn to write.
var poolWaits = map[string]func(ctx context.Context, e *db.Engine) error{
	"Connect": func(ctx context.Context, e *db.Engine) error {
		conn, err := e.Connect(ctx)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, "insert into waits values (1)")
		return errors.Join(err, conn.Close())
	},
	"Exec": func(ctx context.Context, e *db.Engine) error {
		_, err := e.Exec(ctx, "insert into waits values (1)")
		return err
	},
	"Begin": func(ctx context.Context, e *db.Engine) error {
		return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "insert into waits values (1)")
			return err
		})
	},
	"ExecMany": func(ctx context.Context, e *db.Engine) error {
		_, err := db.ExecMany(ctx, e, "insert into waits values (:n)", [][]any{{db.Named("n", 1)}})
		return err
	},
}

func TestContextsOfEveryMakeInWaitsForAConnection(t *testing.T) {
	urls := map[string]string{"SQLite in memory": "sqlite://", "SQLite in a file": dbtest.File(t), "MariaDB": testserver.MariaDB(t).Database(t).URL()}
	for name, url := range urls {
		t.Run(name, func(t *testing.T) {
			inEachMake := func(t *testing.T, ctx context.Context, c dbtest.Colour) {
				e := dbtest.Open(t, ctx, url, db.PoolSize(1), db.MaxOverflow(0))
				dbtest.Exec(t, ctx, e, "create table if not exists waits (n integer)")
				for _, m := range contexttest.Makes {
					for wait, call := range poolWaits {
						tx, err := e.BeginTx(ctx)
						require.NoError(t, err)
						_, err = tx.Exec(ctx, "insert into waits values (0)") // now tx holds the connection, and the turn
						require.NoError(t, err)
						waited := false
						err = c.Together(ctx, 2, func(ctx context.Context, i int) error {
							if i == 0 {
								inner, end := m.New(ctx)
								if end != nil {
									before := e.Stats().Waiting
									go func() {
										for e.Stats().Waiting == before {
											runtime.Gosched()
										}
										end()
									}()
								}
								err := call(inner, e)
								waited = true
								wanted := m.Want
								if slices.Contains(wanted, context.DeadlineExceeded) {
									wanted = append(slices.Clip(wanted), db.ErrTimeout)
								}
								for _, want := range wanted {
									if !errors.Is(err, want) {
										t.Errorf("%s, %s: %v isn't %v", m.Name, wait, err, want)
									}
								}
								if m.Want != nil {
									return nil
								}
								return err
							}
							if m.Want == nil {
								dbtest.UntilWaiting(ctx, e, 1)
								return tx.Rollback(ctx)
							}
							return nil
						})
						require.NoError(t, err, "%s, %s", m.Name, wait)
						require.True(t, waited)
						if m.Want != nil {
							require.NoError(t, tx.Rollback(ctx))
						}
						require.Zero(t, e.Stats().Waiting, "%s, %s", m.Name, wait)
						dbtest.Exec(t, ctx, e, "delete from waits") // everything works again
					}
				}
			}
			dbtest.BothColours(t, inEachMake)
			dbtest.WithVirtualClock(t, inEachMake)
		})
	}
}
