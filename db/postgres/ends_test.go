package postgres_test

import (
	"context"
	"database/sql/driver"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/seed1239206e/repaint"
	"github.com/seed1239206e/repaint/db"
	"github.com/seed1239206e/repaint/db/internal/dbtest"
	"github.com/seed1239206e/repaint/internal/faultproxy"
	"github.com/seed1239206e/repaint/internal/testserver"
	"github.com/seed1239206e/repaint/pg"
)

func TestConnectionsThatEndAtTheMomentOfUse(t *testing.T) {
	target := testserver.Postgres(t).Database(t)
	for name, url := range map[string]string{"pg": target.URL(), "pipeline=off": target.URL() + "&pipeline=off"} {
		t.Run(name, func(t *testing.T) {
			dbtest.Ends{
				At: target,
				Open: func(t testing.TB, ctx context.Context, opts ...db.Option) *db.Engine {
					e, err := db.Open(ctx, url, opts...)
					require.NoError(t, err)
					return e
				},
				All: func(t testing.TB) { target.MustQuery(t, dbtest.EndBackends) },
			}.Test(t)
		})
	}
}

func TestIdleSessionTimeoutAtTheMomentOfUse(t *testing.T) {
	testserver.Postgres(t).Needs(t, 14, "idle_session_timeout")
	target := testserver.Postgres(t).Database(t)
	dbtest.Ends{
		At: target,
		Open: func(t testing.TB, ctx context.Context, opts ...db.Option) *db.Engine {
			e, err := db.Open(ctx, target.URL()+"&idle_session_timeout=800", opts...)
			require.NoError(t, err)
			return e
		},
	}.TestSpread(t, 800*time.Millisecond, 2)
}

// executedSQL has an effect that stays, and then waits.
const executedSQL = "with a as materialized (select nextval('s') as n) select n, pg_advisory_xact_lock(1, 2) from a"

// If a transaction's first statement was executed before its connection broke, it isn't repeated on
// another connection.
func TestWhatWasExecutedAndRolledBackIsNotRepeated(t *testing.T) {
	server := testserver.Postgres(t)
	for name, options := range map[string]string{"pg": "", "pipeline=off": "&pipeline=off"} {
		t.Run(name, func(t *testing.T) {
			dbtest.BothColours(t, func(t *testing.T, ctx context.Context, c dbtest.Colour) {
				direct := server.Database(t)
				direct.MustQuery(t, "create sequence s")
				holder, err := pg.Open(direct.URL())
				require.NoError(t, err)
				defer holder.Close(ctx)
				proxy := faultproxy.New(t, direct.Addr())
				target := direct
				target.Host, target.Port = proxy.Host(), proxy.Port()
				for what, do := range map[string]func(ctx context.Context, tx *db.Tx) error{
					"Exec":  func(ctx context.Context, tx *db.Tx) error { _, err := tx.Exec(ctx, executedSQL); return err },
					"Query": func(ctx context.Context, tx *db.Tx) error { _, err := tx.Query(ctx, executedSQL); return err },
					"Stream": func(ctx context.Context, tx *db.Tx) error {
						rows, err := tx.Stream(ctx, executedSQL)
						if err != nil {
							return err
						}
						defer rows.Close()
						for rows.Next() {
						}
						return rows.Err()
					},
				} {
					e, err := db.Open(ctx, target.URL()+options)
					require.NoError(t, err, what)
					direct.MustQuery(t, "alter sequence s restart")
					locker, err := holder.Acquire(ctx)
					require.NoError(t, err)
					_, err = locker.Exec(ctx, "select pg_advisory_lock(1, 2)")
					require.NoError(t, err)
					wait := c.Go(ctx, func(ctx context.Context) error {
						return e.InTx(ctx, func(ctx context.Context, tx *db.Tx) error { return do(ctx, tx) })
					})
					for direct.MustQuery(t, "select is_called from s") != "t" {
						require.NoError(t, repaint.Sleep(ctx, 0))
					}
					proxy.Cut()
					err = wait()
					locker.Release()
					require.ErrorIs(t, err, db.ErrDisconnected, what)
					require.NotErrorIs(t, err, driver.ErrBadConn, what)
					require.Equal(t, "1", direct.MustQuery(t, "select last_value from s"), what)
					require.NoError(t, e.Close(ctx))
				}
			})
		})
	}
}
